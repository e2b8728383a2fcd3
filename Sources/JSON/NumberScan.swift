// Imports nothing.

/// One pass over the text before Jansson reads it.
///
/// Jansson turns a number into 64 bits or a double, and refuses what fits neither. Here each well-formed number is
/// replaced by a zero and white space of the same length, and its place remembered: Jansson still decides whether the
/// text is JSON, every position in its errors still holds, and numbers of any length keep their text. Depth and NUL
/// are looked at on the way.
struct NumberScan {
    /// The text with numbers blanked.
    private(set) var text: [UInt8]
    /// Where the numbers stood, in order.
    private(set) var numbers: [Range<Int>] = []
    private let maximumDepth: Int

    init(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int) {
        text = [UInt8](bytes)
        self.maximumDepth = maximumDepth
    }

    /// Whether there is nothing but white space.
    var isBlank: Bool { text.allSatisfy(isSpace) }

    /// Blanks the numbers. An error ends the scan: too deep, or a NUL byte.
    mutating func run() -> JSONError? {
        let (fault, numbers) = text.withUnsafeMutableBufferPointer { Self.scan($0, maximumDepth) }
        self.numbers = numbers
        return fault.map { place(of: $0.kind, $0.position) }
    }

    private typealias Fault = (kind: JSONError.Kind, position: Int)

    private static func scan(
        _ text: UnsafeMutableBufferPointer<UInt8>, _ maximumDepth: Int
    ) -> (Fault?, [Range<Int>]) {
        var numbers: [Range<Int>] = []
        var depth = 0
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""):
                index += 1
                while index < text.count, text[index] != UInt8(ascii: "\"") {
                    if text[index] == 0 { return ((.nulCharacter, index), numbers) }
                    index += text[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                index += 1
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                if depth > maximumDepth { return ((.tooDeep, index), numbers) }
                index += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth -= 1
                index += 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let start = index
                while index < text.count, isNumberByte(text[index]) { index += 1 }
                if isNumber(text[start..<index]) {
                    numbers.append(start..<index)
                    for place in start..<index { text[place] = UInt8(ascii: " ") }
                    text[start] = UInt8(ascii: "0")
                }
            case 0: return ((.nulCharacter, index), numbers)
            default: index += 1
            }
        }
        return (nil, numbers)
    }

    private func place(of kind: JSONError.Kind, _ position: Int) -> JSONError {
        let before = text[..<position]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let characters = text[lineStart..<position].count { $0 & 0xC0 != 0x80 }
        return JSONError(
            kind: kind, line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: characters + 1, position: position)
    }
}

private func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

private func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
    default: false
    }
}

/// The grammar of RFC 8259, section 6. What does not follow it is left in the text, for Jansson to refuse.
private func isNumber(_ bytes: Slice<UnsafeMutableBufferPointer<UInt8>>) -> Bool {
    var rest = bytes
    func digits(_ rest: inout Slice<UnsafeMutableBufferPointer<UInt8>>) -> Bool {
        let start = rest.startIndex
        while let first = rest.first, isDigit(first) { rest.removeFirst() }
        return rest.startIndex > start
    }
    if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    if rest.first == UInt8(ascii: "0") {
        rest.removeFirst()
    } else if !digits(&rest) {
        return false
    }
    if rest.first == UInt8(ascii: ".") {
        rest.removeFirst()
        guard digits(&rest) else { return false }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
        rest.removeFirst()
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        guard digits(&rest) else { return false }
    }
    return rest.isEmpty
}
