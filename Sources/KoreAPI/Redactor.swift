/// Makes short texts for people out of what a server or libcurl wrote: without secrets, control characters and length.
struct Redactor: Sendable {
    /// Exact texts that must not get out; longest first, so that no part of one is left.
    private let secrets: [String]
    private let maximumLength: Int

    init(token: String, maximumLength: Int = 300) {
        let segments = token.split(separator: ".").map(String.init)
        secrets = ([token] + segments).filter { $0.utf8.count >= 8 }
        self.maximumLength = maximumLength
    }

    /// Secrets go before the text is shortened, so that no beginning of one is left at its end.
    func clean(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for secret in secrets { bytes = replace(Array(secret.utf8), in: bytes) }
        bytes = replaceTokens(in: bytes)
        var result = ""
        var count = 0
        var lastWasSpace = true
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let isSpace = scalar.value <= 0x20 || (0x7F...0xA0).contains(scalar.value) || isInvisible(scalar)
            if isSpace && lastWasSpace { continue }
            if count == maximumLength { return result + "…" }
            result.unicodeScalars.append(isSpace ? " " : scalar)
            count += 1
            lastWasSpace = isSpace
        }
        if result.last == " " { result.removeLast() }
        return result
    }

    /// Line and direction marks would let a text pretend to be another one.
    private func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .lineSeparator, .paragraphSeparator, .control, .surrogate, .privateUse: true
        default: false
        }
    }

    private func replace(_ secret: [UInt8], in text: [UInt8]) -> [UInt8] {
        guard text.count >= secret.count else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] == secret[0], text[index...].starts(with: secret) {
                result.append(contentsOf: "[removed]".utf8)
                index += secret.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    /// Anything that begins as every JWT does (`eyJ`, an encoded brace) is taken for one.
    private func replaceTokens(in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index...].starts(with: "eyJ".utf8) {
                result.append(contentsOf: "[removed]".utf8)
                index = text[index...].firstIndex { !isTokenByte($0) } ?? text.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    private func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || "-_.".utf8.contains(byte)
    }
}
