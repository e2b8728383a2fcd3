// The vocabulary of read-backs between the core, which decides that a campaign is read, and the API client, which reads
// it: plain values, and the one table that says what a read-back proves.

/// One reading of a campaign's state that is to be made now. It may take several requests; it has no effect.
package struct StatusRead: Sendable, Equatable {
    /// Name of the configured connection.
    package var connection: String
    /// Kore.ai's application id (`st-...`).
    package var streamID: String
    /// Kore.ai's campaign id (`cd-...`).
    package var campaignID: String
    /// The account that is read; it must be the connection's own.
    package var accountID: String
    /// The request id as it may stand in logs.
    package var identityLabel: String
    /// The tokens' `iat`, in seconds since 1970.
    package var issuedAt: Int64
    /// The tokens' `exp` in seconds since 1970. No request is begun once it has passed.
    package var tokenExpiry: Int64
    /// The beginning of the tokens' `jti`, unique to this reading: each request gets a token of its own, whose `jti` is
    /// this, a dash and the request's number from 1.
    package var tokenID: String
    /// A W3C trace context to pass on, or nil.
    package var traceparent: String?

    package init(
        connection: String, streamID: String, campaignID: String, accountID: String, identityLabel: String,
        issuedAt: Int64, tokenExpiry: Int64, tokenID: String, traceparent: String? = nil
    ) {
        self.connection = connection
        self.streamID = streamID
        self.campaignID = campaignID
        self.accountID = accountID
        self.identityLabel = identityLabel
        self.issuedAt = issuedAt
        self.tokenExpiry = tokenExpiry
        self.tokenID = tokenID
        self.traceparent = traceparent
    }
}

/// What a campaign was seen to be in: everything that a read-back compares.
package struct CampaignState: Sendable, Hashable {
    /// As the API wrote it; the set of statuses is open. nil where none was seen.
    package var status: String?
    /// The list API's `campaignInstanceUpdatedAt` as written; nil where the campaign's entry has none. When exactly it
    /// moves is not documented: it is compared, not interpreted.
    package var marker: String?

    package init(status: String?, marker: String?) {
        self.status = status
        self.marker = marker
    }
}

/// What a reading came to, with what was measured on the way.
package struct StatusReport: Sendable, Equatable {
    package enum Result: Sendable, Equatable {
        case seen(CampaignState)
        /// Nothing is known, and it may be asked again: connection, TLS, timeout, 401, 429, 5xx. The cause is a label
        /// of a bounded set.
        case noAnswer(cause: String)
        /// An answer came and says nothing usable: the campaign is not there, is not listed, or the answers do not fit
        /// one another. The cause is a label of a bounded set.
        case unusable(cause: String)
    }

    package var result: Result
    /// Milliseconds since 1970 from the answers' `Date`, which counts whole seconds: the earliest of all requests of
    /// the reading. nil where one of them had none.
    package var serverTime: Int64?
    /// How long the answer asks to wait, capped by the client's settings; nil where it does not say or cannot be read.
    package var retryAfter: Duration?
    /// Whether the account's rate limit turned a request away: pause the account.
    package var isThrottled: Bool
    /// Requests that the API may have counted against the account's rate.
    package var requests: Int
    package var duration: Duration

    package init(
        result: Result, serverTime: Int64? = nil, retryAfter: Duration? = nil, isThrottled: Bool = false,
        requests: Int, duration: Duration
    ) {
        self.result = result
        self.serverTime = serverTime
        self.retryAfter = retryAfter
        self.isThrottled = isThrottled
        self.requests = requests
        self.duration = duration
    }
}

/// Whether an API was seen to refuse a token that has expired. The lease of a doubt rests on it.
package enum ExpiredToken: Sendable, Equatable {
    case refused
    case taken
    /// The answer says neither. The cause is a label of a bounded set.
    case unseen(cause: String)
}

/// What a read-back proves about an attempt in doubt: the table of the design's section 4, and the only place where a
/// campaign's state becomes a decision.
package enum ReadBackDecision: Sendable, Equatable {
    /// The attempt started the campaign.
    case started
    /// Provably nothing was started: the attempt may be followed by another one.
    case notStarted
    /// Nothing is decided: read again, for a bounded time.
    case undecided
    /// A person must look. No later reading would decide it.
    case unknown

    /// The statuses from which a start is a plain start. From any other one the campaign may start by itself
    /// (Scheduled, Preparing), or what a start does is not documented (Paused).
    private static let settledStatuses = ["Ready", "Stopped", "Completed"]

    /// - Parameters:
    ///   - before: what was seen before the attempt's call was begun; nil where nothing was.
    ///   - after: the reading after the wait.
    ///   - afterLease: whether that reading's `Date` is past the attempt's token expiry and the clock leeway: before,
    ///     the call could still be accepted.
    ///   - isExclusive: whether nobody but this bridge starts the connection's campaigns, each from one partition.
    ///   - markerWasSeenToMove: whether this bridge has itself seen the marker move after a start on this connection.
    ///   - expiredTokenIsRefused: whether the connection's API was seen to refuse an expired token.
    package static func decide(
        before: CampaignState?, after: StatusReport, afterLease: Bool, isExclusive: Bool, markerWasSeenToMove: Bool,
        expiredTokenIsRefused: Bool
    ) -> ReadBackDecision {
        // Both proofs compare with a state from which a start is a plain start.
        guard let before, let oldStatus = before.status, let oldMarker = before.marker,
            settledStatuses.contains(where: { isSame($0, oldStatus) })
        else { return .unknown }
        let now: CampaignState
        switch after.result {
        case .noAnswer: return .undecided
        case .unusable: return .unknown
        case .seen(let state): now = state
        }
        guard let status = now.status, let marker = now.marker else { return .unknown }
        guard afterLease else { return .undecided }
        if isSame(status, "Active") {
            return hasMoved(from: oldMarker, to: marker) && isExclusive ? .started : .unknown
        }
        let isUnchanged = isSame(status, oldStatus) && isSame(marker, oldMarker)
        return isUnchanged && markerWasSeenToMove && expiredTokenIsRefused ? .notStarted : .unknown
    }

    /// Compared as bytes: Swift's own comparison takes different texts that look alike for the same.
    private static func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    /// Whether the marker is another one. Where both are times, a later one: an older answer shows nothing.
    package static func hasMoved(from old: String, to new: String) -> Bool {
        if let old = RFC3339.parse(old), let new = RFC3339.parse(new) { return new > old }
        return !isSame(old, new)
    }
}
