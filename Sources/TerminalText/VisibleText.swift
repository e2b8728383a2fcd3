/// Text from outside as a terminal may show it: what could move a cursor, end a line, hide itself or turn the writing
/// direction is written as an escape.
package enum VisibleText {
    /// The text with such characters escaped, as in `\n` or `\u{1b}`.
    package static func of(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: mustBeEscaped) else { return text }
        var result = ""
        for scalar in text.unicodeScalars { append(scalar, to: &result) }
        return result
    }

    /// Bytes as text; what is no UTF-8 is written as `\xNN`, byte by byte.
    package static func of(_ bytes: [UInt8]) -> String {
        var result = ""
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var position = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .emptyInput:
                return result
            case .valid(let encoded):
                append(UTF8.decode(encoded), to: &result)
                position += encoded.count
            case .error(let length):
                for byte in bytes[position..<min(position + length, bytes.count)] {
                    result += "\\x" + hexadecimal(UInt32(byte), digits: 2)
                }
                position += length
            }
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
        switch scalar {
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where mustBeEscaped(scalar): result += "\\u{" + hexadecimal(scalar.value, digits: 2) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }

    private static func hexadecimal(_ number: UInt32, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    private static func mustBeEscaped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f...0x9f: true  // control characters
        case 0x2028, 0x2029: true  // line and paragraph separators
        case 0x061c, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069: true  // writing direction
        case 0xfeff: true  // a byte order mark is invisible
        default: false
        }
    }
}
