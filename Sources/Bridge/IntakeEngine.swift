internal import BridgeCore
internal import Kafka
internal import Records

/// What the engine asks the mover's drivers to do, in order.
enum IntakeCommand: Sendable {
    case step(IntakeStep)
    /// Deliver the source partition's records from this offset on.
    case start(partition: Int32, offset: Int64, number: Int)
    case pause([Int32])
    case resume([Int32])
    case finishRevoke(Int)
}

/// Holds the mover's machine: drivers bring facts, and after each fact what the machine decided goes to the drivers'
/// streams, which are bounded by the machine's bounds: one transaction, a few commands a partition.
actor IntakeEngine {
    private var machine: IntakeMachine
    private let clock: @Sendable () -> Moment
    private let observer: @Sendable ([IntakeNote]) -> Void
    private var groups: [Int: GroupMetadata] = [:]
    /// Starts that are not in force yet: what comes before was fetched for an earlier start.
    private var starting: [Int32: Int] = [:]
    private var starts = 0
    private let revokeDeadline: Int64

    nonisolated let commands: AsyncStream<IntakeCommand>
    nonisolated let transactions: AsyncStream<IntakePlan>
    private let commandSink: AsyncStream<IntakeCommand>.Continuation
    private let transactionSink: AsyncStream<IntakePlan>.Continuation

    init(
        settings: IntakeMachine.Settings, revokeDeadline: Int64, clock: @escaping @Sendable () -> Moment,
        observer: @escaping @Sendable ([IntakeNote]) -> Void
    ) {
        machine = IntakeMachine(settings: settings)
        self.revokeDeadline = revokeDeadline
        self.clock = clock
        self.observer = observer
        (commands, commandSink) = AsyncStream.makeStream()
        (transactions, transactionSink) = AsyncStream.makeStream()
    }

    func assigned(number: Int, partitions: [Int32], group: GroupMetadata?) {
        groups = group.map { [number: $0] } ?? [:]
        machine.assigned(number: number, partitions: partitions)
        pump()
    }

    func revoked(number: Int, partitions: [Int32], isLost: Bool) {
        machine.revoked(
            number: number, partitions: partitions, isLost: isLost, deadline: clock().monotonic + revokeDeadline)
        pump()
    }

    func producerReady(settling partitions: Int) {
        machine.producerReady(settling: Int32(clamping: partitions))
        pump()
    }

    func awaitsSight(of transaction: Int) -> Bool { machine.awaitsSight(of: transaction) }

    func sighted(transaction: Int) {
        machine.sighted(transaction: transaction)
        pump()
    }

    func readersAreHeldUp() {
        machine.readersAreHeldUp()
        pump()
    }

    func committedOffsets(partition: Int32, epoch: Int, own: Int64?, direct: Int64?) {
        machine.committedOffsets(partition: partition, epoch: epoch, own: own, direct: direct)
        pump()
    }

    func ends(partition: Int32, epoch: Int, low: Int64, high: Int64) {
        machine.ends(partition: partition, epoch: epoch, low: low, high: high, at: clock())
        pump()
    }

    func takeOverFailed(partition: Int32, epoch: Int, _ text: String) {
        machine.takeOverFailed(partition: partition, epoch: epoch, text)
        pump()
    }

    func isBlocked(partition: Int32, epoch: Int) -> Bool { machine.isBlocked(partition: partition, epoch: epoch) }

    func takeOverAgain(partition: Int32, epoch: Int) {
        machine.takeOverAgain(partition: partition, epoch: epoch)
        pump()
    }

    func sourceStarted(partition: Int32, number: Int) {
        if starting[partition] == number { starting[partition] = nil }
    }

    func admit(_ records: [MovedRecord], partition: Int32) {
        guard starting[partition] == nil else { return }
        machine.admit(records, partition: partition)
        pump()
    }

    func sourceEnd(partition: Int32, offset: Int64) {
        guard starting[partition] == nil else { return }
        machine.sourceEnd(partition: partition, offset: offset, at: clock())
        pump()
    }

    func sourceBroken(partition: Int32) {
        machine.sourceBroken(partition: partition)
        pump()
    }

    /// L1: asked between the flush and the sending of the offsets.
    func mayStillCommit(_ id: Int) -> Bool { machine.mayStillCommit(id) }

    /// The group metadata of the assignment that a transaction is bound to, taken once; nil: it holds no more.
    func group(ofAssignment number: Int) -> GroupMetadata? { groups[number] }

    func transactionEnded(_ id: Int, _ end: TransactionEnd) {
        machine.transactionEnded(id, end, at: clock())
        pump()
    }

    func tick() { pump() }

    func beginDrain() { machine.beginDrain() }

    var isQuiet: Bool { machine.isQuiet }

    var positions: [(partition: Int32, offset: Int64)] { machine.positions }

    /// Source partitions of which nothing is moved until a person has decided.
    var blocked: [Int32] { machine.blocked }

    /// Ends the streams: the drivers' loops return.
    func finish() {
        commandSink.finish()
        transactionSink.finish()
    }

    private func pump() {
        let now = clock()
        if let plan = machine.nextTransaction(at: now) { transactionSink.yield(plan) }
        for number in machine.finishedRevokes(at: now) { commandSink.yield(.finishRevoke(number)) }
        for step in machine.takeSteps() {
            if case .start(let partition, let offset) = step {
                starts += 1
                starting[partition] = starts
                commandSink.yield(.start(partition: partition, offset: offset, number: starts))
            } else {
                commandSink.yield(.step(step))
            }
        }
        let flow = machine.flow()
        if !flow.pause.isEmpty { commandSink.yield(.pause(flow.pause)) }
        if !flow.resume.isEmpty { commandSink.yield(.resume(flow.resume)) }
        let notes = machine.takeNotes()
        if !notes.isEmpty { observer(notes) }
    }
}
