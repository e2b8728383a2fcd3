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
    private let setup: Setup
    /// Instances that the API has started, by identity.
    private var started: [String: [String]] = [:]
    var rejected: Set<String> = []
    /// Answers 401 or 403 by identity.
    var refusals: [String: Int] = [:]
    private var doubtful: Set<String> = []
    private var intents: [IntentKey: Int] = [:]
    private var identities: [String: Set<String>] = [:]
    private var troubled: Set<String> = []
    private var calls: Set<IntentKey> = []
    private(set) var written: [[Written]]
    private var first: [String: Written] = [:]
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
        if first[identity] == nil { first[identity] = record }
        names[identity] = event.identity.eventID
    }

    mutating func wrote(_ write: LedgerWrite, transaction: Int, owner: String) {
        guard case .attempting(let attempt) = write.entry.state else { return }
        let identity = KeyHash(write.key, key: .fixed).hex
        intents[IntentKey(identity: identity, attempt: attempt)] = transaction
        identities[owner, default: []].insert(identity)
        if troubled.contains(owner) { doubtful.insert(identity) }
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
        if let record = first[identity], now.wall >= record.expiry {
            violation("P6", "\(text) is called \(now.wall - record.expiry) ms after its expiry")
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

    // MARK: - The end

    private func results(_ world: World) -> [[Int64]: [ResultWrite]] {
        var found: [[Int64]: [ResultWrite]] = [:]
        for item in world.results.items {
            guard case .result(let result) = item.content, world.isVisible(item) else { continue }
            found[[Int64(result.event.record.partition), result.event.record.offset], default: []].append(result)
        }
        return found
    }

    /// Whether every identity's first record has its result.
    func hasAllOutcomes(_ world: World) -> Bool {
        let found = results(world)
        for partition in written.indices where partition < world.ledger.count {
            var seen: Set<String> = []
            for record in written[partition] where seen.insert(record.identity).inserted {
                if found[[Int64(partition), record.event.record.offset]] == nil { return false }
            }
        }
        return true
    }

    mutating func close(_ world: World) {
        let found = results(world)
        for partition in written.indices where partition < world.ledger.count {
            if let committed = world.group.committed[Int32(partition)] ?? (world.source[partition].high == 0 ? 0 : nil)
            {
                if committed != world.source[partition].high {
                    violation("P2", "partition \(partition) stands at \(committed) of \(world.source[partition].high)")
                }
            } else {
                violation("P2", "partition \(partition) has no committed offset")
            }
            var leaders: [String: Written] = [:]
            for record in written[partition] {
                let results = found[[Int64(partition), record.event.record.offset]] ?? []
                let text = "\(name(record.identity)) at \(partition)@\(record.event.record.offset)"
                if let leader = leaders[record.identity] {
                    closeLater(record, leader, results, text)
                } else {
                    leaders[record.identity] = record
                    if let result = results.first {
                        closeFirst(record, result, text, world)
                    } else {
                        violation("P2", "\(text) has no outcome")
                    }
                }
            }
        }
    }

    /// A record whose identity was there before: suppressed, or a conflict.
    private mutating func closeLater(_ record: Written, _ leader: Written, _ results: [ResultWrite], _ text: String) {
        if scope(record) == scope(leader) {
            if !results.isEmpty { violation("P2", "the repeat \(text) has a result") }
            return
        }
        guard case .deadLetter(let reason, _, _)? = results.first?.outcome else {
            violation("P2", "\(text) names another campaign and has no dead letter")
            return
        }
        if case .failure(let fault) = record.event.content {
            if reason != fault.reason { violation("P2", "\(text) ended as \(reason), not \(fault.reason)") }
        } else if reason != .identityConflict {
            violation("P2", "\(text) ended as \(reason), not as a conflict")
        }
    }

    private func scope(_ record: Written) -> UInt64 {
        if case .success(let request) = record.event.content { return request.scope }
        return 0
    }

    private mutating func closeFirst(_ record: Written, _ result: ResultWrite, _ text: String, _ world: World) {
        let instances = started[record.identity] ?? []
        switch result.outcome {
        case .started(let answer, _):
            if instances.isEmpty || answer.instanceID != instances[0] {
                violation("P3", "\(text) is told as started, instance \(answer.instanceID ?? "-"), API: \(instances)")
            }
        case .deadLetter(let reason, _, _):
            if reason.isSafeToReplay && !instances.isEmpty {
                violation("P1", "\(text) was started and its dead letter (\(reason)) offers a replay")
            }
            if let fault = unjustified(reason, record, world) { violation(fault, "\(text) ended as \(reason)") }
        }
    }

    /// Which promise a dead letter breaks that nothing in the world justifies.
    private func unjustified(_ reason: DeadLetterReason, _ record: Written, _ world: World) -> String? {
        switch reason {
        case .outcomeUnknown: doubtful.contains(record.identity) ? nil : "P3"
        case .expired: world.now + Setup.maximumSkew >= record.expiry ? nil : "P4"
        case .rejected:
            rejected.contains(record.identity) || refusals[record.identity, default: 0] > 0 || world.hasSeenForeign
                ? nil : "P4"
        case .unusableTime: (record.event.record.timestamp ?? -1) < 0 ? nil : "P4"
        case .unknownStream, .accountMismatch: setup.isPlain(record.event) ? "P4" : nil
        case .identityConflict: "P2"
        default:
            if case .failure(let fault) = record.event.content, fault.reason == reason { nil } else { "P4" }
        }
    }
}

extension Setup {
    /// Whether an event names a stream that is configured, and no foreign account.
    func isPlain(_ event: DecodedRecord) -> Bool {
        guard case .success(let request) = event.content else { return false }
        return ["st-one", "st-two"].contains(request.streamID) && request.accountID == nil
    }
}

extension World {
    var hasSeenForeign: Bool { coverage[.foreignAnswer] >= 2 }
}
