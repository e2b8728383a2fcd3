/// How a server listens and what it allows. Every bound of the server is here.
package struct HTTPServerSettings: Sendable {
    /// The address to listen on: an IPv4 or IPv6 literal, with or without brackets; `""`, `"*"`, `"::"` and `"[::]"`
    /// are all addresses of both families (IPv4 alone where the machine has no IPv6); `"localhost"` is `127.0.0.1`.
    package var host = "127.0.0.1"
    /// The TCP port; 0 takes a free one, which `HTTPServer.port` then tells.
    package var port: UInt16 = 0
    /// Threads that read and write. One serves some ten thousands of requests a second.
    package var threads = 1
    /// Connections at once; more are closed as they come. At least `threads`.
    package var connectionLimit = 1024
    /// Connections at once from one address; 0 is no limit of its own.
    package var connectionLimitPerAddress = 0
    /// How long a connection may stand still while the server waits for its client; rounded up to whole seconds, zero
    /// is for ever. It does not run while a handler works.
    package var idleTimeout: Duration = .seconds(30)
    /// Bytes of a request's body; more is answered with 413.
    package var bodyLimit = 1 << 20
    /// Bytes that a connection holds for the request's head and its buffers; a larger head is answered with 431 or 414.
    package var connectionMemoryLimit = 64 << 10
    /// Connections that the system holds while they wait to be accepted.
    package var backlog: Int32 = 511
    /// PEM files of the certificate chain and of its unencrypted private key; both or neither. With them the server
    /// speaks TLS only.
    package var certificateFile: String?
    package var keyFile: String?
    /// What TLS may negotiate, in GnuTLS's notation.
    package var tlsPriorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
    /// Hears what libmicrohttpd reports (refused heads, failed handshakes): one line each, at most 300 printable
    /// characters. Called on the server's threads; must be quick.
    package var log: (@Sendable (String) -> Void)?

    /// The defaults: a free port on loopback, without TLS.
    package init() {}
}

/// Why a server could not begin to listen. The message says what to do.
package struct HTTPServerError: Error, Sendable, CustomStringConvertible {
    /// The kind of fault, also fit for a metric's label.
    package enum Code: String, Sendable {
        case addressInvalid, addressInUse, addressRefused, certificate, settings, library
    }

    /// The kind of fault.
    package let code: Code
    /// One sentence for the operator; holds no secret.
    package let message: String

    package var description: String { message }
}
