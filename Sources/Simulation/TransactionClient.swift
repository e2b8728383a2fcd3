internal import BridgeCore

/// The transactional producer's side: begin, produce, flush, ask whether the assignment still holds, offsets, commit.
final class TransactionClient {
    private unowned let process: Process
    private unowned let world: World
    private var group: Group { world.group }
    /// Of the transactional id.
    private var id: Int { process.slot }
    private var epoch: Int?
    private var open: Int?

    init(of process: Process) {
        self.process = process
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
                    self.process.machine.producerReady(at: self.process.moment)
                }
            }
        }
    }

    func run(_ plan: TransactionPlan) {
        open = plan.id
        guard let metadata = process.client.metadata[plan.assignment], let epoch else {
            finish(plan, .aborted(culprits: [], groupIsStale: true))
            return
        }
        let culprits = process.culprits(of: plan)
        guard culprits.isEmpty else {
            world.count(.transactionTooLarge)
            finish(plan, .aborted(culprits: culprits, groupIsStale: false))
            return
        }
        // A producer that hangs is declared lost: its outcome is not known.
        process.receive(after: Setup.transactionTimeout + 5000) { [self] in
            guard open == plan.id else { return }
            world.story("\(process)'s transaction hangs: lost")
            lose(plan)
        }
        world.after(world.latency()) { [self] in
            world.whenFree(id) { self.produce(plan, from: 0, metadata, epoch) }
        }
    }

    /// The writes arrive in one or two parts, each acknowledged.
    private func produce(_ plan: TransactionPlan, from start: Int, _ metadata: GroupMetadata, _ epoch: Int) {
        if world.trouble(world.setup.brokerFaults) {
            world.count(.produceFailed)
            process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
            return
        }
        guard let transaction = world.openTransaction(id, epoch: epoch) else {
            process.receive(after: world.latency()) { self.lose(plan) }
            return
        }
        var end = plan.writes.count
        if end - start > 1 && world.chance(200) { end = start + 1 }
        if plan.settles > 0 {
            transaction.isSettling = true
            let isDone = world.settle(plan.settles, in: transaction)
            world.count(isDone ? .settled : .settlingFailed)
            guard isDone else {
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
                return
            }
        }
        world.write(plan.writes[start..<end], in: transaction, owner: process.owner)
        guard end == plan.writes.count else {
            world.after(world.latency()) { self.produce(plan, from: end, metadata, epoch) }
            return
        }
        process.receive(after: world.latency()) { self.flushed(plan, metadata, epoch) }
    }

    private func flushed(_ plan: TransactionPlan, _ taken: GroupMetadata, _ epoch: Int) {
        guard open == plan.id else { return }
        var metadata = taken
        #if DELIBERATE_FAULTS
            // The driver's half of this fault: the metadata of whatever assignment holds now.
            if world.setup.fault == .assignmentRenewed, let newest = process.client.metadata.values.first {
                metadata = newest
            }
        #endif
        guard process.machine.mayStillCommit(plan.id) else {
            world.count(.ruleL1Aborted)
            abort(plan, epoch, isStale: false)
            return
        }
        guard !plan.offsets.isEmpty || plan.settles > 0 else {
            commit(plan, epoch)
            return
        }
        send(plan, metadata, epoch)
    }

    private func send(_ plan: TransactionPlan, _ metadata: GroupMetadata, _ epoch: Int) {
        world.after(world.latency()) { [self] in
            guard let transaction = world.openTransaction(id, epoch: epoch) else {
                process.receive(after: world.latency()) { self.lose(plan) }
                return
            }
            if world.trouble(world.setup.brokerFaults) {
                // Neither succeeds nor fails, or fails after it was done.
                if world.chance(300) {
                    world.count(.offsetsHung)
                    return
                }
                world.count(.offsetsFailed)
                if world.chance(500) { _ = group.send(plan, in: transaction, metadata) }
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
                return
            }
            if group.send(plan, in: transaction, metadata) {
                process.receive(after: world.latency()) { self.commit(plan, epoch) }
            } else {
                world.story("the offsets of \(process) are refused")
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: true) }
            }
        }
    }

    private func commit(_ plan: TransactionPlan, _ epoch: Int) {
        guard open == plan.id else { return }
        let isAnswerLost = world.trouble(world.setup.brokerFaults)
        let isDone = !isAnswerLost || world.chance(500)
        world.after(world.latency()) { [self] in
            guard isDone else {
                world.count(.commitAnswerLostUndone)
                return
            }
            guard let transaction = world.openTransaction(id, epoch: epoch) else {
                process.receive(after: world.latency()) { self.lose(plan) }
                return
            }
            world.decide(transaction, commit: true)
            world.story("transaction \(transaction.id) of \(process) is committed: \(process.describe(plan))")
            if isAnswerLost {
                world.count(.commitAnswerLostDone)
                if world.chance(500) { process.receive(after: world.latency() + 50) { self.lose(plan) } }
            } else {
                process.receive(after: world.latency()) { self.finish(plan, .committed) }
            }
        }
    }

    private func abort(_ plan: TransactionPlan, _ epoch: Int, isStale: Bool) {
        guard open == plan.id else { return }
        world.after(world.latency()) { [self] in
            guard world.producers[id].epoch == epoch else {
                process.receive(after: world.latency()) { self.lose(plan) }
                return
            }
            if let current = world.producers[id].current, world.transactions[current].state == .open {
                world.decide(world.transactions[current], commit: false)
            }
            process.receive(after: world.latency() + 20) {
                self.finish(plan, .aborted(culprits: [], groupIsStale: isStale))
            }
        }
    }

    private func finish(_ plan: TransactionPlan, _ end: TransactionEnd) {
        guard open == plan.id else { return }
        open = nil
        process.ended(plan, end)
    }

    private func lose(_ plan: TransactionPlan) {
        guard open == plan.id else { return }
        world.count(.ruleL5TakenOverAnew)
        world.story("\(process) does not know what became of its transaction: \(process.describe(plan))")
        finish(plan, .lost)
        initialise()
    }
}
