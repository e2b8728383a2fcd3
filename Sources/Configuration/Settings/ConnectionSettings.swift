// Imports nothing.

/// How tokens are signed: HS with the client secret, RS with a private key.
package enum TokenAlgorithm: String, Sendable, CaseIterable {
    case hs256 = "HS256"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs512 = "RS512"

    package var usesPrivateKey: Bool { self == .rs256 || self == .rs512 }
}

/// Keys `connections.<name>.*`: one account's application on the platform, and how it is called.
package struct ConnectionSettings: SettingsRoot, Equatable {
    package var name = ""
    package var baseURL = ""
    package var streams: [String] = []
    package var accountId = ""
    package var clientId = ""
    package var clientSecret: Secret?
    package var algorithm: TokenAlgorithm = .hs256
    /// The PEM text.
    package var privateKey: Secret?
    package var subject = "campaign-bridge"
    /// nil: the stream id.
    package var iid: String?
    package var triggerPath = "/api"
    package var readPath = "/campaign/api"
    package var deadline: Duration = .seconds(20)
    package var connectTimeout: Duration = .seconds(5)
    package var tokenMargin: Duration = .seconds(20)
    package var doubtGrace: Duration = .seconds(10)
    package var clockLeeway: Duration = .seconds(5)
    /// 0: unlimited.
    package var requestsPerMinute = 60
    package var burst = 1
    package var maximumInFlight = 64
    package var reuseConnections = false
    package var reuseMaximumAge: Duration = .seconds(5)
    package var proxy: String?
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?
    package var isExclusive = false
    package var readBack = false
    package var listPageSize = 50
    package var listPages = 10
    package var maximumAnswerBytes = 1 << 20
    package var throttlePause: Duration = .seconds(60)
    package var retryAfterMaximum: Duration = .minutes(15)

    package init() {}
}
