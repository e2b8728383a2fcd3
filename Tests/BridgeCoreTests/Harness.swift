import Records
import Testing

@testable import BridgeCore

/// Plays the broker, the ledger, the group and the API for one machine, by hand: each test says what happens next.
/// After each step the machine's counters are compared with what they count.
final class Harness {
    var machine: ReplicaMachine
    var now = Moment(wall: 1_760_000_000_000, monotonic: 50_000)
    /// Committed ledger records of each partition, as bytes.
    var ledger: [Int32: [(key: [UInt8], value: [UInt8])]] = [:]
    /// Records of each that retention has removed.
    var ledgerLow: [Int32: Int] = [:]
    var groupOffsets: [Int32: Int64] = [:]
    var sourceLow: [Int32: Int64] = [:]
    var sourceHigh: [Int32: Int64] = [:]
    /// Committed results in their order.
    var results: [ResultWrite] = []
    var started: [TakeOverStep] = []
    var stopped: [Int32] = []
    var notes: [Note] = []
    var lates: [LateWrite] = []
    /// How much of the ledger the machine has been shown.
    private var tailed: [Int32: Int] = [:]
    private var assignments = 0
    static let owner = "replica-0/a1"

    init(
        owner: String = Harness.owner, connections: [CoreSettings.Connection]? = nil, partitions: Int = 1,
        seed: UInt64 = 1, change: (inout CoreSettings) -> Void = { _ in }
    ) {
        let list =
            connections ?? [
                CoreSettings.Connection(
                    name: "main", streams: ["*"], accountID: "acc-1", requestsPerMinute: 0, burst: 1)
            ]
        var settings = CoreSettings(connections: list, sourcePartitions: partitions, owner: owner)
        change(&settings)
        machine = ReplicaMachine(settings: settings, random: SeededRandom(seed: seed))
    }

    /// A replica that owns partition 0 (or those named) and has read an empty ledger, or the one given.
    static func owning(
        _ partitions: [Int32] = [0], ledger: [LedgerSeed] = [], owner: String = Harness.owner,
        connections: [CoreSettings.Connection]? = nil, change: (inout CoreSettings) -> Void = { _ in }
    ) -> Harness {
        let harness = Harness(owner: owner, connections: connections, partitions: partitions.count, change: change)
        for seed in ledger { harness.seed(seed) }
        harness.machine.producerReady(at: harness.now)
        harness.assign(partitions)
        harness.takeOver()
        return harness
    }

    // MARK: - Group and take-over

    @discardableResult
    func assign(_ partitions: [Int32]) -> Int {
        assignments += 1
        machine.assigned(number: assignments, partitions: partitions, at: now)
        check()
        return assignments
    }

    @discardableResult
    func revoke(_ partitions: [Int32], isLost: Bool = false, holdFor: Int64 = 60_000) -> Int {
        assignments += 1
        machine.revoked(
            number: assignments, partitions: partitions, isLost: isLost, deadline: now.monotonic + holdFor, at: now)
        check()
        return assignments
    }

    /// Answers the steps of take-overs until none is left, or until one for which `stopAt` is true comes up.
    func takeOver(stopAt: (TakeOverStep) -> Bool = { _ in false }) {
        while true {
            let steps = machine.takeOverSteps()
            if steps.isEmpty { break }
            for step in steps {
                if stopAt(step) { return }
                answer(step)
            }
        }
        check()
    }

    func answer(_ step: TakeOverStep) {
        switch step {
        case .committedOffset(let partition, let epoch):
            machine.committedOffset(partition: partition, epoch: epoch, offset: groupOffsets[partition])
        case .marks(let partition, let epoch):
            machine.marks(partition: partition, epoch: epoch, marks(of: partition), at: now)
            // Where it is tailed already, the tail goes on.
            tail(partition)
        case .readLedger(let partition, _):
            tailed[partition] = 0
            tail(partition)
        case .readControl(let partition, let epoch):
            machine.controlRead(partition: partition, epoch: epoch, at: now)
        case .start: started.append(step)
        case .stop(let partition):
            stopped.append(partition)
            tailed[partition] = nil
        }
    }

    func marks(of partition: Int32) -> PartitionMarks {
        PartitionMarks(
            ledgerLow: Int64(ledgerLow[partition] ?? 0), ledgerHigh: Int64(ledger[partition]?.count ?? 0),
            sourceLow: sourceLow[partition] ?? 0,
            sourceHigh: sourceHigh[partition] ?? 1_000_000)
    }

    /// To where the machine has read the first partition's ledger.
    var readEnd: Int64 { max(0, machine.partitions[0]?.ledgerEnd ?? 0) }

    /// Shows the machine what it has not seen of the ledger, and its end.
    func tail(_ partition: Int32, andEnd: Bool = true) {
        guard let from = tailed[partition] else { return }
        let records = ledger[partition] ?? []
        for record in records[max(from, ledgerLow[partition] ?? 0)...] {
            machine.ledger(partition: partition, LedgerWire.read(key: record.key, value: record.value), at: now)
        }
        tailed[partition] = records.count
        if andEnd { machine.ledgerEnd(partition: partition, offset: Int64(records.count), at: now) }
        collect()
        check()
    }

    // The machine cannot be copied, and the test macros copy what is called on.

    func mayStillCommit(_ id: Int) -> Bool { machine.mayStillCommit(id) }
    func doubtMarks() -> [(partition: Int32, epoch: Int)] { machine.doubtMarks(at: now) }
    func finishedRevokes() -> [Int] { machine.finishedRevokes(at: now) }
    func flow() -> FlowChange { machine.flow() }
    func wake() -> Int64 { machine.wake(at: now) }
    var isDrained: Bool { machine.isDrained }
    func takeOverSteps() -> [TakeOverStep] { machine.takeOverSteps() }

    // MARK: - Records, transactions, calls

    func admit(_ events: DecodedRecord...) {
        machine.admit(events, partition: events.first?.record.partition ?? 0, at: now)
        collect()
        check()
    }

    /// The next transaction, left open.
    func begin() -> TransactionPlan? {
        let plan = machine.nextTransaction(at: now)
        check()
        return plan
    }

    /// What the broker does with a committed transaction.
    func store(_ plan: TransactionPlan) {
        for write in plan.writes {
            ledger[write.partition, default: []].append((write.key, LedgerWire.value(write.entry)))
            if let result = write.result { results.append(result) }
        }
        for (partition, offset) in plan.offsets { groupOffsets[partition] = offset }
    }

    /// - Parameter isSighted: whether the ledger's tail shows at once what was committed.
    func end(_ plan: TransactionPlan, _ end: TransactionEnd, isSighted: Bool = true) {
        if case .committed = end { store(plan) }
        machine.transactionEnded(plan.id, end, at: now)
        collect()
        check()
        guard isSighted, case .committed = end else { return }
        for partition in Set(plan.writes.map(\.partition)).sorted() { tail(partition) }
    }

    /// One transaction to its commit; nil where nothing is due.
    @discardableResult
    func commit() -> TransactionPlan? {
        guard let plan = begin() else { return nil }
        end(plan, .committed)
        return plan
    }

    /// Transactions until nothing is due.
    func commitAll() {
        var count = 0
        while commit() != nil {
            count += 1
            if count > 1000 {
                Issue.record("transactions without end")
                return
            }
        }
    }

    func calls() -> [CallOrder] {
        let calls = machine.nextCalls(at: now)
        collect()
        check()
        return calls
    }

    /// Admits one event and brings it as far as its call.
    func call(_ event: DecodedRecord) -> CallOrder? {
        admit(event)
        commit()
        return calls().first
    }

    func answer(_ call: CallOrder, _ result: AttemptResult) {
        machine.callEnded(call.hash, call.attempt, Harness.report(result), at: now)
        collect()
        check()
    }

    func reads() -> [ReadOrder] {
        let orders = machine.nextReads(at: now)
        check()
        return orders
    }

    func read(_ order: ReadOrder, _ report: StatusReport, expired: ExpiredToken? = nil) {
        machine.readEnded(order.id, report, expired: expired, at: now)
        collect()
        check()
    }

    static func report(_ result: AttemptResult) -> AttemptReport {
        var isSent = true
        if case .notSent = result { isSent = false }
        return AttemptReport(result: result, bytesMayHaveLeft: isSent, duration: .milliseconds(40))
    }

    /// Both clocks go on.
    func wait(_ milliseconds: Int64) {
        now.wall += milliseconds
        now.monotonic += milliseconds
    }

    func collect() {
        notes += machine.takeNotes()
        lates += machine.lateWrites()
    }

    /// What another replica, or this one through its plain producer, writes into the ledger.
    func write(_ late: LateWrite) {
        ledger[late.partition, default: []].append((LedgerWire.key(late.answer), LedgerWire.value(late.answer)))
    }

    /// Another replica's first attempt of an identity has started "in-9", and the tail shows that.
    func lateStart(of key: [UInt8]) {
        let late = LateAnswer(
            identityKey: key, generation: 0, attempt: 1, owner: "other", serial: 0,
            result: .started(StartAnswer(instanceID: "in-9")))
        write(LateWrite(partition: 0, hash: machine.hash(of: key, in: 0), answer: late))
        tail(0)
    }

    struct LedgerSeed {
        var partition: Int32 = 0
        var record: DecodedRecord
        var state: LedgerEntry.State
    }

    func seed(_ seed: LedgerSeed) {
        var scope: UInt64 = 0
        if case .success(let request) = seed.record.content { scope = request.scope }
        let entry = LedgerEntry(
            generation: 0, sourceOffset: seed.record.record.offset, scope: scope, state: seed.state)
        ledger[seed.partition, default: []].append((seed.record.identity.key, LedgerWire.value(entry)))
    }

    // MARK: - Counters

    /// Each counter against what it counts.
    func check(sourceLocation: SourceLocation = #_sourceLocation) {
        var readyRequests = 0
        var bytes = 0
        var inFlight = Array(repeating: 0, count: machine.lanes.accounts.count)
        var waiting = inFlight
        for partition in machine.partitions.values {
            for request in partition.requests.values {
                bytes += request.event.bytes
                guard let account = request.account else { continue }
                switch request.phase {
                case .ready:
                    readyRequests += 1
                    inFlight[account] += 1
                case .intending: inFlight[account] += 1
                case .waiting: waiting[account] += 1
                default: break
                }
            }
        }
        var underWay = 0
        for hand in machine.inHand.values where hand.report == nil {
            underWay += 1
            inFlight[hand.account] += 1
        }
        for reading in machine.readings.values { inFlight[reading.account] += 1 }
        #expect(machine.callsInFlight == underWay, "callsInFlight", sourceLocation: sourceLocation)
        #expect(machine.readyCount == readyRequests, "readyCount", sourceLocation: sourceLocation)
        #expect(machine.windowBytes == bytes, "windowBytes", sourceLocation: sourceLocation)
        #expect(machine.lanes.accounts.map(\.inFlight) == inFlight, "inFlight", sourceLocation: sourceLocation)
        if machine.partitions.values.allSatisfy({ !$0.isDraining }) {
            #expect(machine.lanes.accounts.map(\.waiting) == waiting, "waiting", sourceLocation: sourceLocation)
        }
    }
}
