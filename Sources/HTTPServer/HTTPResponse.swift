/// One answer.
package struct HTTPResponse: Sendable {
    /// What follows the head.
    package enum Body: Sendable {
        /// The whole body; its length goes into `Content-Length`.
        case bytes([UInt8])
        /// A body that is written as it comes into being, for example server-sent events; sent chunked.
        case stream(HTTPBodyStream)
        /// A body that announces more bytes than it sends, and then closes: a deliberate fault.
        case truncated([UInt8], announced: Int)
    }

    /// The status code, 200 to 999.
    package var status: Int
    /// The fields; `Content-Length`, `Transfer-Encoding` and, unless given, `Date` are the server's.
    package var headers: HTTPHeaders
    /// What follows the head. A HEAD request gets none of it.
    package var body: Body
    /// What happens on the connection, below HTTP, before the answer or in its place: a deliberate fault.
    package var wire: WireScript?
    /// Called once, on one of the server's threads, when the exchange has ended: true where the whole answer was given
    /// to the operating system, false where the connection ended before. Must be quick.
    package var ended: (@Sendable (_ sent: Bool) -> Void)?

    /// An answer with a body at hand.
    package init(status: Int = 200, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = .bytes(body)
    }

    /// An answer with a text as its body, in UTF-8.
    package static func text(
        _ text: String, status: Int = 200, contentType: String = "text/plain; charset=utf-8"
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": contentType], body: Array(text.utf8))
    }

    /// An answer whose body `write` produces. `write` runs as a child of the server's `run`; it is cancelled when the
    /// connection ends or the server stops, and its return ends the body.
    ///
    /// - Parameter bufferLimit: bytes that wait for a slow client; `HTTPBodyWriter.write` waits while there are more.
    package static func stream(
        status: Int = 200, headers: HTTPHeaders, bufferLimit: Int = 64 << 10,
        write: @escaping @Sendable (HTTPBodyWriter) async -> Void
    ) -> HTTPResponse {
        var response = HTTPResponse(status: status, headers: headers)
        response.body = .stream(HTTPBodyStream(bufferLimit: bufferLimit, write: write))
        return response
    }
}

/// How a streamed body comes into being; see `HTTPResponse.stream`.
package struct HTTPBodyStream: Sendable {
    var bufferLimit: Int
    var write: @Sendable (HTTPBodyWriter) async -> Void
}

/// What a handler gives back: an answer at once, or work that ends with one.
package enum HTTPReply: Sendable {
    /// The answer, made on the server's own thread.
    case now(HTTPResponse)
    /// Runs as a child task of the server's `run`, and its result is the answer. It is cancelled when the server stops.
    case later(@Sendable () async -> HTTPResponse)
}

/// What to do with a request of which only the head is there.
package enum HTTPHeadAction: Sendable {
    /// Read the body and call the handler.
    case read
    /// End the connection without an answer: in order, or with a reset.
    case close, reset
}

/// What happens on a connection below HTTP. Bytes go to the socket as they are, so only without TLS are they what the
/// client reads.
package struct WireScript: Sendable {
    /// One step.
    package enum Step: Sendable {
        /// These bytes; a client that does not read them in ten seconds ends the script.
        case send([UInt8])
        /// Nothing for that long.
        case wait(Duration)
    }

    /// What follows the steps.
    package enum End: Sendable {
        /// The answer, by HTTP's rules.
        case answer
        /// No (further) byte: an orderly close, or a reset.
        case close, reset
        /// Nothing until the client goes away, but at most so long; then close.
        case hold(atMost: Duration)
    }

    /// The steps in order.
    package var steps: [Step]
    /// What follows them.
    package var end: End

    /// Steps and their end.
    package init(_ steps: [Step] = [], end: End) {
        self.steps = steps
        self.end = end
    }
}
