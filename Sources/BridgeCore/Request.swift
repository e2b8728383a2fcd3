/// Where a request stands in this process. Goes stale when its partition is lost or taken over anew.
struct RequestRef: Hashable, Sendable {
    var partition: Int32
    var epoch: Int
    var offset: Int64
}

/// One source record on its way to its outcome.
struct Request {
    /// The life of a request. Only `ReplicaMachine` moves it, in the extension named behind each case.
    enum Phase {
        /// Another unfinished record of the same identity leads (L10).
        case follower
        /// In its campaign's lane (Lanes).
        case waiting
        /// Until a time: not before, or between attempts (Lanes).
        case delayed
        /// Its campaign's state is read before the attempt (Readings).
        case reading
        /// Its intent is in the open transaction (Transactions).
        case intending(Attempt)
        /// Its intent is committed, the call not begun (Calls).
        case ready(Attempt)
        /// The call is under way (Calls).
        case calling(Attempt)
        /// A `released` entry waits for its commit, then a further attempt follows after the delay (Transactions).
        case releasing(Attempt, ReleaseCause, delay: Int64)
        /// The attempt may have started the campaign; the lease runs (Doubts).
        case inDoubt(Doubt)
        /// An outcome waits for its commit (Transactions).
        case finishing(Outcome)
    }

    let event: DecodedRecord
    let hash: KeyHash
    let account: Int?
    var scope: UInt64
    /// Hash of the stream, as holds name it.
    let stream: UInt64
    /// Not to be called at or after this time (P6), milliseconds since 1970.
    let expiry: Int64
    let admittedAt: Int64
    var phase: Phase
    /// Number of the last attempt.
    var attempts: Int32 = 0
    /// Attempts in a row that came to nothing.
    var failures = 0
    var credentialRefusals = 0
    /// What was read before the next attempt, where the connection reads back.
    var before: CampaignState?
    /// When that reading ended, monotonic; nil: nothing was read. An attempt since then makes it old.
    var readAt: Int64?
    var foreignAnswers = 0
    /// How much of the record its result leaves out, after the broker would not take it whole.
    var shortening = Shortening.none
    /// Whether its topic has not taken its intent, or even the shortest form of its result.
    var isRefused = false
    var transaction: Int?
    /// Under which key and hash the outcome is written: the record's place, where another event owns the identity.
    var entryKey: [UInt8]
    var entryHash: KeyHash
    /// 0, or a replay's. Of the record's own place: 0.
    var generation: Int32 = 0
}

/// An attempt whose outcome is not known.
struct Doubt {
    enum Step: Equatable {
        /// Until the token cannot be accepted any more and the platform has acted.
        case lease
        /// The ledger's end after the wait is asked for.
        case marking
        case asked
        /// Until the ledger has been read to that end.
        case tailing(mark: Int64)
        /// The campaign's state is read, or will be at the request's timer.
        case reading(since: Int64)
    }

    var attempt: Attempt
    /// Bounded label of what happened, for the dead letter.
    var cause: String
    /// Both must have passed.
    var untilWall: Int64
    var untilMonotonic: Int64
    var step: Step = .lease
}

/// How an event ended.
package enum Outcome: Sendable, Equatable {
    case started(StartAnswer, evidence: Evidence)
    case deadLetter(DeadLetterReason, message: String, nonce: UInt64)

    /// What a started event rests on.
    package enum Evidence: String, Sendable, CaseIterable {
        case answer
        case readBack = "read-back"
        case `operator`
    }
}

/// What a result leaves out of the record so that the topic takes it.
package enum Shortening: Int, Sendable, Comparable {
    case none, withoutValue, withoutHeaders

    package static func < (left: Shortening, right: Shortening) -> Bool { left.rawValue < right.rawValue }

    var next: Shortening { Shortening(rawValue: rawValue + 1) ?? .withoutHeaders }
}
