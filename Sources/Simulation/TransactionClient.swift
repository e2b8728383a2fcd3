internal import BridgeCore

/// The transactional producer's side: begin, produce, flush, ask whether the assignment still holds, offsets, commit.
final class TransactionClient {
    /// One transaction, with what its machine has to say to it.
    struct Work {
        let id: Int
        let assignment: Int
        /// Records that it writes.
        let count: Int
        /// Those that the broker does not take for their size.
        let culprits: [Int]
        let settles: Int32
        let offsets: [Int32: Int64]
        let write: (Range<Int>, Transaction) -> Void
        /// Writes the marks of a settling transaction; false: one of the partitions is not there.
        let settle: (Transaction) -> Bool
        let mayStillCommit: () -> Bool
        let ended: (TransactionEnd) -> Void
        let describe: () -> String
    }

    private unowned let process: Process
    private unowned let client: GroupClient
    private unowned let group: Group
    private unowned let world: World
    /// Of the transactional id.
    private let id: Int
    private let isReady: () -> Void
    private var epoch: Int?
    private var open: Int?

    init(_ id: Int, of process: Process, client: GroupClient, group: Group, isReady: @escaping () -> Void) {
        self.id = id
        self.process = process
        self.client = client
        self.group = group
        self.isReady = isReady
        world = process.world
    }

    /// A new producer; what the one before had open is ended by it.
    func initialise() {
        epoch = nil
        world.after(world.latency()) { [self] in
            guard process.state != .dead else { return }
            world.initialise(id) { epoch in
                self.process.receive(after: self.world.latency()) {
                    self.epoch = epoch
                    self.isReady()
                }
            }
        }
    }

    func run(_ work: Work) {
        open = work.id
        guard let metadata = client.metadata[work.assignment], let epoch else {
            finish(work, .aborted(culprits: [], groupIsStale: true))
            return
        }
        guard work.culprits.isEmpty else {
            world.count(.transactionTooLarge)
            finish(work, .aborted(culprits: work.culprits, groupIsStale: false))
            return
        }
        // A producer that hangs is declared lost: its outcome is not known.
        process.receive(after: Setup.transactionTimeout + 5000) { [self] in
            guard open == work.id else { return }
            world.story("\(process)'s transaction hangs: lost")
            lose(work)
        }
        world.after(world.latency()) { [self] in
            world.whenFree(id) { self.produce(work, from: 0, metadata, epoch) }
        }
    }

    /// The writes arrive in one or two parts, each acknowledged.
    private func produce(_ work: Work, from start: Int, _ metadata: GroupMetadata, _ epoch: Int) {
        if world.trouble(world.setup.brokerFaults) {
            world.count(.produceFailed)
            process.receive(after: world.latency()) { self.abort(work, epoch, isStale: false) }
            return
        }
        guard let transaction = world.openTransaction(id, epoch: epoch) else {
            process.receive(after: world.latency()) { self.lose(work) }
            return
        }
        var end = work.count
        if end - start > 1 && world.chance(200) { end = start + 1 }
        if work.settles > 0 {
            transaction.isSettling = true
            let isDone = work.settle(transaction)
            world.count(isDone ? .settled : .settlingFailed)
            guard isDone else {
                process.receive(after: world.latency()) { self.abort(work, epoch, isStale: false) }
                return
            }
        }
        work.write(start..<end, transaction)
        guard end == work.count else {
            world.after(world.latency()) { self.produce(work, from: end, metadata, epoch) }
            return
        }
        process.receive(after: world.latency()) { self.flushed(work, metadata, epoch) }
    }

    private func flushed(_ work: Work, _ taken: GroupMetadata, _ epoch: Int) {
        guard open == work.id else { return }
        var metadata = taken
        #if DELIBERATE_FAULTS
            // The driver's half of this fault: the metadata of whatever assignment holds now.
            if world.setup.fault == .assignmentRenewed, let newest = client.metadata.values.first { metadata = newest }
        #endif
        guard work.mayStillCommit() else {
            world.count(.ruleL1Aborted)
            abort(work, epoch, isStale: false)
            return
        }
        guard !work.offsets.isEmpty || work.settles > 0 else {
            commit(work, epoch)
            return
        }
        send(work, metadata, epoch)
    }

    private func send(_ work: Work, _ metadata: GroupMetadata, _ epoch: Int) {
        world.after(world.latency()) { [self] in
            guard let transaction = world.openTransaction(id, epoch: epoch) else {
                process.receive(after: world.latency()) { self.lose(work) }
                return
            }
            if world.trouble(world.setup.brokerFaults) {
                // Neither succeeds nor fails, or fails after it was done.
                if world.chance(300) {
                    world.count(.offsetsHung)
                    return
                }
                world.count(.offsetsFailed)
                if world.chance(500) { _ = group.send(work.offsets, in: transaction, metadata) }
                process.receive(after: world.latency()) { self.abort(work, epoch, isStale: false) }
                return
            }
            if group.send(work.offsets, in: transaction, metadata) {
                process.receive(after: world.latency()) { self.commit(work, epoch) }
            } else {
                world.story("the offsets of \(process) are refused")
                process.receive(after: world.latency()) { self.abort(work, epoch, isStale: true) }
            }
        }
    }

    private func commit(_ work: Work, _ epoch: Int) {
        guard open == work.id else { return }
        let isAnswerLost = world.trouble(world.setup.brokerFaults)
        let isDone = !isAnswerLost || world.chance(500)
        world.after(world.latency()) { [self] in
            guard isDone else {
                world.count(.commitAnswerLostUndone)
                return
            }
            guard let transaction = world.openTransaction(id, epoch: epoch) else {
                process.receive(after: world.latency()) { self.lose(work) }
                return
            }
            world.decide(transaction, commit: true)
            world.story("transaction \(transaction.id) of \(process) is committed: \(work.describe())")
            if isAnswerLost {
                world.count(.commitAnswerLostDone)
                if world.chance(500) { process.receive(after: world.latency() + 50) { self.lose(work) } }
            } else {
                process.receive(after: world.latency()) { self.finish(work, .committed) }
            }
        }
    }

    private func abort(_ work: Work, _ epoch: Int, isStale: Bool) {
        guard open == work.id else { return }
        world.after(world.latency()) { [self] in
            guard world.producers[id].epoch == epoch else {
                process.receive(after: world.latency()) { self.lose(work) }
                return
            }
            if let current = world.producers[id].current, world.transactions[current].state == .open {
                world.decide(world.transactions[current], commit: false)
            }
            process.receive(after: world.latency() + 20) {
                self.finish(work, .aborted(culprits: [], groupIsStale: isStale))
            }
        }
    }

    private func finish(_ work: Work, _ end: TransactionEnd) {
        guard open == work.id else { return }
        open = nil
        work.ended(end)
    }

    private func lose(_ work: Work) {
        guard open == work.id else { return }
        world.count(.ruleL5TakenOverAnew)
        world.story("\(process) does not know what became of its transaction: \(work.describe())")
        finish(work, .lost)
        initialise()
    }
}
