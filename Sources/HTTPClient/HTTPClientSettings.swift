/// How a client connects, and its bounds. None of it can be set by an event.
package struct HTTPClientSettings: Sendable {
    /// PEM file of the authorities to trust instead of the system's; "" for the system's.
    package var caFile: String
    /// PEM files of a client certificate and its key; "" for none.
    package var clientCertificateFile: String
    package var clientKeyFile: String
    /// `scheme://[user:password@]host:port`, or "" for none. The environment's proxy variables are never read.
    package var proxy: String
    /// Exchanges under way at once, and connections kept. Further ones wait, in order.
    package var maximumConnections: Int
    /// Exchanges that may wait for a connection; further ones are not sent (`overloaded`).
    package var maximumWaiting: Int
    /// Interim (1xx) heads before one final head.
    package var maximumInterimHeads: Int
    /// How long an idle connection may be used again; whole seconds, at least one.
    package var reuseMaximumAge: Duration
    package var userAgent: String

    package init(
        caFile: String = "", clientCertificateFile: String = "", clientKeyFile: String = "", proxy: String = "",
        maximumConnections: Int = 256, maximumWaiting: Int = 16_384, maximumInterimHeads: Int = 16,
        reuseMaximumAge: Duration = .seconds(5), userAgent: String = "campaign-bridge"
    ) {
        self.caFile = caFile
        self.clientCertificateFile = clientCertificateFile
        self.clientKeyFile = clientKeyFile
        self.proxy = proxy
        self.maximumConnections = maximumConnections
        self.maximumWaiting = maximumWaiting
        self.maximumInterimHeads = maximumInterimHeads
        self.reuseMaximumAge = reuseMaximumAge
        self.userAgent = userAgent
    }
}
