internal import JSON

/// Reads the outermost members of an object that a strict reader refused: bytes that are not UTF-8, lone surrogates,
/// control characters, a repeated name.
///
/// Loose in texts only. Structure must be whole to the closing brace, so that a cut body is never taken for an answer.
/// Members that hold objects or arrays are skipped. A name that comes twice with different values is dropped: it says
/// nothing.
enum LooseObject {
    static func read(_ bytes: [UInt8]) -> JSONValue? {
        var scanner = Scanner(bytes: bytes)
        guard let members = scanner.object(), scanner.isAtEnd else { return nil }
        return .object(members)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return index == bytes.count
            }
        }

        mutating func object() -> [JSONMember]? {
            guard take("{") else { return nil }
            var members: [JSONMember] = []
            var ambiguous: Set<[UInt8]> = []
            if take("}") { return members }
            repeat {
                guard let name = string(), take(":"), let value = value() else { return nil }
                if let known = members.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                    if known.value != value { ambiguous.insert(Array(name.utf8)) }
                } else {
                    members.append(JSONMember(name, value))
                }
            } while take(",")
            guard take("}") else { return nil }
            return members.filter { !ambiguous.contains(Array($0.name.utf8)) }
        }

        /// Objects and arrays are passed over and come out as null.
        private mutating func value() -> JSONValue? {
            skipSpace()
            guard index < bytes.count else { return nil }
            switch bytes[index] {
            case UInt8(ascii: "\""): return string().map { .string($0) }
            case UInt8(ascii: "{"), UInt8(ascii: "["): return skipNested() ? .null : nil
            default:
                let start = index
                while index < bytes.count, isWordByte(bytes[index]) { index += 1 }
                return word(String(decoding: bytes[start..<index], as: UTF8.self))
            }
        }

        private func word(_ text: String) -> JSONValue? {
            switch text {
            case "null": .null
            case "true": .bool(true)
            case "false": .bool(false)
            // Not every text that is a Double is a JSON number: "nan" and "0x10" are none.
            default:
                Double(text) != nil && text.utf8.allSatisfy { (0x2B...0x39).contains($0) || $0 | 0x20 == 0x65 }
                    ? .number(text) : nil
            }
        }

        private mutating func skipNested() -> Bool {
            var open: [UInt8] = []
            repeat {
                guard index < bytes.count else { return false }
                switch bytes[index] {
                case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
                case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    guard open.popLast() == bytes[index] else { return false }
                case UInt8(ascii: "\""):
                    guard string() != nil else { return false }
                    continue
                default: break
                }
                index += 1
            } while !open.isEmpty
            return true
        }

        private mutating func string() -> String? {
            guard take("\"") else { return nil }
            var text: [UInt8] = []
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalars = escape() else { return nil }
                    text.append(contentsOf: scalars.utf8)
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func escape() -> String? {
            guard index < bytes.count else { return nil }
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"):
                guard let first = unit() else { return nil }
                guard (0xD800...0xDBFF).contains(first), bytes[index...].starts(with: "\\u".utf8) else {
                    return String(decoding: [first], as: UTF16.self)
                }
                index += 2
                guard let second = unit() else { return nil }
                return String(decoding: [first, second], as: UTF16.self)
            default: return String(decoding: [byte], as: UTF8.self)
            }
        }

        private mutating func unit() -> UInt16? {
            guard bytes.count - index >= 4 else { return nil }
            let digits = bytes[index..<index + 4]
            guard digits.allSatisfy({ isWordByte($0) && $0 != 0x2B && $0 != 0x2D }) else { return nil }
            index += 4
            return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        }

        private func isWordByte(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2B || byte == 0x2D || byte == 0x2E
        }

        private mutating func skipSpace() {
            while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
        }

        private mutating func take(_ character: Character) -> Bool {
            skipSpace()
            guard index < bytes.count, bytes[index] == character.asciiValue else { return false }
            index += 1
            return true
        }
    }
}
