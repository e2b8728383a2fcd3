/// One request, complete with its body.
package struct HTTPRequest: Sendable {
    /// The method as sent: `GET`, `POST`, ...
    package var method: String
    /// The request target as sent, with its percent-encoding and its query.
    package var target: String
    /// The path's segments behind the first slash, each percent-decoded: `/a%2Fb//c` is `["a/b", "", "c"]`, `/` is `[""]`.
    package var segments: [String]
    /// The query's parameters, percent-decoded (`+` is a space), in order; one without `=` has an empty value.
    package var query: [(name: String, value: String)]
    /// The header fields.
    package var headers: HTTPHeaders
    /// The body, not longer than the server's limit; empty while only the head is there.
    package var body: [UInt8]
    /// The client's address without port; an IPv4 client of a dual-stack listener has its IPv4 form.
    package var remoteAddress: String
    /// What the router found in the places of the pattern's parameters.
    package var parameters: [String: String] = [:]
    /// Anything that a head inspection wants to hand to the handler.
    package var context: (any Sendable)?

    /// A request made by hand, for routers and handlers that are called without a server.
    ///
    /// - Returns: nil where the target is not one that a server accepts.
    package init?(
        method: String, target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], remoteAddress: String = ""
    ) {
        guard let parsed = RequestTarget(target) else { return nil }
        self.method = method
        self.target = target
        segments = parsed.segments
        query = parsed.query
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
    }

    /// The value of the first query parameter of that name.
    package func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// The path as sent, without the query.
    package var path: String {
        String(target.prefix { $0 != "?" })
    }
}

/// The parts of a request target in origin form (RFC 9112, 3.2.1), decoded.
struct RequestTarget {
    var segments: [String]
    var query: [(name: String, value: String)] = []

    /// Nil where the target does not begin with a slash (an absolute form is cut to its path), has a percent sign without
    /// two hexadecimal digits, or decodes to something that is not UTF-8 or holds a NUL.
    init?(_ target: String) {
        var bytes = Array(target.utf8)[...]
        if bytes.first != UInt8(ascii: "/"), let scheme = target.range(ofScheme: "://") {
            let rest = target.utf8[scheme...]
            bytes = Array(rest[(rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex)...])[...]
            if bytes.isEmpty { bytes = [UInt8(ascii: "/")] }
        }
        guard bytes.first == UInt8(ascii: "/") else { return nil }
        let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        segments = []
        for part in bytes[bytes.startIndex..<mark].dropFirst()
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        {
            guard let segment = Self.decode(part, plusIsSpace: false) else { return nil }
            segments.append(segment)
        }
        guard mark < bytes.endIndex else { return }
        for pair in bytes[(mark + 1)...].split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = Self.decode(pair[..<equals], plusIsSpace: true),
                let value = Self.decode(pair[equals...].dropFirst(), plusIsSpace: true)
            else { return nil }
            query.append((name: name, value: value))
        }
    }

    private static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            var byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < bytes.endIndex, let high = hex(bytes[index + 1]), let low = hex(bytes[index + 2])
                else { return nil }
                byte = high << 4 | low
                guard byte != 0 else { return nil }
                index += 2
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                byte = UInt8(ascii: " ")
            }
            out.append(byte)
            index += 1
        }
        return String(validating: out, as: UTF8.self)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension String {
    /// The place behind a scheme's `://`, if the text begins with one.
    fileprivate func range(ofScheme separator: String) -> String.Index? {
        for scheme in ["http", "https"] where utf8.starts(with: (scheme + separator).utf8) {
            return utf8.index(startIndex, offsetBy: scheme.utf8.count + separator.utf8.count)
        }
        return nil
    }
}
