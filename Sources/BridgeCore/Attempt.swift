// The vocabulary between the core, which decides that a call is made, and the API client, which makes it: plain
// values, no behaviour. The classes are those of the design's table of outcomes.

/// One start call that is to be made now: exactly what the ledger's intent says, nothing the client may change.
package struct StartCall: Sendable, Equatable {
    /// Name of the configured connection.
    package var connection: String
    /// Kore.ai's application id (`st-...`).
    package var streamID: String
    /// Kore.ai's campaign id (`cd-...`).
    package var campaignID: String
    /// The account that the call is made for; it must be the connection's own.
    package var accountID: String
    /// Number of this attempt, from 1.
    package var attempt: Int
    /// The request id as it may stand in logs.
    package var identityLabel: String
    /// The token's `iat`, in seconds since 1970.
    package var issuedAt: Int64
    /// The token's `exp` in seconds since 1970: the very value that the ledger's intent holds.
    package var tokenExpiry: Int64
    /// The token's `jti`, unique to this attempt.
    package var tokenID: String
    /// A W3C trace context to pass on, or nil.
    package var traceparent: String?
    /// The request's first byte leaves before this, or not at all: the end of the token, of the event and of the time for
    /// which the replica may act on the holds it knows. A process may stand still between the order and that byte.
    package var notAfter: Moment

    package init(
        connection: String, streamID: String, campaignID: String, accountID: String, attempt: Int,
        identityLabel: String, issuedAt: Int64, tokenExpiry: Int64, tokenID: String, traceparent: String? = nil,
        notAfter: Moment
    ) {
        self.connection = connection
        self.streamID = streamID
        self.campaignID = campaignID
        self.accountID = accountID
        self.attempt = attempt
        self.identityLabel = identityLabel
        self.issuedAt = issuedAt
        self.tokenExpiry = tokenExpiry
        self.tokenID = tokenID
        self.traceparent = traceparent
        self.notAfter = notAfter
    }
}

/// What an attempt came to. Exactly one of these, and the client can prove which.
package enum AttemptResult: Sendable, Equatable {
    /// The API said that the campaign was started.
    case started(StartAnswer)
    /// Not one byte of the request has left this process. The cause is a label of a bounded set.
    case notSent(cause: String)
    /// The API, or what stands before it, turned the call away without acting on it; it may be tried again.
    case refused(Refusal)
    /// The API turned the call away for good.
    case rejected(Rejection)
    /// The request may have been sent and what became of it cannot be known. The cause is a label of a bounded set;
    /// the status is that of the last final head, where one came.
    case unknown(cause: String, status: Int?)
}

/// What the API said of a started campaign. Every field may be missing: only one of `instanceID`, `status` and
/// `message` had to say that it was started.
package struct StartAnswer: Sendable, Equatable {
    package var instanceID: String?
    package var status: String?
    /// Cleaned of control characters and secrets, and shortened.
    package var message: String?
    package var totalCallsCompleted: Int64?
    /// As the API wrote it, or RFC 3339 in UTC where it wrote a number.
    package var updatedAt: String?

    package init(
        instanceID: String? = nil, status: String? = nil, message: String? = nil,
        totalCallsCompleted: Int64? = nil, updatedAt: String? = nil
    ) {
        self.instanceID = instanceID
        self.status = status
        self.message = message
        self.totalCallsCompleted = totalCallsCompleted
        self.updatedAt = updatedAt
    }
}

/// A call that was turned away without having had an effect.
package struct Refusal: Sendable, Equatable {
    package enum Kind: String, Sendable, Equatable, CaseIterable {
        /// The account's rate limit: pause the account.
        case throttled
        /// 401 or 403. The first one is answered with a new attempt and a fresh token; the core counts them.
        case credentials
        /// 503 with the API's own error as its body.
        case unavailable
        /// A 4xx that the API did not write (a page of HTML): an outage that looks like a rejection.
        case foreignAnswer
    }

    package var kind: Kind
    package var status: Int
    /// How long the answer asks to wait, capped by the client's settings; nil where it does not say or cannot be
    /// read: then the default pause applies, never none.
    package var retryAfter: Duration?
    /// Cleaned of control characters and secrets, and shortened.
    package var message: String

    package init(kind: Kind, status: Int, retryAfter: Duration? = nil, message: String) {
        self.kind = kind
        self.status = status
        self.retryAfter = retryAfter
        self.message = message
    }
}

/// A call that was turned away for good.
package struct Rejection: Sendable, Equatable {
    package var status: Int
    /// Cleaned of control characters and secrets, and shortened.
    package var message: String
    /// The code in the API's own error, as written, where there was one.
    package var apiCode: String?

    package init(status: Int, message: String, apiCode: String? = nil) {
        self.status = status
        self.message = message
        self.apiCode = apiCode
    }
}

/// The result of an attempt with what was measured on the way.
package struct AttemptReport: Sendable, Equatable {
    package var result: AttemptResult
    /// The status of the final head, where one came.
    package var status: Int?
    /// Whether a byte of the request may have left this process. False exactly where the result is `notSent`.
    package var bytesMayHaveLeft: Bool
    /// Milliseconds since 1970 from the answer's `Date`, which counts whole seconds.
    package var serverTime: Int64?
    /// From the call to its end, waiting for a free connection included.
    package var duration: Duration
    /// Whether the answer belonged to another call, so that the client has closed its kept connections to that host.
    package var connectionsMustClose: Bool

    package init(
        result: AttemptResult, status: Int? = nil, bytesMayHaveLeft: Bool, serverTime: Int64? = nil,
        duration: Duration, connectionsMustClose: Bool = false
    ) {
        self.result = result
        self.status = status
        self.bytesMayHaveLeft = bytesMayHaveLeft
        self.serverTime = serverTime
        self.duration = duration
        self.connectionsMustClose = connectionsMustClose
    }
}
