/// Everything that one replica decides. The driver tells it what happened and asks it what to do.
///
/// Facts go in through one method each; decisions come out through `takeOverSteps`, `nextTransaction`, `nextCalls`,
/// `lateWrites`, `doubtMarks`, `flow` and `finishedRevokes`, each with a type of its own. The driver asks after every
/// fact and at `wake`. The path of a record: admit (Admission) -> lane (Lanes) -> intent (Transactions) -> its sighting
/// (Sightings) -> call (Calls) -> outcome (Calls, Doubts) -> transaction (Transactions) -> watermark.
///
/// Where each rule of the ledger stands: L1 `mayStillCommit`; L2 `nextTransaction`; L3 `callEnded`, `handOver`,
/// `lateArrived`; L4, L10 `place`; L5 `restart`, `sighted`; L6 `adopt`; L7 `nextCalls`; L8 `expiry`; L11 `takeOverFailed`.
package struct ReplicaMachine: ~Copyable {
    var settings: CoreSettings
    let retry: RetryPolicy
    private let hashKey: HashKey
    var random: SeededRandom
    var lanes: Lanes
    var partitions: [Int32: Partition] = [:]
    /// Number of the assignment that holds now; nil before the first.
    var assignment: Int?
    /// The broker has called our generation illegal: no transaction until the group has told the news (L1).
    var groupIsStale = false
    var isProducerReady = false
    /// For what the producer before this one may have left open.
    var settleAttempts = SettleAttempts()
    /// Partitions of results that stand behind a transaction which may have been ours.
    var standingResults: [ResultPlace] = []
    var isDraining = false
    var open: OpenTransaction?
    var transactions = 0
    var epochs = 0
    /// Intents of this process so far (see `Attempt.serial`).
    var intentCount: Int64 = 0
    /// Releases and outcomes that wait for a transaction.
    var due = FIFO<RequestRef>()
    /// Requests whose intent is committed.
    var ready = FIFO<RequestRef>()
    var readyCount = 0
    var timers = TimerHeap<RequestRef>()
    /// Intents of this process whose call has not begun: only these may be called when the ledger shows them (L6).
    var uncalled: [KeyHash: Uncalled] = [:]
    /// Calls under way, and answers whose outcome the ledger's tail has not shown (L5).
    var inHand: [KeyHash: InHand] = [:]
    var callsInFlight = 0
    var revokes: [HeldRevoke] = []
    var windowBytes = 0
    var sweptAt: Int64 = 0
    var sightedAt: Int64 = 0
    var entriesCountedAt: Int64 = 0
    var steps: [TakeOverStep] = []
    var lates: [LateWrite] = []
    /// Late answers that are not known to be written. A process that gets their partition back, after an outage of the
    /// brokers say, needs no ledger to know them.
    var unwritten: [KeyHash: LateAnswer] = [:]
    var notes: [Note] = []
    var holding = Holding()
    /// Readings under way by their number.
    var readings: [Int: ReadingInHand] = [:]
    var readingCount = 0
    var readOrders: [ReadOrder] = []
    /// What is known of each connection, by its number.
    var knowledge: [ConnectionKnowledge]
    /// When each campaign was last started, where there is a cool-down.
    var lastStarts: [UInt64: Int64] = [:]
    /// When the last intent for each campaign was committed, monotonic, where its connection reads back.
    var lastAttempts: [UInt64: Int64] = [:]

    struct OpenTransaction {
        var plan: TransactionPlan
        var epochs: [Int32: Int]
        /// Its writes by the hash of their key.
        var places: [KeyHash: Int]
        /// Its writes that the ledger's tail has shown, so that they are not lost with an unknown commit (L5).
        var seen: Set<Int> = []
    }

    struct Uncalled {
        var partition: Int32
        var identityKey: [UInt8]
        var generation: Int32
        var attempt: Attempt
    }

    struct InHand {
        var ref: RequestRef
        var identityKey: [UInt8]
        var attempt: Attempt
        var generation: Int32
        var account: Int
        var scope: UInt64
        /// nil while the call is under way.
        var report: AttemptReport?
    }

    struct HeldRevoke {
        var number: Int
        var partitions: [Int32]
        var deadline: Int64
    }

    package init(settings: CoreSettings, random: SeededRandom) {
        self.settings = settings
        self.random = random
        hashKey = HashKey(first: self.random.next(), second: self.random.next())
        retry = RetryPolicy(
            initial: settings.retryInitial, maximum: settings.retryMaximum,
            jitterPercent: settings.retryJitterPercent)
        lanes = Lanes(settings: settings)
        knowledge = Array(repeating: ConnectionKnowledge(), count: settings.connections.count)
    }

    /// By what an identity, or an entry's key, of a partition is known in this process.
    package func hash(of key: [UInt8], in partition: Int32) -> KeyHash {
        KeyHash(key, key: hashKey.of(partition: partition))
    }

    // MARK: - What the driver asks for

    package mutating func takeOverSteps() -> [TakeOverStep] {
        defer { steps.removeAll(keepingCapacity: true) }
        return steps
    }

    /// What has happened since the last time, for logs and metrics.
    package mutating func takeNotes() -> [Note] {
        defer { notes.removeAll(keepingCapacity: true) }
        return notes
    }

    /// Late answers to write. The driver keeps trying each until it is written.
    package mutating func lateWrites() -> [LateWrite] {
        defer { lates.removeAll() }
        return lates
    }

    /// This process, as the ledger and the control topic name it.
    package var owner: String { settings.owner }

    /// When something will be due by time alone, on the monotonic clock.
    package func wake(at now: Moment) -> Int64 {
        var times = [now.monotonic + 1000]
        if let time = timers.next { times.append(time) }
        if let time = nextConfirmation { times.append(time) }
        if !isDraining, let time = lanes.wake(at: now.monotonic) { times.append(time) }
        times += revokes.map(\.deadline)
        return max(now.monotonic, times.min() ?? now.monotonic)
    }

    /// Partitions to hold back since their window is full, and those with room again.
    package mutating func flow() -> FlowChange {
        var change = FlowChange()
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned else { continue }
            let isFull =
                partition.requests.count >= settings.windowRecords || windowBytes >= settings.windowBytes
                || partition.order.count >= settings.windowRecords * 4
            let hasRoom =
                partition.requests.count * 2 <= settings.windowRecords
                && partition.order.count <= settings.windowRecords * 2
                && (windowBytes * 2 <= settings.windowBytes || partition.requests.isEmpty)
            if !partition.isPaused && isFull {
                partitions[number]?.isPaused = true
                change.pause.append(number)
            } else if partition.isPaused && hasRoom {
                partitions[number]?.isPaused = false
                change.resume.append(number)
            }
        }
        return change
    }

    // MARK: - Helpers of all extensions

    /// The partitions in an order that does not depend on the process, so that a history can be told again (as every
    /// loop over a dictionary whose order could reach a decision).
    var numbers: [Int32] { partitions.keys.sorted() }

    func request(_ ref: RequestRef) -> Request? {
        guard let partition = partitions[ref.partition], partition.epoch == ref.epoch else { return nil }
        return partition.requests[ref.offset]
    }

    mutating func setPhase(_ ref: RequestRef, _ phase: Request.Phase) {
        partitions[ref.partition]?.requests[ref.offset]?.phase = phase
    }

    func note(_ request: Request) -> EventNote {
        EventNote(
            requestID: request.event.identity.requestID, partition: request.event.partition,
            offset: request.event.offset, connection: request.account)
    }

    /// The source has so many partitions now.
    package mutating func sourcePartitions(_ count: Int, at now: Moment) {
        guard count != settings.sourcePartitions else { return }
        settings.sourcePartitions = count
        if settings.settledPartitions > 0 { settings.settledPartitions = Int32(clamping: count) }
        shareBudgets(at: now)
    }

    mutating func shareBudgets(at now: Moment) {
        var share = Double(partitions.count) / Double(max(1, settings.sourcePartitions))
        if isBroken(.budgetIsNotShared) { share = 1 }
        for account in lanes.accounts.indices {
            lanes.accounts[account].budget.setShare(min(1, share), at: now.monotonic)
        }
    }

    /// Brings a request to its end: its outcome goes into the next transaction.
    mutating func finish(_ ref: RequestRef, _ outcome: Outcome) {
        setPhase(ref, .finishing(outcome))
        due.append(ref)
    }

    mutating func deadLetter(_ ref: RequestRef, _ reason: DeadLetterReason, _ message: String) {
        finish(ref, .deadLetter(reason, message: message, nonce: random.next()))
    }
}
