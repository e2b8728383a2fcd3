/// Reads the JSON that librdkafka itself writes. Not for anybody else's JSON: escapes other than the simple ones, and
/// numbers with a fraction, are read loosely.
enum StatisticsReader {
    indirect enum Value: Hashable {
        case object([String: Value])
        case array([Value])
        case text(String)
        case number(Int64)
        case other

        subscript(name: String) -> Value {
            if case .object(let members) = self { members[name] ?? .other } else { .other }
        }

        var number: Int64? { if case .number(let number) = self { number } else { nil } }
        var text: String? { if case .text(let text) = self { text } else { nil } }
        /// librdkafka writes -1, -1001 and the like where there is no offset.
        var offset: Int64? { number.flatMap { $0 >= 0 ? $0 : nil } }
        /// Sorted by name, so that the same text always gives the same statistics.
        var members: [(name: String, value: Value)] {
            if case .object(let members) = self {
                members.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
            } else {
                []
            }
        }
    }

    /// nil where the bytes are not one JSON value nested at most 16 deep.
    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> Value? {
        var scanner = Scanner(bytes: bytes)
        guard let value = scanner.value(depth: 0) else { return nil }
        scanner.skipSpace()
        return scanner.next == nil ? value : nil
    }
}

private struct Scanner {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { at += 1 }
    }

    mutating func skip(_ byte: Character) -> Bool {
        skipSpace()
        guard next == byte.asciiValue else { return false }
        at += 1
        return true
    }

    mutating func value(depth: Int) -> StatisticsReader.Value? {
        guard depth < 16 else { return nil }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""): return text().map { .text($0) }
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return number()
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            while let byte = next, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) { at += 1 }
            return .other
        default: return nil
        }
    }

    private mutating func object(depth: Int) -> StatisticsReader.Value? {
        at += 1
        var members: [String: StatisticsReader.Value] = [:]
        if skip("}") { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\""), let name = text(), skip(":"), let value = value(depth: depth + 1)
            else { return nil }
            members[name] = value
        } while skip(",")
        return skip("}") ? .object(members) : nil
    }

    private mutating func array(depth: Int) -> StatisticsReader.Value? {
        at += 1
        var elements: [StatisticsReader.Value] = []
        if skip("]") { return .array(elements) }
        repeat {
            guard let value = value(depth: depth + 1) else { return nil }
            elements.append(value)
        } while skip(",")
        return skip("]") ? .array(elements) : nil
    }

    private mutating func text() -> String? {
        at += 1
        var found: [UInt8] = []
        while let byte = next {
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: found, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = next else { return nil }
                at += 1
                found.append(escaped)
            } else {
                found.append(byte)
            }
        }
        return nil
    }

    /// A fraction is cut off; a number too large for 64 bits is no number.
    private mutating func number() -> StatisticsReader.Value {
        let isNegative = next == UInt8(ascii: "-")
        if isNegative { at += 1 }
        var number: Int64? = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            at += 1
            let (tens, over) = (number ?? 0).multipliedReportingOverflow(by: 10)
            let (sum, overAgain) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            if over || overAgain { number = nil } else if number != nil { number = sum }
        }
        while let byte = next, ".eE+-0123456789".utf8.contains(byte) { at += 1 }
        return number.map { .number(isNegative ? -$0 : $0) } ?? .other
    }
}
