package import BridgeCore
internal import Kafka
internal import Records

/// What the engine asks its drivers to do, in order.
enum DriverCommand: Sendable {
    case step(TakeOverStep)
    /// Deliver the source partition's records from this offset on.
    case start(partition: Int32, offset: Int64, number: Int)
    case pause([Int32])
    case resume([Int32])
    case finishRevoke(Int)
    /// Ask for the ledger partition's end, for a doubt.
    case doubtMark(partition: Int32, epoch: Int)
}

/// Holds the replica's machine: drivers bring facts, and after each fact everything that the machine decided goes to
/// the drivers' streams. The streams are bounded by the machine's own bounds: one transaction, `maximumReady` calls,
/// a few commands a partition.
package actor Engine {
    private var machine: ReplicaMachine
    private let clock: @Sendable () -> Moment
    private let observer: @Sendable ([Note]) -> Void
    private var groups: [Int: GroupMetadata] = [:]
    /// The control topic has been read to here; -1: nothing of it yet.
    private(set) var controlEnd: Int64 = -1
    private var controlWaits: [(partition: Int32, epoch: Int, high: Int64)] = []
    private var latesPending = 0
    /// Starts of source partitions that are not in force yet: what comes before was fetched for an earlier start, and
    /// taking it would skip the records in between.
    private var starting: [Int32: Int] = [:]
    private var starts = 0
    private let revokeDeadline: Int64
    private(set) var tickedAt: Int64

    nonisolated let commands: AsyncStream<DriverCommand>
    nonisolated let transactions: AsyncStream<TransactionPlan>
    nonisolated let calls: AsyncStream<CallOrder>
    nonisolated let lates: AsyncStream<LateWrite>
    nonisolated let leases: AsyncStream<LeaseWrite>
    nonisolated let reads: AsyncStream<ReadOrder>
    private let commandSink: AsyncStream<DriverCommand>.Continuation
    private let transactionSink: AsyncStream<TransactionPlan>.Continuation
    private let callSink: AsyncStream<CallOrder>.Continuation
    private let lateSink: AsyncStream<LateWrite>.Continuation
    private let leaseSink: AsyncStream<LeaseWrite>.Continuation
    private let readSink: AsyncStream<ReadOrder>.Continuation

    /// - Parameters:
    ///   - revokeDeadline: how long a revoke is held at most, milliseconds.
    ///   - observer: gets what happened, for logs and metrics; it must be quick.
    package init(
        settings: CoreSettings, seed: UInt64, revokeDeadline: Int64, clock: @escaping @Sendable () -> Moment,
        observer: @escaping @Sendable ([Note]) -> Void
    ) {
        machine = ReplicaMachine(settings: settings, random: SeededRandom(seed: seed))
        self.revokeDeadline = revokeDeadline
        self.clock = clock
        self.observer = observer
        tickedAt = clock().monotonic
        (commands, commandSink) = AsyncStream.makeStream()
        (transactions, transactionSink) = AsyncStream.makeStream()
        (calls, callSink) = AsyncStream.makeStream()
        (lates, lateSink) = AsyncStream.makeStream()
        (leases, leaseSink) = AsyncStream.makeStream()
        (reads, readSink) = AsyncStream.makeStream()
    }

    // MARK: - Facts

    func assigned(number: Int, partitions: [Int32], group: GroupMetadata?) {
        groups = group.map { [number: $0] } ?? [:]
        machine.assigned(number: number, partitions: partitions, at: clock())
        pump()
    }

    func revoked(number: Int, partitions: [Int32], isLost: Bool) {
        let now = clock()
        machine.revoked(
            number: number, partitions: partitions, isLost: isLost, deadline: now.monotonic + revokeDeadline, at: now)
        pump()
    }

    func resultsStand(_ places: [ResultPlace]) {
        machine.resultsStand(places)
        pump()
    }

    func sourcePartitions(_ count: Int) {
        machine.sourcePartitions(count, at: clock())
        pump()
    }

    func sourceBroken(partition: Int32) {
        machine.sourceBroken(partition: partition, at: clock())
        pump()
    }

    func ledgerBroken(partition: Int32, needed: Int64) {
        machine.ledgerBroken(partition: partition, needed: needed, at: clock())
        pump()
    }

    func producerReady(heldResults: [ResultPlace]) {
        machine.resultsStand(heldResults)
        machine.producerReady(at: clock())
        pump()
    }

    func committedOffset(partition: Int32, epoch: Int, offset: Int64?, ledgerEnd: Int64?) {
        machine.committedOffset(partition: partition, epoch: epoch, offset: offset, ledgerEnd: ledgerEnd)
        pump()
    }

    func marks(partition: Int32, epoch: Int, _ marks: PartitionMarks) {
        machine.marks(partition: partition, epoch: epoch, marks, at: clock())
        pump()
    }

    func takeOverFailed(partition: Int32, epoch: Int, _ text: String) {
        machine.takeOverFailed(partition: partition, epoch: epoch, text)
        pump()
    }

    func takeOverAgain(partition: Int32, epoch: Int) {
        machine.takeOverAgain(partition: partition, epoch: epoch, at: clock())
        pump()
    }

    func isBlocked(partition: Int32, epoch: Int) -> Bool { machine.isBlocked(partition: partition, epoch: epoch) }

    /// - Parameter end: the offset behind the last record. While there is always something new, the library tells no end
    ///   of partition.
    func ledger(partition: Int32, _ records: [LedgerRecord], end: Int64) {
        let now = clock()
        for record in records { machine.ledger(partition: partition, record, at: now) }
        machine.ledgerEnd(partition: partition, offset: end, at: now)
        pump()
    }

    func ledgerEnd(partition: Int32, offset: Int64) {
        machine.ledgerEnd(partition: partition, offset: offset, at: clock())
        pump()
    }

    /// The control topic's end as it was when a take-over asked; the partition goes on once it has been read so far.
    func controlMark(partition: Int32, epoch: Int, high: Int64) {
        controlWaits.append((partition, epoch, high))
        controlReadTo(controlEnd)
    }

    func control(_ records: [Record]) {
        let now = clock()
        for record in records { machine.control(record, at: now) }
        // As `ledger`; it pumps.
        controlReadTo(records.last.map { $0.offset + 1 } ?? controlEnd)
    }

    func leaseWritten(_ isWritten: Bool) {
        machine.leaseWritten(isWritten, at: clock())
        pump()
    }

    func controlReadTo(_ offset: Int64) {
        controlEnd = max(controlEnd, offset)
        let now = clock()
        if offset >= 0 { machine.controlEnd(offset) }
        for wait in controlWaits where wait.high <= controlEnd || wait.high == 0 {
            machine.controlRead(partition: wait.partition, epoch: wait.epoch, at: now)
        }
        controlWaits.removeAll { $0.high <= controlEnd || $0.high == 0 }
        pump()
    }

    func sourceStarted(partition: Int32, number: Int) {
        if starting[partition] == number { starting[partition] = nil }
    }

    func admit(_ events: [DecodedRecord], partition: Int32) {
        guard starting[partition] == nil else { return }
        machine.admit(events, partition: partition, at: clock())
        pump()
    }

    func sourceEnd(partition: Int32, offset: Int64) {
        guard starting[partition] == nil else { return }
        machine.sourceEnd(partition: partition, offset: offset, at: clock())
        pump()
    }

    /// L1: asked between the flush and the sending of the offsets.
    func mayStillCommit(_ id: Int) -> Bool { machine.mayStillCommit(id) }

    /// The group metadata of the assignment that a transaction is bound to; nil: it holds no more.
    func group(ofAssignment number: Int) -> GroupMetadata? { groups[number] }

    func transactionEnded(_ id: Int, _ end: TransactionEnd) {
        machine.transactionEnded(id, end, at: clock())
        pump()
    }

    func callEnded(_ order: CallOrder, _ report: AttemptReport) {
        machine.callEnded(order.hash, order.attempt, report, at: clock())
        pump()
    }

    func readEnded(_ order: ReadOrder, _ report: StatusReport, expired: ExpiredToken?) {
        machine.readEnded(order.id, report, expired: expired, at: clock())
        pump()
    }

    func doubtMark(partition: Int32, epoch: Int, high: Int64?) {
        machine.doubtMark(partition: partition, epoch: epoch, high: high, at: clock())
        pump()
    }

    func lateWritten(_ late: LateWrite) {
        latesPending -= 1
        machine.lateWritten(late)
    }

    // MARK: - Time and end

    /// Lets what is due by time happen. Returns how long the driver may wait until the next tick, milliseconds.
    func tick() -> Int64 {
        let now = clock()
        tickedAt = now.monotonic
        pump()
        return machine.wake(at: now) - now.monotonic
    }

    /// Every partition counts as lost: answers are handed over as they come, and nothing begins any more.
    func abandon() {
        let now = clock()
        machine.revoked(
            number: .max, partitions: machine.snapshot(at: now).partitions.map(\.partition), isLost: true,
            deadline: now.monotonic, at: now)
        machine.beginDrain()
        pump()
    }

    func beginDrain() {
        machine.beginDrain()
        pump()
    }

    var isDrained: Bool { machine.isDrained && latesPending == 0 }

    /// Ends the streams: the drivers' loops return.
    func finish() {
        commandSink.finish()
        transactionSink.finish()
        callSink.finish()
        lateSink.finish()
        leaseSink.finish()
        readSink.finish()
    }

    var owner: String { machine.owner }

    package func snapshot() -> ReplicaSnapshot { machine.snapshot(at: clock()) }

    /// Milliseconds since the engine's own loop last turned.
    package func sinceTick() -> Int64 { clock().monotonic - tickedAt }

    /// Carries out every decision that is there to be made. The order matters in one place: calls come after
    /// transactions were asked for, so that an intent is never called before its commit was told.
    private func pump() {
        let now = clock()
        for call in machine.nextCalls(at: now) { callSink.yield(call) }
        if let plan = machine.nextTransaction(at: now) { transactionSink.yield(plan) }
        for number in machine.finishedRevokes(at: now) { commandSink.yield(.finishRevoke(number)) }
        for step in machine.takeOverSteps() {
            if case .start(let partition, let offset) = step {
                starts += 1
                starting[partition] = starts
                commandSink.yield(.start(partition: partition, offset: offset, number: starts))
            } else {
                commandSink.yield(.step(step))
            }
        }
        for mark in machine.doubtMarks(at: now) {
            commandSink.yield(.doubtMark(partition: mark.partition, epoch: mark.epoch))
        }
        for late in machine.lateWrites() {
            latesPending += 1
            lateSink.yield(late)
        }
        for read in machine.nextReads(at: now) { readSink.yield(read) }
        if let lease = machine.leaseWrite(at: now) { leaseSink.yield(lease) }
        let flow = machine.flow()
        if !flow.pause.isEmpty { commandSink.yield(.pause(flow.pause)) }
        if !flow.resume.isEmpty { commandSink.yield(.resume(flow.resume)) }
        let notes = machine.takeNotes()
        if !notes.isEmpty { observer(notes) }
    }
}
