internal import JSON

/// What the ledger says of one event identity: the value under its key.
package struct LedgerEntry: Sendable, Equatable {
    /// 0 for the event as it came; a replay has one more than the dead letter that it answers.
    package var generation: Int32
    /// Offset of the source record that the entry was written for.
    package var sourceOffset: Int64
    /// Hash of stream and campaign; 0 where the record did not name them.
    package var scope: UInt64
    package var state: State
    /// When the entry was made, milliseconds since 1970; written for `started` only.
    package var at: Int64?

    package enum State: Sendable, Equatable {
        /// A call is about to be made, or was. Written and committed before the first byte of it.
        case attempting(Attempt)
        /// That attempt provably did not start the campaign; the event may be tried again.
        case released(attempt: Int32, cause: ReleaseCause)
        /// Final at every generation.
        case started(instanceID: String?)
        /// Final at this generation. The nonce licenses one replay.
        case deadLettered(DeadLetterReason, nonce: UInt64)
    }

    package init(generation: Int32, sourceOffset: Int64, scope: UInt64, state: State, at: Int64? = nil) {
        self.at = at
        self.generation = generation
        self.sourceOffset = sourceOffset
        self.scope = scope
        self.state = state
    }

    var isStarted: Bool { if case .started = state { true } else { false } }

    package var isTerminal: Bool {
        switch state {
        case .attempting, .released: false
        case .started, .deadLettered: true
        }
    }
}

/// One attempt as its intent describes it.
package struct Attempt: Sendable, Hashable {
    /// From 1, counted over the whole generation.
    package var number: Int32
    /// The replica's name and a random part made at its process's start: nobody else's, not even its own successor's.
    package var owner: String
    /// When the intent was written, milliseconds since 1970.
    package var startedAt: Int64
    /// The token's expiry, seconds since 1970: the lease (rule L7).
    package var tokenExpiry: Int64
    /// Counts the intents of its owner. An intent whose transaction was aborted is nowhere in the ledger, so that the
    /// next one has the same number: without this, what is said late of the one would be taken for the other's.
    package var serial: Int64
    /// The campaign's state as it was read before the attempt; nil: it was not.
    package var before: CampaignState?

    package init(
        number: Int32, owner: String, startedAt: Int64, tokenExpiry: Int64, serial: Int64 = 0,
        before: CampaignState? = nil
    ) {
        self.number = number
        self.owner = owner
        self.startedAt = startedAt
        self.tokenExpiry = tokenExpiry
        self.serial = serial
        self.before = before
    }
}

/// Why an attempt was given back.
package enum ReleaseCause: String, Sendable, CaseIterable {
    /// Not one byte of it left the process, or it was never begun.
    case notSent = "not-sent"
    /// The API, or what stands before it, turned it away.
    case refused
    /// 401 or 403; a second one in a row rejects the event.
    case credentials
    /// The campaign's state, read after the lease, shows that nothing was started.
    case readBack = "read-back"
}

/// What a process learned of an attempt after it had lost the partition (rule L3).
package struct LateAnswer: Sendable, Equatable {
    package var identityKey: [UInt8]
    package var generation: Int32
    package var attempt: Int32
    package var owner: String
    /// The attempt's, see there.
    package var serial: Int64
    package var result: KnownResult

    package init(
        identityKey: [UInt8], generation: Int32, attempt: Int32, owner: String, serial: Int64, result: KnownResult
    ) {
        self.identityKey = identityKey
        self.generation = generation
        self.attempt = attempt
        self.owner = owner
        self.serial = serial
        self.result = result
    }
}

/// A result that is worth handing on: everything but "unknown".
package enum KnownResult: Sendable, Equatable {
    case started(StartAnswer)
    case released(ReleaseCause)
    case rejected(Rejection)
}

/// One record of the ledger topic, as it is read.
package enum LedgerRecord: Sendable, Equatable {
    case entry(key: [UInt8], LedgerEntry)
    case late(LateAnswer)
    /// An entry of ours, but not of this version: what it means is not known, so nothing may be called.
    case unreadable(String)
    /// A deletion, a mark of a settling transaction, or bytes that are no entry of ours. They change nothing.
    case other
}

/// The ledger's wire form: small JSON objects with one-letter names, since the whole window is read at take-over.
package enum LedgerWire {
    package static func value(_ entry: LedgerEntry) -> [UInt8] {
        var out = JSONWriter(capacity: 128)
        out.object { out in
            switch entry.state {
            case .attempting(let attempt):
                out.member("k", "attempting")
                out.member("n", attempt.number)
                out.member("by", attempt.owner)
                out.member("at", attempt.startedAt)
                out.member("x", attempt.tokenExpiry)
                out.member("q", attempt.serial)
                if let text = attempt.before?.status { out.member("bs", text) }
                if let text = attempt.before?.marker { out.member("bm", text) }
            case .released(let attempt, let cause):
                out.member("k", "released")
                out.member("n", attempt)
                out.member("c", cause.rawValue)
            case .started(let instanceID):
                out.member("k", "started")
                if let instanceID { out.member("i", instanceID) }
                if let at = entry.at { out.member("t", at) }
            case .deadLettered(let reason, let nonce):
                out.member("k", "deadLettered")
                out.member("r", reason.rawValue)
                out.member("c", Hex.digits(nonce))
            }
            out.member("g", entry.generation)
            out.member("o", entry.sourceOffset)
            out.member("s", Hex.digits(entry.scope))
        }
        return out.bytes
    }

    /// A late answer has a key of its own, so that compaction never puts it in the place of the owner's entry.
    package static func key(_ late: LateAnswer) -> [UInt8] {
        var out = JSONWriter(capacity: 160)
        out.array { out in
            out.string("late")
            out.string(String(decoding: late.identityKey, as: UTF8.self))
            out.int(late.generation)
            out.int(late.attempt)
            out.string(late.owner)
            out.int(late.serial)
        }
        return out.bytes
    }

    package static func value(_ late: LateAnswer) -> [UInt8] {
        var out = JSONWriter(capacity: 256)
        out.object { out in
            out.member("k", "late")
            out.member("of", String(decoding: late.identityKey, as: UTF8.self))
            out.member("g", late.generation)
            out.member("n", late.attempt)
            out.member("by", late.owner)
            out.member("q", late.serial)
            switch late.result {
            case .started(let answer):
                out.member("was", "started")
                if let text = answer.instanceID { out.member("i", text) }
                if let text = answer.status { out.member("status", text) }
                if let text = answer.message { out.member("message", text) }
                if let count = answer.totalCallsCompleted { out.member("calls", count) }
                if let text = answer.updatedAt { out.member("updatedAt", text) }
            case .released(let cause):
                out.member("was", "released")
                out.member("c", cause.rawValue)
            case .rejected(let rejection):
                out.member("was", "rejected")
                out.member("code", rejection.status)
                out.member("message", rejection.message)
                if let text = rejection.apiCode { out.member("api", text) }
            }
        }
        return out.bytes
    }

    package static func read(key: [UInt8]?, value: [UInt8]?) -> LedgerRecord {
        guard let key, let value else { return .other }
        let root: JSONValue
        do { root = try JSONReader.parse(value) } catch { return .other }
        guard let kind = root["k"]?.string, kind != "settled" else { return .other }
        guard let generation = root["g"]?.int64.flatMap(Int32.init(exactly:)) else { return unreadable(kind) }
        if kind == "late" { return late(root, generation: generation) }
        guard let offset = root["o"]?.int64, let scopeText = root["s"]?.string,
            let scope = UInt64(scopeText, radix: 16),
            let state = state(root)
        else { return unreadable(kind) }
        return .entry(
            key: key,
            LedgerEntry(
                generation: generation, sourceOffset: offset, scope: scope, state: state,
                at: root["t"]?.int64.flatMap { times.contains($0) ? $0 : nil }))
    }

    private static func unreadable(_ kind: String) -> LedgerRecord {
        .unreadable("kind \(kind.prefix(32).filter { $0.isASCII && ($0.isLetter || $0.isNumber) })")
    }

    /// The mark that a settling transaction leaves in a partition, the same record each time.
    package static func mark(of producer: String) -> (key: [UInt8], value: [UInt8]) {
        var key = JSONWriter(capacity: 64)
        key.array { out in
            out.string("settled")
            out.string(producer)
        }
        var value = JSONWriter(capacity: 32)
        value.object { $0.member("k", "settled") }
        return (key.bytes, value.bytes)
    }

    /// What an entry of ours can hold: with larger numbers, which anyone may write to the topic, sums would overflow.
    private static let times: ClosedRange<Int64> = 0...1 << 50

    private static func attemptNumber(_ number: Int64) -> Int32? {
        (1...1_000_000).contains(number) ? Int32(number) : nil
    }

    private static func state(_ root: JSONValue) -> LedgerEntry.State? {
        let number = root["n"]?.int64.flatMap(attemptNumber)
        switch root["k"]?.string {
        case "attempting":
            guard let number, let owner = root["by"]?.string, let at = root["at"]?.int64, let expiry = root["x"]?.int64,
                let serial = root["q"]?.int64, times.contains(at), times.contains(expiry)
            else { return nil }
            let before = CampaignState(status: root["bs"]?.string, marker: root["bm"]?.string)
            return .attempting(
                Attempt(
                    number: number, owner: owner, startedAt: at, tokenExpiry: expiry, serial: serial,
                    before: before == CampaignState(status: nil, marker: nil) ? nil : before))
        case "released":
            guard let number, let cause = root["c"]?.string.flatMap(ReleaseCause.init) else { return nil }
            return .released(attempt: number, cause: cause)
        case "started": return .started(instanceID: root["i"]?.string)
        case "deadLettered":
            guard let reason = root["r"]?.string.flatMap(DeadLetterReason.init),
                let nonce = root["c"]?.string.flatMap({ UInt64($0, radix: 16) })
            else { return nil }
            return .deadLettered(reason, nonce: nonce)
        default: return nil
        }
    }

    private static func late(_ root: JSONValue, generation: Int32) -> LedgerRecord {
        guard let of = root["of"]?.string, let number = root["n"]?.int64.flatMap(attemptNumber),
            let owner = root["by"]?.string, let serial = root["q"]?.int64
        else { return unreadable("late") }
        let result: KnownResult
        switch root["was"]?.string {
        case "started":
            result = .started(
                StartAnswer(
                    instanceID: root["i"]?.string, status: root["status"]?.string, message: root["message"]?.string,
                    totalCallsCompleted: root["calls"]?.int64, updatedAt: root["updatedAt"]?.string))
        case "released":
            guard let cause = root["c"]?.string.flatMap(ReleaseCause.init) else { return unreadable("late") }
            result = .released(cause)
        case "rejected":
            result = .rejected(
                Rejection(
                    status: root["code"]?.int64.flatMap(Int.init(exactly:)) ?? 0,
                    message: root["message"]?.string ?? "", apiCode: root["api"]?.string))
        default: return unreadable("late")
        }
        return .late(
            LateAnswer(
                identityKey: Array(of.utf8), generation: generation, attempt: number, owner: owner, serial: serial,
                result: result))
    }
}
