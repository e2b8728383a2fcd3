internal import Synchronization

/// The one place that keeps secrets out of what the process says.
///
/// Two things are replaced by `[redacted]`: each registered value, and whatever looks like a JSON web token. Clean a
/// text before shortening it: a secret that was cut in two is not recognised. Safe to use from any thread.
package final class Redactor: Sendable {
    /// What stands in the place of a secret.
    package static let mark = "[redacted]"

    /// Registered values shorter than this many bytes are ignored: replacing every "on" would leave nothing to read,
    /// and nothing that short is a secret.
    package static let shortest = 4

    private let secrets = Mutex<[[UInt8]]>([])

    package init() {}

    /// Registers a value that must never come out.
    ///
    /// Its form in a URL (percent-encoded) and, of a value of several lines such as a PEM key, each line of sixteen
    /// bytes or more are registered with it.
    package func register(_ secret: String) {
        var forms = [Array(secret.utf8), Self.percentEncoded(secret)]
        let lines = secret.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
        if lines.count > 1 {
            forms += lines.filter { $0.count >= 16 && !$0.starts(with: "-----".utf8) }.map { Array($0) }
        }
        secrets.withLock { known in
            for form in forms where form.count >= Self.shortest && !known.contains(form) { known.append(form) }
            // The longest first: a secret that begins with another one is replaced as a whole.
            known.sort { $0.count > $1.count }
        }
    }

    /// The text without secrets.
    package func clean(_ text: String) -> String {
        let known = secrets.withLock { $0 }
        let bytes = Array(text.utf8)
        guard let cleaned = Self.clean(bytes, secrets: known) else { return text }
        return String(decoding: cleaned, as: UTF8.self)
    }

    /// The bytes without secrets, or nil where there is nothing to replace.
    private static func clean(_ bytes: [UInt8], secrets: [[UInt8]]) -> [UInt8]? {
        var result: [UInt8] = []
        var kept = 0
        var position = 0
        // Where a run of token characters was looked at in vain, no later start inside it is tried: time stays linear.
        var tokensFrom = 0
        while position < bytes.count {
            var length = secretLength(in: bytes, at: position, secrets)
            if length == nil, position >= tokensFrom, startsToken(bytes, position) {
                length = tokenLength(in: bytes, at: position)
                if length == nil { tokensFrom = endOfSegment(bytes, position) }
            }
            if let length {
                result += bytes[kept..<position]
                result += Array(mark.utf8)
                position += length
                kept = position
            } else {
                position += 1
            }
        }
        guard kept > 0 else { return nil }
        result += bytes[kept...]
        return result
    }

    private static func secretLength(in bytes: [UInt8], at start: Int, _ secrets: [[UInt8]]) -> Int? {
        for secret in secrets where secret[0] == bytes[start] && bytes.count - start >= secret.count {
            if bytes[start..<start + secret.count].elementsEqual(secret) { return secret.count }
        }
        return nil
    }

    /// A token's header is an object whose first name is quoted: `{"` is `eyJ` in base64url.
    private static func startsToken(_ bytes: [UInt8], _ start: Int) -> Bool {
        bytes.count - start > 3 && bytes[start] == UInt8(ascii: "e") && bytes[start + 1] == UInt8(ascii: "y")
            && bytes[start + 2] == UInt8(ascii: "J")
    }

    /// How long the token is that starts here. Two segments are enough, because texts arrive cut; further ones (a
    /// signature, the five of an encrypted token) belong to it.
    private static func tokenLength(in bytes: [UInt8], at start: Int) -> Int? {
        var end = start
        for segment in 1...5 {
            let next = endOfSegment(bytes, end)
            if segment <= 2 && next - end < 4 { return nil }
            end = next
            let goesOn = end + 1 < bytes.count && bytes[end] == UInt8(ascii: ".") && isBase64URL(bytes[end + 1])
            // A full stop that ends a sentence is not part of the token.
            guard goesOn else { return segment >= 2 ? end - start : nil }
            if segment < 5 { end += 1 }
        }
        return end - start
    }

    private static func endOfSegment(_ bytes: [UInt8], _ start: Int) -> Int {
        var end = start
        while end < bytes.count, isBase64URL(bytes[end]) { end += 1 }
        return end
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func percentEncoded(_ text: String) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            if isBase64URL(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }
}
