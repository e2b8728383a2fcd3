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
        /// nil: no operator wrote it.
        var answer: Answer?
        /// The time of the event that it is, or that it replays.
        var base: Int64
        /// Moved once more, since the broker has dropped the offsets: nothing is asked of it.
        var isCopy: Bool

        var isForLaterThanItsExpiry: Bool {
            guard case .success(let request) = event.content, let notBefore = request.notBefore else { return false }
            return notBefore >= expiry
        }
    }

    /// An intent as it was written to the ledger.
    struct Intent {
        var transaction: Int
        var place: [Int64]
        var generation: Int32
    }

    /// One campaign that the API has started.
    struct Start {
        var generation: Int32
        var instance: String
        var at: Int64
    }

    private(set) var violations: [String] = []
    let setup: Setup
    /// Instances that the API has started, by identity.
    private(set) var started: [String: [Start]] = [:]
    var rejected: Set<String> = []
    /// Answers 401 or 403 by identity.
    var refusals: [String: Int] = [:]
    private(set) var doubtful: Set<String> = []
    private(set) var intents: [IntentKey: Intent] = [:]
    /// The last attempt of each identity that was committed, and the last late answer.
    private(set) var lastAttempt: [String: Attempt] = [:]
    private var lates: [String: (attempt: Attempt, at: Int64)] = [:]
    /// The last entry that was committed for each record, by partition and offset.
    private var entries: [Int: [(identity: String, place: [Int64], state: LedgerEntry.State)]] = [:]
    private(set) var entered: [[Int64]: LedgerEntry.State] = [:]
    private var identities: [String: Set<String>] = [:]
    private var troubled: Set<String> = []
    private var calls: Set<IntentKey> = []
    private(set) var written: [[Written]]
    /// The API's time when a campaign was last read for an identity.
    var lastReading: [String: Int64] = [:]
    /// When each campaign was started.
    var campaignStarts: [UInt64: [Int64]] = [:]
    /// When each account was called, where its budget is small.
    var callTimes: [Int: [Int64]] = [:]
    /// Holds of which operators were told that they are in force.
    var inForce: Set<HoldScope> = []
    /// Whether a ledger has lost entries to its retention.
    var hasForgotten = false
    /// Findings that were not true, by identity and generation.
    var falseFindings: [String: Set<Int32>] = [:]
    /// Identities of which a late answer in the ledger says that they were started, and who was told so.
    var lateStarts: Set<String> = []
    var toldLateStarts: [String: [Int32: Set<String>]] = [:]
    /// Identities of which the broker has lost entries that it had committed.
    var undone: Set<String> = []
    private var names: [String: String] = [:]

    init(setup: Setup) {
        self.setup = setup
        written = Array(repeating: [], count: setup.partitions)
    }

    mutating func grow() { written.append([]) }

    /// The budget of an account is the whole group's, whoever calls.
    mutating func spent(_ account: Int, _ world: World) {
        guard setup.rate == Setup.smallRate else { return }
        let times = (callTimes[account] ?? []) + [world.now]
        callTimes[account] = times
        if times.count == 20 { world.count(.budgetShared) }
        let lately = times.filter { $0 > world.now - 120_000 }.count
        // What a replica starts with, and what moves with the partitions.
        let most = 2 * setup.rate + 3 * setup.replicas
        if lately > most { violation("P4", "account \(account) was called \(lately) times in two minutes") }
    }

    mutating func violation(_ promise: String, _ text: String) { violations.append("\(promise): \(text)") }

    // MARK: - What happened

    mutating func written(_ event: DecodedRecord, _ answer: Answer?) {
        let identity = event.identity.requestID
        var expiry = (event.record.timestamp ?? 0) + setup.maximumAge
        if case .success(let request) = event.content, let own = request.expiresAt { expiry = min(expiry, own) }
        var base = event.record.timestamp ?? 0
        if let answer {
            let of = answer.isProper ? record(at: answer.of) : nil
            base = of?.base ?? .min
            if answer.isFalse, let replay = event.replay {
                falseFindings[identity, default: []].insert(replay.generation)
            }
        }
        // Moved records become visible when their transaction is decided, not in the order of their places.
        let partition = Int(event.partition)
        let index = written[partition].lastIndex { $0.event.offset < event.offset }.map { $0 + 1 } ?? 0
        let origin = event.record
        let isCopy =
            setup.isRekeyed
            && written[partition].contains {
                $0.event.record.partition == origin.partition && $0.event.record.offset == origin.offset
            }
        written[partition].insert(
            Written(event: event, identity: identity, expiry: expiry, answer: answer, base: base, isCopy: isCopy),
            at: index)
        names[identity] = event.identity.eventID
    }

    /// The broker has dropped a record before anybody could see it.
    mutating func unwritten(_ event: DecodedRecord) {
        written[Int(event.partition)].removeAll { $0.event.offset == event.offset }
    }

    mutating func wrote(_ write: LedgerWrite, transaction: Int, owner: String) {
        let identity = KeyHash(write.key, key: .fixed).hex
        if entries[transaction]?.contains(where: { $0.identity == identity }) == true {
            violation("L4", "one transaction has two entries of \(name(identity)): compaction leaves the later one")
        }
        entries[transaction, default: []].append(
            (identity, [Int64(write.partition), write.entry.sourceOffset], write.entry.state))
        if !hasForgotten, !undone.contains(identity), case .deadLettered(.outcomeUnknown, _) = write.entry.state,
            let late = lates[identity]
        {
            // It was there before the lease had ended, by any clock: the wait must have shown it.
            if late.attempt == lastAttempt[identity],
                late.at < late.attempt.tokenExpiry * 1000 + 10_000 - 2 * Setup.maximumSkew
            {
                violation("P3", "\(name(identity)) is called unknown, though a late answer stands in the ledger")
            }
        }
        guard case .attempting(let attempt) = write.entry.state else { return }
        let place = [Int64(write.partition), write.entry.sourceOffset]
        intents[IntentKey(identity: identity, attempt: attempt)] = Intent(
            transaction: transaction, place: place, generation: write.entry.generation)
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
        if case .started = answer.result { lateStarts.insert(identity) }
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
        if let intent = intents[key] {
            if !world.transactions[intent.transaction].isToCommit {
                violation("P5", "\(text) is called before its commit")
            }
        } else {
            violation("P5", "\(text) is called without an intent")
        }
        if let place = intents[key]?.place, record(at: place)?.event.replay?.finding == .notStarted,
            toldLateStarts[owner]?[Int32(place[0])]?.contains(identity) ?? false
        {
            violation("L3", "\(name(identity)) is tried again, though a late answer says that it was started")
        }
        if !calls.insert(key).inserted { violation("P1", "\(text) is called twice") }
        if order.attempt.owner != owner { violation("P1", "\(text) is another process's") }
        if order.call.tokenExpiry != order.attempt.tokenExpiry {
            violation("P1", "\(text): the token is not the recorded one")
        }
        if let expiry = expiry(of: intents[key]?.place, identity), now.wall >= expiry {
            violation("P6", "\(text) is called \(now.wall - expiry) ms after its expiry")
        }
    }

    func wasCalled(_ key: [UInt8], number: Int32, owner: String) -> Bool {
        let identity = KeyHash(key, key: .fixed).hex
        return calls.contains {
            $0.identity == identity && $0.attempt.number == number && $0.attempt.owner == owner
        }
    }

    /// Where a record may have been removed, a later one of its identity goes on with its attempt.
    private func expiry(of place: [Int64]?, _ identity: String) -> Int64? {
        guard let place, let own = record(at: place) else { return nil }
        guard setup.retentions > 0 else { return own.expiry }
        return written[Int(place[0])].filter { $0.identity == identity }.map(\.expiry).max()
    }

    func record(at place: [Int64]) -> Written? {
        written[Int(place[0])].first { $0.event.offset == place[1] }
    }

    mutating func accepted(_ order: CallOrder, instance: String, at now: Int64) {
        let identity = order.call.identityLabel
        let intent = intents[IntentKey(identity: identity, attempt: order.attempt)]
        let start = Start(generation: intent?.generation ?? 0, instance: instance, at: now)
        let scope = CampaignRequest.scope(streamID: order.call.streamID, campaignID: order.call.campaignID)
        campaignStarts[scope, default: []].append(now)
        let before = started[identity] ?? []
        started[identity, default: []].append(start)
        for old in before where !isExcused(start, of: intent, after: old, identity) {
            violation("P1", "\(name(identity)) was started twice: \(old.instance), \(instance)")
        }
    }

    /// A transaction that holds results is decided: no event may have two of them.
    mutating func committed(_ transaction: Transaction, _ world: World) {
        for (identity, place, state) in entries.removeValue(forKey: transaction.id) ?? [] {
            entered[place] = state
            if case .attempting(let attempt) = state { lastAttempt[identity] = attempt }
        }
        var seen: [[Int64]: Int64] = [:]
        for item in world.results.items {
            guard case .result(let result) = item.content, world.isVisible(item, in: world.results),
                !undone.contains(KeyHash(result.entryKey, key: .fixed).hex)
            else { continue }
            let place = [Int64(result.event.partition), result.event.offset]
            // A record that is read again after the ledger's retention ends again.
            if let first = seen[place], !hasForgotten || item.at < first + setup.retention {
                violation("P2", "two results of \(place[0])@\(place[1])")
            }
            seen[place] = item.at
        }
    }

    func isOversized(_ result: ResultWrite, setup: Setup) -> Bool {
        let place = result.event.offset &* 7919 &+ Int64(result.event.partition) &* 104_729
        let size = Int(place % 1000)
        return result.shortening == .none ? size < setup.oversized : size < setup.oversized / 2
    }

    func name(_ identity: String) -> String { names[identity] ?? identity }
    func name(_ key: [UInt8]) -> String { name(KeyHash(key, key: .fixed).hex) }
}
