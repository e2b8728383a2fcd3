package import HTTPServer

/// An app as the platform knows it: whose tokens are taken, and for what.
package struct SimulatorApp: Sendable {
    /// How the app's tokens are signed; the names are those of RFC 7518.
    package enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case hs512 = "HS512"
        case rs256 = "RS256"
        case rs512 = "RS512"
    }

    /// The app's client id, which a token carries as `appId`; compared exactly.
    package var clientId: String
    /// The shared secret (HS256, HS512), used as its UTF-8 bytes, or the public key in PEM (RS256, RS512).
    package var key: String
    /// The one algorithm that the app's tokens may have.
    package var algorithm: Algorithm
    /// The account that the app belongs to; nil is any.
    package var accountId: String?

    /// An app with its key.
    package init(clientId: String, key: String, algorithm: Algorithm = .hs256, accountId: String? = nil) {
        self.clientId = clientId
        self.key = key
        self.algorithm = algorithm
        self.accountId = accountId
    }
}

/// How long an answer takes, apart from what a fault adds.
package enum SimulatorLatency: Sendable, Equatable {
    case none
    case fixed(Duration)
    case uniform(Duration, Duration)
    /// Points of a distribution, by rising percentile (0 to 100); between two of them it is linear, below the first and
    /// above the last it is that point's.
    case percentiles([(percentile: Double, latency: Duration)])

    package static func == (left: SimulatorLatency, right: SimulatorLatency) -> Bool {
        switch (left, right) {
        case (.none, .none): true
        case (.fixed(let a), .fixed(let b)): a == b
        case (.uniform(let a, let b), .uniform(let c, let d)): a == c && b == d
        case (.percentiles(let a), .percentiles(let b)): a.elementsEqual(b) { $0 == $1 }
        default: false
        }
    }

    /// The latency at a place of the distribution, from 0 up to 1.
    func sample(_ place: Double) -> Duration {
        switch self {
        case .none: return .zero
        case .fixed(let duration): return duration
        case .uniform(let least, let most): return least + (most - least) * place
        case .percentiles(let points):
            guard var below = points.first else { return .zero }
            for point in points {
                if point.percentile >= place * 100 {
                    let width = point.percentile - below.percentile
                    let part = width > 0 ? (place * 100 - below.percentile) / width : 1
                    return below.latency + (point.latency - below.latency) * max(0, min(1, part))
                }
                below = point
            }
            return below.latency
        }
    }
}

/// A campaign that exists from the start.
package struct SimulatorCampaign: Sendable {
    package var campaignId: String
    package var streamId: String
    package var accountId: String
    package var status: String
    package var name: String

    /// A campaign of a stream.
    package init(
        campaignId: String, streamId: String, accountId: String, status: String = "Ready", name: String = "campaign"
    ) {
        self.campaignId = campaignId
        self.streamId = streamId
        self.accountId = accountId
        self.status = status
        self.name = name
    }
}

/// What the simulated platform is like. Everything but `server`, `journalFile`, `journalLimit`, `admin` and `seed` can be
/// changed while it runs.
package struct SimulatorSettings: Sendable {
    /// What `play` does to a campaign that is Active; the documents do not say.
    package enum OnActive: Sendable, Equatable {
        /// It is refused with this status and message.
        case refuse(status: Int, message: String)
        /// A second instance starts.
        case startAnother
    }

    /// Which `Retry-After` goes with a rate-limited answer.
    package enum RetryAfter: Sendable, Equatable {
        case none, seconds, date
        /// This text, whatever it means.
        case text(String)
    }

    /// Where it listens and within which bounds. The default: a free port on loopback, 20 000 connections.
    package var server: HTTPServerSettings
    /// Whether tokens are checked; without, every `auth` header is taken.
    package var checkTokens = true
    /// The apps whose tokens are taken.
    package var apps: [SimulatorApp] = [SimulatorSettings.demoApp]
    /// Whether a token without `jti` is refused.
    package var requireTokenId = false
    /// How far the clocks of client and platform may differ, for `exp` and `iat`.
    package var tokenLeeway: Duration = .zero
    /// How far the platform's clock is ahead of the real one; its `Date` header and its checks use it.
    package var clockOffset: Duration = .zero
    /// Calls per account in any 60 seconds; 0 is no limit.
    package var ratePerMinute = 60
    /// The status of a rate-limited answer.
    package var rateLimitStatus = 429
    /// The `Retry-After` of a rate-limited answer.
    package var retryAfter = RetryAfter.none
    /// How long each call takes.
    package var latency = SimulatorLatency.none
    /// The time from a start until the campaign is Completed; zero is never.
    package var runDuration: Duration = .seconds(60)
    /// The time from a start or stop until reads show it.
    package var readDelay: Duration = .zero
    /// The time from a start or stop until the list's `campaignInstanceUpdatedAt` has moved; at least `readDelay`.
    package var markerDelay: Duration = .zero
    /// Whether reads go on to show the status from before a start or stop.
    package var statusStays = false
    /// Whether the list goes on to show the `campaignInstanceUpdatedAt` from before a start or stop.
    package var markerStays = false
    /// What `play` does to an Active campaign.
    package var onActive = OnActive.refuse(status: 400, message: "Campaign is already active")
    /// Campaigns at once in state Active per account; 0 is no limit (the platform documents 50).
    package var activeLimit = 0
    /// Campaigns that exist from the start.
    package var campaigns: [SimulatorCampaign] = []
    /// Whether any other well-formed campaign id exists too, in state Ready, once it is named.
    package var createCampaigns = true
    /// Deliberate faults; the first rule that applies to a call is used.
    package var faults: [FaultRule] = []
    /// Where to append what was really done, one JSON object a line; nil is nowhere.
    package var journalFile: String?
    /// Entries that the journal keeps in memory; the oldest go first.
    package var journalLimit = 1_000_000
    /// Whether the endpoints under `/simulator` exist.
    package var admin = true
    /// The seed of everything random.
    package var seed: UInt64 = 1

    /// The app that exists by default, with its well-known secret.
    package static let demoApp = SimulatorApp(
        clientId: "cs-00000000-0000-0000-0000-000000000001", key: "simulator-secret")

    /// A platform without faults.
    package init() {
        server = HTTPServerSettings()
        server.connectionLimit = 20_000
        server.backlog = 4096
        // libmicrohttpd clears the memory before each request.
        server.connectionMemoryLimit = 16 << 10
    }
}
