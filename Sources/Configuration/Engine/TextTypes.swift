// Imports nothing: the kinds of text that settings are made of.

extension ValueType where Value == String {
    /// Any text of one line.
    static var line: Self {
        text("text", expected: "a text without control characters, at most 500 bytes") { isLine($0, 500) }
    }

    /// The name of a Kafka topic.
    static var topic: Self {
        text(
            "topic name",
            expected: "a topic name: at most 249 letters, digits, `.`, `_`, `-`, and neither `.` nor `..`",
            pattern: "^[a-zA-Z0-9._-]{1,249}$"
        ) { $0 != "." && $0 != ".." && isWord($0, 249, "._-") }
    }

    /// A name that becomes part of a group id, a client id or a transactional id.
    static var identifier: Self {
        text(
            "name", expected: "a name of at most 200 letters, digits, `.`, `_` and `-`",
            pattern: "^[a-zA-Z0-9._-]{1,200}$"
        ) { isWord($0, 200, "._-") }
    }

    /// An identifier given out by the platform. Letters, digits, `-` and `_` only, so that it can stand in a path or a
    /// header without escaping.
    static var platformIdentifier: Self {
        text(
            "identifier", expected: "an identifier of at most 128 letters, digits, `-` and `_`",
            pattern: "^[a-zA-Z0-9_-]{1,128}$"
        ) { isWord($0, 128, "-_") }
    }

    /// A stream's identifier, or `*`.
    static var stream: Self {
        text(
            "stream id or `*`",
            expected: "a stream id of at most 128 letters, digits, `-` and `_`, or `*` for all others",
            pattern: "^([a-zA-Z0-9_-]{1,128}|[*])$"
        ) { $0 == "*" || isWord($0, 128, "-_") }
    }

    /// The name of a record header or of a JSON field.
    static var fieldName: Self {
        text("name", expected: "a name without white space or control characters, at most 100 bytes") {
            isLine($0, 100) && !$0.utf8.contains(UInt8(ascii: " "))
        }
    }

    /// The path of a file, which must be readable when the settings are loaded.
    static var path: Self {
        text("path of a file", expected: "the path of a file") { isLine($0, 4096) }
    }

    /// A broker's address.
    static var broker: Self {
        text("`host:port`", expected: "a broker as `host:port`, such as kafka-1.example.com:9092") {
            ListenAddress($0).map { $0.port > 0 } ?? false
        }
    }

    /// The path in front of an endpoint's own path.
    static var pathPrefix: Self {
        text(
            "path", expected: "a path that begins with `/` and does not end with one, such as /campaign/api",
            pattern: "^(/[A-Za-z0-9._~-]+)+$"
        ) { isPath($0) }
    }

    /// Where the platform is reached.
    static var baseURL: Self {
        text(
            "URL",
            expected:
                "an https URL such as https://platform.kore.ai, without user, query or fragment (http only for localhost)",
            pattern: "^https?://[^/?#@]+(/[^?#@]*[^/?#@])?$"
        ) { isURL($0, allowsPlainText: isLoopback) }
    }

    /// A proxy for HTTP.
    static var proxy: Self {
        text("URL", expected: "a proxy's URL such as http://proxy.example.com:3128, without user, path or query") {
            isURL($0) { _ in true } && $0.utf8.count { $0 == UInt8(ascii: "/") } == 2
        }
    }

    /// A CloudEvents source.
    static var uriReference: Self {
        text(
            "URI reference",
            expected: "a URI reference without white space, at most 200 bytes, such as /campaign-bridge"
        ) {
            isLine($0, 200) && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
    }
}

extension ValueType where Value == ListenAddress {
    static var listen: Self {
        ValueType(
            name: "`address:port`",
            expectation:
                "an address and a port, such as 127.0.0.1:8080, or [::]:8080 for every address of either family",
            parse: { ListenAddress($0) }, write: { $0.description },
            schema: ValueType<String>.line.schema)
    }
}

/// Where the HTTP server listens. Port 0 lets the system choose one.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A name or a literal address, without brackets.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// From `host:port`, an IPv6 address in brackets; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = wholeNumber(String(text[text.index(after: colon)...])), (0...65_535).contains(port)
        else { return nil }
        let host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]", host.dropFirst().dropLast().utf8.contains(UInt8(ascii: ":")),
                isWord(host.dropFirst().dropLast(), 60, ":.%")
            else { return nil }
            self.init(host: String(host.dropFirst().dropLast()), port: port)
        } else {
            guard isWord(host, 253, ".-_") else { return nil }
            self.init(host: String(host), port: port)
        }
    }

    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether only programs on the same machine can connect.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || isIPv4Loopback(host)
    }
}

/// One to `maximum` ASCII letters, digits and bytes of `others`.
func isWord(_ text: some StringProtocol, _ maximum: Int, _ others: StaticString) -> Bool {
    let others = others.withUTF8Buffer { Array($0) }
    return (1...maximum).contains(text.utf8.count)
        && text.utf8.allSatisfy { isAlphanumeric($0) || others.contains($0) }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
    default: false
    }
}

private func isLine(_ text: String, _ maximum: Int) -> Bool {
    (1...maximum).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
}

private func isPath(_ text: some StringProtocol) -> Bool {
    text.first == "/" && text.utf8.count <= 200
        && text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            isWord($0, 200, "._~-") && $0 != "." && $0 != ".."
        }
}

private func isURL(_ text: String, allowsPlainText: (String) -> Bool) -> Bool {
    let isPlainText = text.hasPrefix("http://")
    guard isPlainText || text.hasPrefix("https://") else { return false }
    let rest = text.dropFirst(isPlainText ? 7 : 8)
    let authority = rest.prefix { $0 != "/" }
    let path = rest.dropFirst(authority.count)
    guard path.isEmpty || isPath(path) else { return false }
    let hasPort = (authority.lastIndex(of: "]").map { authority[$0...] } ?? authority).contains(":")
    guard let address = ListenAddress(hasPort ? String(authority) : authority + ":443"), address.port > 0 else {
        return false
    }
    return !isPlainText || allowsPlainText(address.host)
}

private func isLoopback(_ host: String) -> Bool { ListenAddress(host: host, port: 0).isLoopback }

/// 127.a.b.c as a literal: a name that only begins with 127 is somebody's domain.
private func isIPv4Loopback(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
        && parts.allSatisfy { wholeNumber(String($0)).map { (0...255).contains($0) } ?? false }
}
