/// Everything that one replica decides about moving records from the source to the intake topic, exactly once.
///
/// The driver tells it what happened and asks it what to do, after every fact and now and then. A transaction holds the
/// moved records and the offsets of their partitions. The rules of the ledger hold here too: L1 `mayStillCommit`; L2
/// `nextTransaction`; L5 `transactionEnded`.
package struct IntakeMachine: ~Copyable {
    package struct Settings: Sendable {
        /// Records and bytes in one transaction.
        package var maximumTransaction = 2000
        package var maximumTransactionBytes = 8 << 20
        /// A partition with so many waiting records, or a replica with so many bytes of them, is paused.
        package var windowRecords = 4000
        package var windowBytes = 16 << 20
        /// How long an offset that moved without a record may wait, milliseconds.
        package var offsetInterval: Int64 = 1000
        /// After so long without a sight of what was committed, it is settled, milliseconds.
        package var sightTimeout: Int64 = 5000
        #if DELIBERATE_FAULTS
            package var deliberateFault: DeliberateFault?
        #endif

        package init() {}
    }

    let settings: Settings
    var partitions: [Int32: IntakePartition] = [:]
    /// Number of the assignment that holds now; nil before the first.
    var assignment: Int?
    /// The broker has called our generation illegal: no transaction until the group has told the news (L1).
    var groupIsStale = false
    var isProducerReady = false
    /// Partitions of the intake topic that a new producer's first transaction settles, and when it was last looked whether
    /// a take-over waits for one.
    var settledPartitions: Int32 = 0
    var settleAttempts = SettleAttempts()
    var settlesSince: Int64 = 0
    private var isDraining = false
    var open: (plan: IntakePlan, epochs: [Int32: Int])?
    /// The last transaction with records that was committed, while readers may not have seen its end.
    private var unsighted: (transaction: Int, since: Int64)?
    var transactions = 0
    var epochs = 0
    var revokes: [(number: Int, partitions: [Int32], deadline: Int64)] = []
    var waitingBytes = 0
    var steps: [IntakeStep] = []
    var notes: [IntakeNote] = []

    package init(settings: Settings) { self.settings = settings }

    /// The same order in every run, so that a history can be told again.
    var numbers: [Int32] { partitions.keys.sorted() }

    package mutating func takeSteps() -> [IntakeStep] {
        defer { steps.removeAll(keepingCapacity: true) }
        return steps
    }

    package mutating func takeNotes() -> [IntakeNote] {
        defer { notes.removeAll(keepingCapacity: true) }
        return notes
    }

    /// Where each owned partition stands, in the order of their numbers.
    package var positions: [(partition: Int32, offset: Int64)] {
        numbers.compactMap { number in
            partitions[number].flatMap { $0.isOwned ? (number, $0.position) : nil }
        }
    }

    package var blocked: [Int32] { numbers.filter { partitions[$0]?.stage == .blocked } }

    /// No further transaction begins.
    package mutating func beginDrain() { isDraining = true }

    /// Whether no transaction is open.
    package var isQuiet: Bool { open == nil }

    // MARK: - Records

    /// Records of one source partition, in their order. Those of a partition that is not owned are not taken.
    package mutating func admit(_ records: [MovedRecord], partition number: Int32) {
        guard partitions[number]?.isOwned == true else { return }
        for record in records where record.origin.offset >= partitions[number]?.position ?? .max {
            let bytes = record.bytes
            partitions[number]?.position = record.origin.offset + 1
            partitions[number]?.waiting.append(record)
            partitions[number]?.bytes += bytes
            waitingBytes += bytes
        }
    }

    /// The source partition ends at `offset`: behind transaction markers that is more than the last record's and 1.
    package mutating func sourceEnd(partition number: Int32, offset: Int64, at now: Moment) {
        guard let partition = partitions[number], partition.isOwned, offset > partition.position else { return }
        partitions[number]?.position = offset
        if partition.movedAt == nil { partitions[number]?.movedAt = now.monotonic }
    }

    /// Partitions to hold back since too much waits, and those with room again.
    package mutating func flow() -> FlowChange {
        var change = FlowChange()
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned else { continue }
            let count = partition.waiting.count
            if !partition.isPaused, count >= settings.windowRecords || waitingBytes >= settings.windowBytes {
                partitions[number]?.isPaused = true
                change.pause.append(number)
            } else if partition.isPaused, count * 2 <= settings.windowRecords,
                waitingBytes * 2 <= settings.windowBytes || count == 0
            {
                partitions[number]?.isPaused = false
                change.resume.append(number)
            }
        }
        return change
    }

    // MARK: - Transactions

    /// The next transaction, or nil while one is open, the producer is not ready or nothing is due.
    package mutating func nextTransaction(at now: Moment) -> IntakePlan? {
        guard open == nil, isProducerReady, !groupIsStale, !isDraining, let assignment else { return nil }
        settleUnsighted(at: now)
        settleAgain(at: now)
        if settleAttempts.left > 0 { return settling(assignment) }
        guard unsighted == nil || isBroken(.moverTrustsCommits) else { return nil }
        var plan = IntakePlan(id: transactions + 1, assignment: assignment, records: [], sources: [], offsets: [:])
        var bytes = 0
        // One of each partition in turn, so that a long one does not hold the others back.
        var open = numbers.filter { partitions[$0]?.isOwned == true && partitions[$0]?.waiting.isEmpty == false }
        while !open.isEmpty, plan.records.count < settings.maximumTransaction,
            bytes < settings.maximumTransactionBytes
        {
            open.removeAll { number in
                guard plan.records.count < settings.maximumTransaction, let record = pop(number) else { return true }
                plan.records.append(record)
                plan.sources.append(number)
                bytes += record.bytes
                return false
            }
        }
        let sources = Set(plan.sources)
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned else { continue }
            // L2: the offset of each partition with a record is the fence.
            let hasRecord = sources.contains(number)
            let isDue = partition.movedAt.map { now.monotonic - $0 >= settings.offsetInterval } ?? false
            guard hasRecord || isDue else { continue }
            let watermark = isBroken(.moverWatermarkTooEarly) ? partition.position : partition.watermark
            if hasRecord || watermark > partition.committed { plan.offsets[number] = watermark }
            partitions[number]?.movedAt = nil
        }
        guard !plan.offsets.isEmpty else { return nil }
        transactions += 1
        var epochs: [Int32: Int] = [:]
        for number in plan.offsets.keys { epochs[number] = partitions[number]?.epoch }
        self.open = (plan, epochs)
        return plan
    }

    /// A new producer's first transaction: as `ReplicaMachine.settling`, with a mark in each partition of the intake
    /// topic that its reader passes over. Where the transaction that it ends had been aborted, records come twice, and the
    /// ledger knows the repeats.
    private mutating func settling(_ assignment: Int) -> IntakePlan {
        transactions += 1
        let plan = IntakePlan(
            id: transactions, assignment: assignment, records: [], sources: [], offsets: [:],
            settles: settledPartitions)
        open = (plan, [:])
        return plan
    }

    /// L5: what is told as committed is not seen yet. A broker may have lost the marker, and would drop the records if the
    /// next transaction into their partition were aborted: so none begins before, but after a while one that settles.
    private mutating func settleUnsighted(at now: Moment) {
        guard let since = unsighted?.since, now.monotonic - since >= settings.sightTimeout else { return }
        unsighted?.since = now.monotonic
        settle()
    }

    /// Whether it still matters that readers see the end of that transaction.
    package func awaitsSight(of transaction: Int) -> Bool { unsighted?.transaction == transaction }

    /// Readers have seen the end of that transaction.
    package mutating func sighted(transaction: Int) {
        if awaitsSight(of: transaction) { unsighted = nil }
    }

    /// A take-over may wait for a transaction that a broker left open.
    private mutating func settleAgain(at now: Moment) {
        guard settledPartitions > 0, settleAttempts.left == 0,
            now.monotonic - settlesSince >= SettleAttempts.patience
        else { return }
        settlesSince = now.monotonic
        if partitions.values.contains(where: { $0.stage == .committedOffsets }) { settle() }
    }

    /// A transaction has stood open in the intake topic for longer than any may last.
    package mutating func readersAreHeldUp() { settle() }

    mutating func settle() {
        if isProducerReady, settledPartitions > 0 { settleAttempts.begin() }
    }

    private mutating func pop(_ number: Int32) -> MovedRecord? {
        guard let record = partitions[number]?.waiting.popFirst() else { return nil }
        partitions[number]?.bytes -= record.bytes
        waitingBytes -= record.bytes
        return record
    }

    /// L1: whether the assignment that the transaction is bound to still holds. Asked before the offsets are sent.
    package func mayStillCommit(_ id: Int) -> Bool {
        guard let open, open.plan.id == id, open.plan.assignment == assignment, !groupIsStale else { return false }
        return open.epochs.allSatisfy { partitions[$0.key]?.epoch == $0.value }
    }

    /// How the open transaction ended.
    package mutating func transactionEnded(_ id: Int, _ end: TransactionEnd, at now: Moment) {
        guard let ended = open, ended.plan.id == id else { return }
        open = nil
        if ended.plan.settles > 0 {
            settleAttempts.ended(end, isBound: ended.plan.assignment == assignment)
        }
        switch end {
        case .committed:
            sight(ended.plan, at: now)
            for (number, offset) in ended.plan.offsets where partitions[number]?.epoch == ended.epochs[number] {
                partitions[number]?.committed = offset
            }
        case .aborted(let culprits, let isStale):
            // A refusal that comes after the news is about the assignment before.
            if isStale && ended.plan.assignment == assignment { groupIsStale = true }
            if isBroken(.moverForgetsAborted) { break }
            putBack(ended.plan, ended.epochs, culprits: Set(culprits), at: now)
        case .lost where isBroken(.moverUnknownCommitIsAborted):
            isProducerReady = false
            putBack(ended.plan, ended.epochs, culprits: [], at: now)
        case .lost: restart()
        }
        // Those that began anew meanwhile have waited for this.
        for number in ended.plan.offsets.keys.sorted() where partitions[number]?.epoch != ended.epochs[number] {
            askForOffsets(number)
        }
    }

    private mutating func sight(_ plan: IntakePlan, at now: Moment) {
        let written = Set(plan.records.compactMap(\.outgoing.partition))
        // What settles ends whatever this producer had open; others' may go on holding up readers.
        if plan.settles > 0 { unsighted = nil }
        guard !written.isEmpty, settledPartitions > 0 else { return }
        unsighted = (plan.id, now.monotonic)
        steps.append(.sight(transaction: plan.id, partitions: written.sorted()))
    }

    private mutating func putBack(_ plan: IntakePlan, _ epochs: [Int32: Int], culprits: Set<Int>, at now: Moment) {
        for index in plan.records.indices.reversed() {
            let number = plan.sources[index]
            guard let partition = partitions[number], partition.epoch == epochs[number], partition.isOwned
            else { continue }
            var record = plan.records[index]
            if culprits.contains(index) {
                record.shorten()
                notes.append(.shortened(partition: number, offset: record.origin.offset))
            }
            partitions[number]?.waiting.prepend(record)
            partitions[number]?.bytes += record.bytes
            waitingBytes += record.bytes
        }
        for number in plan.offsets.keys where partitions[number]?.epoch == epochs[number] {
            partitions[number]?.movedAt = now.monotonic
        }
    }
}
