internal import BridgeCore

/// What the world saw, and whether the promises were kept. It knows what only the world can know: what the API has
/// accepted, what was committed when, where an outcome could really not be known.
struct Judge {
    struct IntentKey: Hashable {
        var identity: String
        var attempt: Attempt
    }

    struct Written {
        var event: DecodedRecord
        var identity: String
        /// Of the record: the earlier of its own and its time + maximum age.
        var expiry: Int64
    }

    private(set) var violations: [String] = []
    let setup: Setup
    /// Instances that the API has started, by identity.
    private(set) var started: [String: [String]] = [:]
    var rejected: Set<String> = []
    /// Answers 401 or 403 by identity.
    var refusals: [String: Int] = [:]
    private(set) var doubtful: Set<String> = []
    private var intents: [IntentKey: Int] = [:]
    /// The last attempt of each identity that was committed, and the last late answer.
    private var lastAttempt: [String: Attempt] = [:]
    private var lates: [String: (attempt: Attempt, at: Int64)] = [:]
    /// The last entry that was committed for each record, by partition and offset.
    private var entries: [Int: [(identity: String, place: [Int64], state: LedgerEntry.State)]] = [:]
    private(set) var entered: [[Int64]: LedgerEntry.State] = [:]
    private var identities: [String: Set<String>] = [:]
    private var troubled: Set<String> = []
    private var calls: Set<IntentKey> = []
    private(set) var written: [[Written]]
    private var expiries: [String: Int64] = [:]
    private var names: [String: String] = [:]

    init(setup: Setup) {
        self.setup = setup
        written = Array(repeating: [], count: setup.partitions)
    }

    mutating func violation(_ promise: String, _ text: String) { violations.append("\(promise): \(text)") }

    // MARK: - What happened

    mutating func written(_ event: DecodedRecord) {
        let identity = event.identity.requestID
        var expiry = (event.record.timestamp ?? 0) + setup.maximumAge
        if case .success(let request) = event.content, let own = request.expiresAt { expiry = min(expiry, own) }
        let record = Written(event: event, identity: identity, expiry: expiry)
        written[Int(event.record.partition)].append(record)
        // The first record of an identity leads; where it may have been removed, a later one.
        expiries[identity] = setup.retentions == 0 ? expiries[identity] ?? expiry : max(expiries[identity] ?? 0, expiry)
        names[identity] = event.identity.eventID
    }

    mutating func wrote(_ write: LedgerWrite, transaction: Int, owner: String) {
        let identity = KeyHash(write.key, key: .fixed).hex
        entries[transaction, default: []].append(
            (identity, [Int64(write.partition), write.entry.sourceOffset], write.entry.state))
        if case .deadLettered(.outcomeUnknown, _) = write.entry.state, let late = lates[identity] {
            // It was there before the lease had ended, by any clock: the wait must have shown it.
            if late.attempt == lastAttempt[identity],
                late.at < late.attempt.tokenExpiry * 1000 + 10_000 - 2 * Setup.maximumSkew
            {
                violation("P3", "\(name(identity)) is called unknown, though a late answer stands in the ledger")
            }
        }
        guard case .attempting(let attempt) = write.entry.state else { return }
        intents[IntentKey(identity: identity, attempt: attempt)] = transaction
        identities[owner, default: []].insert(identity)
        if troubled.contains(owner) { doubtful.insert(identity) }
    }

    /// A late answer has reached the ledger.
    mutating func late(_ answer: LateAnswer, at now: Int64) {
        let identity = KeyHash(answer.identityKey, key: .fixed).hex
        let fitting = intents.keys.first {
            $0.identity == identity && $0.attempt.number == answer.attempt && $0.attempt.owner == answer.owner
                && $0.attempt.serial == answer.serial
        }
        if let fitting { lates[identity] = (fitting.attempt, now) }
    }

    /// From here on the outcome of what this process has under way may really be unknown.
    mutating func ambiguous(owner: String) {
        troubled.insert(owner)
        doubtful.formUnion(identities[owner] ?? [])
    }

    mutating func ambiguous(_ identity: String) { doubtful.insert(identity) }
    mutating func ambiguous(key: [UInt8]) { doubtful.insert(KeyHash(key, key: .fixed).hex) }

    mutating func called(_ order: CallOrder, by owner: String, at now: Moment, _ world: World) {
        let identity = order.call.identityLabel
        let key = IntentKey(identity: identity, attempt: order.attempt)
        let text = "\(name(identity)), attempt \(order.attempt.number)"
        if let transaction = intents[key] {
            if !world.transactions[transaction].isToCommit { violation("P5", "\(text) is called before its commit") }
        } else {
            violation("P5", "\(text) is called without an intent")
        }
        if !calls.insert(key).inserted { violation("P1", "\(text) is called twice") }
        if order.attempt.owner != owner { violation("P1", "\(text) is another process's") }
        if order.call.tokenExpiry != order.attempt.tokenExpiry {
            violation("P1", "\(text): the token is not the recorded one")
        }
        if let expiry = expiries[identity], now.wall >= expiry {
            violation("P6", "\(text) is called \(now.wall - expiry) ms after its expiry")
        }
    }

    func wasCalled(_ key: [UInt8], number: Int32, owner: String) -> Bool {
        let identity = KeyHash(key, key: .fixed).hex
        return calls.contains {
            $0.identity == identity && $0.attempt.number == number && $0.attempt.owner == owner
        }
    }

    mutating func accepted(_ call: StartCall, instance: String) {
        started[call.identityLabel, default: []].append(instance)
        if let all = started[call.identityLabel], all.count > 1 {
            violation("P1", "\(name(call.identityLabel)) was started \(all.count) times: \(all)")
        }
    }

    /// A transaction that holds results is decided: no event may have two of them.
    mutating func committed(_ transaction: Transaction, _ world: World) {
        for (identity, place, state) in entries.removeValue(forKey: transaction.id) ?? [] {
            entered[place] = state
            if case .attempting(let attempt) = state { lastAttempt[identity] = attempt }
        }
        var seen: Set<[Int64]> = []
        for item in world.results.items {
            guard case .result(let result) = item.content, world.isVisible(item) else { continue }
            let place = [Int64(result.event.record.partition), result.event.record.offset]
            if !seen.insert(place).inserted { violation("P2", "two results of \(place[0])@\(place[1])") }
        }
    }

    func isOversized(_ result: ResultWrite, setup: Setup) -> Bool {
        let place = result.event.record.offset &* 7919 &+ Int64(result.event.record.partition) &* 104_729
        let size = Int(place % 1000)
        return result.shortening == .none ? size < setup.oversized : size < setup.oversized / 2
    }

    func name(_ identity: String) -> String { names[identity] ?? identity }
    func name(_ key: [UInt8]) -> String { name(KeyHash(key, key: .fixed).hex) }
}
