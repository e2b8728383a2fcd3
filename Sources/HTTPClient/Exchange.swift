/// One HTTP exchange that is to be made: a request with its bounds.
package struct HTTPExchange: Sendable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    package var method: Method
    /// Absolute, `https`, or `http` to a loopback host; visible ASCII only, escaped already, without user information.
    package var url: String
    /// Names and values as they are sent. `Accept-Encoding: identity` and an empty `Expect` are added by the client.
    package var headers: [(String, String)]
    /// Sent with its length by every method but `get`.
    package var body: [UInt8]
    /// From the call to the last byte of the body: waiting for a free connection, name, connect, TLS, request, answer.
    package var deadline: Duration
    /// For name, connect, the proxy's part and TLS together.
    package var connectTimeout: Duration
    package var maximumBodyBytes: Int
    /// Of all heads of the answer together, interim heads and trailers included.
    package var maximumHeadBytes: Int
    /// Whether a kept connection may be used and this one kept. False costs a connection and removes every race with a
    /// server that closes or speaks on an idle one.
    package var reuse: Bool
    /// Asked right before the request is written, on the client's thread: false, and nothing of it is sent.
    package var maySend: @Sendable () -> Bool = { true }

    package init(
        method: Method, url: String, headers: [(String, String)] = [], body: [UInt8] = [],
        deadline: Duration, connectTimeout: Duration, maximumBodyBytes: Int = 1 << 20,
        maximumHeadBytes: Int = 64 << 10, reuse: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.deadline = deadline
        self.connectTimeout = connectTimeout
        self.maximumBodyBytes = maximumBodyBytes
        self.maximumHeadBytes = maximumHeadBytes
        self.reuse = reuse
    }
}

/// What one exchange came to.
///
/// The line between `notSent` and the others is a counter in the one place that libcurl calls before it writes a
/// request; no error code of libcurl draws it (design, section 3).
package enum ExchangeResult: Sendable {
    /// A final head and a complete body.
    case answer(HTTPAnswer)
    /// Not one byte of the request has left this process.
    case notSent(TransportFault)
    /// The request may have been sent, in part or whole, and no complete answer came. The status is that of a final
    /// head, if one was complete.
    case maybeSent(TransportFault, status: Int?)
}

/// A final head with its body, complete.
package struct HTTPAnswer: Sendable {
    /// As the status line says; nothing but its form (three digits) has been checked.
    package var status: Int
    /// Field names in lower case, values without surrounding space, bytes that are not UTF-8 repaired; in order,
    /// repeated ones kept. Interim heads, a proxy's own head and trailers are not among them.
    package var fields: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// The value of a field that must stand at most once: nil where it is missing or stands there with two values.
    package func field(_ name: String) -> String? {
        let values = fields.lazy.filter { $0.name == name }.map(\.value)
        guard let first = values.first, values.allSatisfy({ $0 == first }) else { return nil }
        return first
    }
}

/// Why an exchange has no complete answer.
package struct TransportFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The closed set of causes.
    package enum Kind: String, Sendable, CaseIterable {
        case dns
        case connectRefused = "connect_refused"
        case connectFailed = "connect_failed"
        case connectTimeout = "connect_timeout"
        case tls
        case proxy
        case reset
        case closed
        case timeout
        case bodyTruncated = "body_truncated"
        case bodyTooLarge = "body_too_large"
        case headTooLarge = "head_too_large"
        case interimFlood = "interim_flood"
        case protocolError = "protocol"
        case resent
        case staleConnection = "stale_connection"
        case cancelled
        case tooLate = "too_late"
        case overloaded
        case invalidRequest = "invalid_request"
        case clientClosed = "client_closed"
        case internalError = "internal"
    }

    package var kind: Kind
    /// For people: what happened and what to look at. Holds no header, body or query.
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// The cause as a metric label.
    package var label: String { kind.rawValue }

    package var description: String { "\(kind.rawValue): \(text)" }
}
