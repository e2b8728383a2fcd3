/// How one Kore.ai account is reached. All of it comes from configuration; an event only chooses the connection, by its
/// stream id.
package struct ConnectionSettings: Sendable {
    /// Signature algorithms of a Kore.ai JWT app (source: Kore.ai's page on SDK security).
    package enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case hs512 = "HS512"
        case rs256 = "RS256"
        case rs512 = "RS512"
    }

    package var name: String
    /// `https://host[:port]`, without a path; `http` to a loopback host only.
    package var baseURL: String
    /// The stream ids that it serves; "*" alone serves every one.
    package var streamIDs: [String]
    package var accountID: String
    /// The app's client id: the token's `appId`.
    package var clientID: String
    /// The app's client secret for HS algorithms, a private key in PEM for RS algorithms.
    package var key: String
    package var algorithm: Algorithm
    /// The token's `sub`.
    package var subject: String
    /// The token's `aud`, or nil for none.
    package var audience: String?
    /// The header `iid`, or nil for the stream id.
    package var iid: String?
    package var triggerPrefix: String
    package var readPrefix: String
    /// Of one call, from waiting for a connection to the last byte of the answer.
    package var deadline: Duration
    package var connectTimeout: Duration
    package var maximumBodyBytes: Int
    /// A longer `Retry-After` is cut to this.
    package var maximumRetryAfter: Duration
    /// Whether connections are kept between calls (see `HTTPExchange.reuse`).
    package var reuse: Bool
    package var reuseMaximumAge: Duration
    package var maximumConnections: Int
    /// Entries of one page of the campaign list, and the most pages that are looked through for one campaign.
    package var listPageSize: Int
    package var listPages: Int
    package var proxy: String
    package var caFile: String
    package var clientCertificateFile: String
    package var clientKeyFile: String

    package init(
        name: String, baseURL: String, streamIDs: [String], accountID: String, clientID: String, key: String,
        algorithm: Algorithm = .hs256, subject: String = "campaign-bridge", audience: String? = nil,
        iid: String? = nil, triggerPrefix: String = "/api/v2/public",
        readPrefix: String = "/campaign/api/v2/public", deadline: Duration = .seconds(15),
        connectTimeout: Duration = .seconds(5), maximumBodyBytes: Int = 256 << 10,
        maximumRetryAfter: Duration = .seconds(3600), reuse: Bool = false, reuseMaximumAge: Duration = .seconds(5),
        maximumConnections: Int = 64,
        listPageSize: Int = 50, listPages: Int = 10, proxy: String = "", caFile: String = "",
        clientCertificateFile: String = "", clientKeyFile: String = ""
    ) {
        self.name = name
        self.baseURL = baseURL
        self.streamIDs = streamIDs
        self.accountID = accountID
        self.clientID = clientID
        self.key = key
        self.algorithm = algorithm
        self.subject = subject
        self.audience = audience
        self.iid = iid
        self.triggerPrefix = triggerPrefix
        self.readPrefix = readPrefix
        self.deadline = deadline
        self.connectTimeout = connectTimeout
        self.maximumBodyBytes = maximumBodyBytes
        self.maximumRetryAfter = maximumRetryAfter
        self.reuse = reuse
        self.reuseMaximumAge = reuseMaximumAge
        self.maximumConnections = maximumConnections
        self.listPageSize = listPageSize
        self.listPages = listPages
        self.proxy = proxy
        self.caFile = caFile
        self.clientCertificateFile = clientCertificateFile
        self.clientKeyFile = clientKeyFile
    }
}

/// Bounds that hold for all connections.
package struct CampaignClientSettings: Sendable {
    package var maximumHeadBytes: Int
    /// Calls of one connection that may wait for a free connection.
    package var maximumWaiting: Int
    /// Instance ids remembered for each connection, to know an answer that belongs to another campaign.
    package var rememberedInstances: Int
    package var userAgent: String

    package init(
        maximumHeadBytes: Int = 64 << 10, maximumWaiting: Int = 16_384, rememberedInstances: Int = 16_384,
        userAgent: String = "campaign-bridge"
    ) {
        self.maximumHeadBytes = maximumHeadBytes
        self.maximumWaiting = maximumWaiting
        self.rememberedInstances = rememberedInstances
        self.userAgent = userAgent
    }
}

/// A connection that cannot be used as it is configured. Names the connection and the setting, never a secret.
package struct ConnectionFault: Error, Sendable, Equatable, CustomStringConvertible {
    package var connection: String
    package var text: String

    package var description: String { "connection \(connection): \(text)" }
}
