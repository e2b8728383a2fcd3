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

/// How many columns text takes on a terminal.
package enum TextWidth {
    /// The columns of a text without control characters: 2 for East Asian wide characters and emoji, 0 for marks that
    /// join the character before.
    package static func of(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + width(of: $1) }
    }

    /// The text cut to so many columns; what was cut ends with `…`.
    package static func cut(_ text: String, to columns: Int) -> String {
        guard columns > 0 else { return "" }
        guard of(text) > columns else { return text }
        var result = ""
        var used = 0
        for character in text {
            let width = width(of: character)
            guard used + width <= columns - 1 else { break }
            result.append(character)
            used += width
        }
        return result + "…"
    }

    private static func width(of character: Character) -> Int {
        var width = 0
        for scalar in character.unicodeScalars {
            // The variation selector asks for the form of an emoji, which is wide.
            if scalar.value == 0xfe0f { return 2 }
            width = max(width, self.width(of: scalar))
        }
        return width
    }

    private static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return scalar.value == 0xad ? 0 : 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        if scalar.properties.isEmojiPresentation { return 2 }
        switch scalar.value {
        case 0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
            0xa000...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1_7000...0x1_8aff, 0x1_f300...0x1_f64f, 0x1_f900...0x1_f9ff,
            0x2_0000...0x3_fffd:
            return 2
        default: return 1
        }
    }
}
