/// Makes the bytes of a log line: JSON, or text for people. Pure: the same input gives the same bytes.
///
/// A line is never longer than its bound. A value that is too long is cut and ends with `…`; fields that no longer
/// fit are left out, and the line then says `"truncated":true`.
package struct LogFormatter: Sendable {
    /// What lines look like.
    package enum Style: Equatable, Sendable {
        /// One JSON object a line: time, level, message, then the fields.
        case json
        /// Time, level, message, then `key=value`.
        case text(colour: Bool)
    }

    package var style: Style
    package var redactor: Redactor
    /// The most bytes of a line, its line feed included. Up to 4096, a line goes into a pipe whole or not at all.
    package var longestLine: Int
    /// The most bytes of one value as written.
    package var longestValue: Int

    package init(style: Style, redactor: Redactor, longestLine: Int = 4096, longestValue: Int = 1024) {
        self.style = style
        self.redactor = redactor
        self.longestLine = min(max(longestLine, 512), 65_536)
        self.longestValue = min(max(longestValue, 64), self.longestLine / 2)
    }

    /// The line with its line feed.
    ///
    /// - Parameter time: milliseconds since 1970.
    package func line(time: Int64, level: LogLevel, message: StaticString, fields: LogFields) -> [UInt8] {
        switch style {
        case .json: jsonLine(time, level, message, fields)
        case .text(let colour): textLine(time, level, message, fields, colour: colour)
        }
    }

    private func jsonLine(
        _ time: Int64, _ level: LogLevel, _ message: StaticString, _ fields: LogFields
    ) -> [UInt8] {
        var line = Array(
            #"{"time":"\#(RFC3339.text(milliseconds: time))","level":"\#(level.rawValue)","message":""#.utf8)
        appendEscaped(message.description, to: &line, limit: longestLine / 4, quote: true)
        line.append(UInt8(ascii: "\""))
        let end = Array("}\n".utf8)
        let note = Array(#","truncated":true"#.utf8)
        for field in fields.fields {
            var part = Array(#","\#(field.key.name)":"#.utf8)
            appendJSON(field.value, to: &part)
            guard line.count + part.count + note.count + end.count <= longestLine else {
                return line + note + end
            }
            line += part
        }
        return line + end
    }

    private func textLine(
        _ time: Int64, _ level: LogLevel, _ message: StaticString, _ fields: LogFields, colour: Bool
    ) -> [UInt8] {
        let name = level.rawValue.uppercased()
        let padded = name + String(repeating: " ", count: 7 - name.utf8.count)
        let reset = "\u{1b}[0m"
        let clock = RFC3339.text(milliseconds: time)
        var line =
            colour
            ? Array("\u{1b}[2m\(clock)\(reset) \(Self.colour(of: level))\(padded)\(reset) ".utf8)
            : Array("\(clock) \(padded) ".utf8)
        appendEscaped(message.description, to: &line, limit: longestLine / 4, quote: false)
        let note = Array(" truncated=true".utf8)
        for field in fields.fields {
            var part = Array(colour ? " \u{1b}[2m\(field.key.name)=\(reset)".utf8 : " \(field.key.name)=".utf8)
            appendText(field.value, to: &part)
            guard line.count + part.count + note.count + 1 <= longestLine else {
                line += note
                break
            }
            line += part
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func colour(of level: LogLevel) -> String {
        switch level {
        case .trace, .debug: "\u{1b}[2m"
        case .info: "\u{1b}[32m"
        case .warning: "\u{1b}[33m"
        case .error: "\u{1b}[1;31m"
        }
    }

    private func appendJSON(_ value: LogValue, to part: inout [UInt8]) {
        switch value {
        case .integer(let number): part += Array(String(number).utf8)
        case .bool(let flag): part += Array((flag ? "true" : "false").utf8)
        case .double(let number): part += Array((number.isFinite ? "\(number)" : "\"\(number)\"").utf8)
        case .string(let text): appendQuoted(text, to: &part, limit: longestValue)
        case .strings(let texts): appendList(texts, to: &part)
        }
    }

    private func appendText(_ value: LogValue, to part: inout [UInt8]) {
        switch value {
        case .integer(let number): part += Array(String(number).utf8)
        case .bool(let flag): part += Array((flag ? "true" : "false").utf8)
        case .double(let number): part += Array("\(number)".utf8)
        case .string(let text): appendBareOrQuoted(text, to: &part)
        case .strings(let texts): appendList(texts, to: &part)
        }
    }

    /// A value that nobody could take for two fields needs no quotes.
    private func appendBareOrQuoted(_ text: String, to part: inout [UInt8]) {
        let plain = text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
        if plain && !text.isEmpty {
            appendEscaped(redactor.clean(text), to: &part, limit: longestValue, quote: false)
        } else {
            appendQuoted(text, to: &part, limit: longestValue)
        }
    }

    private func appendQuoted(_ text: String, to part: inout [UInt8], limit: Int) {
        part.append(UInt8(ascii: "\""))
        appendEscaped(redactor.clean(text), to: &part, limit: limit, quote: true)
        part.append(UInt8(ascii: "\""))
    }

    private func appendList(_ texts: [String], to part: inout [UInt8]) {
        let start = part.count
        part.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { part.append(UInt8(ascii: ",")) }
            guard part.count - start < longestValue else {
                appendQuoted("…", to: &part, limit: 8)
                break
            }
            appendQuoted(text, to: &part, limit: longestValue / 4)
        }
        part.append(UInt8(ascii: "]"))
    }

    /// Appends the text with everything escaped that could end the line, move a cursor or turn the writing direction.
    /// Stops, with a mark, where more than `limit` bytes would be written.
    private func appendEscaped(_ text: String, to part: inout [UInt8], limit: Int, quote: Bool) {
        let start = part.count
        for scalar in text.unicodeScalars {
            let before = part.count
            switch scalar {
            case "\"" where quote, "\\" where quote:
                part += [UInt8(ascii: "\\"), UInt8(truncatingIfNeeded: scalar.value)]
            case "\n": part += Array(#"\n"#.utf8)
            case "\r": part += Array(#"\r"#.utf8)
            case "\t": part += Array(#"\t"#.utf8)
            case _ where Self.mustBeEscaped(scalar): part += Array(Self.escaped(scalar).utf8)
            default: part += Array(UTF8.encode(scalar)!)
            }
            if part.count - start > limit {
                part.removeSubrange(before...)
                part += Array("…".utf8)
                return
            }
        }
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        // Everything that must be escaped lies in the basic plane, so four digits do.
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
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
