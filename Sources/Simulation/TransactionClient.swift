internal import BridgeCore

/// What both machines say of a transaction that they want.
protocol Plan {
    var id: Int { get }
    var assignment: Int { get }
    var offsets: [Int32: Int64] { get }
    var ledgerEnds: [Int32: Int64] { get }
    var settles: Int32 { get }
}

extension TransactionPlan: Plan {}

extension IntakePlan: Plan {
    var ledgerEnds: [Int32: Int64] { [:] }
}

/// Whose transactions a producer carries out.
protocol TransactionOwner: AnyObject, CustomStringConvertible {
    associatedtype Transactions: Plan
    var process: Process { get }
    var transactionalID: Int { get }
    var client: GroupClient { get }
    func producerReady()
    /// Whether the offsets go before the records.
    func isFenceFirst(_ plan: Transactions) -> Bool
    func mayStillCommit(_ id: Int) -> Bool
    /// Records that the broker does not take for their size.
    func culprits(of plan: Transactions) -> [Int]
    func records(of plan: Transactions) -> Int
    func write(_ range: Range<Int>, of plan: Transactions, in transaction: Transaction)
    /// Writes marks. false: a partition of them is not there.
    func settle(_ plan: Transactions, in transaction: Transaction) -> Bool
    func ended(_ plan: Transactions, _ end: TransactionEnd)
    func describe(_ plan: Transactions) -> String
}

/// The transactional producer's side: begin, produce, flush, ask whether the assignment still holds, offsets, commit.
final class TransactionClient<Owner: TransactionOwner> {
    private unowned let owner: Owner
    private unowned let world: World
    private var process: Process { owner.process }
    private var id: Int { owner.transactionalID }
    private var epoch: Int?
    private var open: Int?

    init(of owner: Owner) {
        self.owner = owner
        world = owner.process.world
    }

    /// A new producer; what the one before had open is ended by it.
    func initialise() {
        epoch = nil
        world.after(world.latency()) { [self] in
            guard process.state != .dead else { return }
            world.initialise(id) { epoch in
                self.process.receive(after: self.world.latency()) {
                    self.epoch = epoch
                    self.owner.producerReady()
                }
            }
        }
    }

    func run(_ plan: Owner.Transactions) {
        open = plan.id
        guard let metadata = owner.client.metadata[plan.assignment], let epoch else {
            finish(plan, .aborted(culprits: [], groupIsStale: true))
            return
        }
        let culprits = owner.culprits(of: plan)
        guard culprits.isEmpty else {
            world.count(.transactionTooLarge)
            finish(plan, .aborted(culprits: culprits, groupIsStale: false))
            return
        }
        // A producer that hangs is declared lost: its outcome is not known.
        process.receive(after: Setup.transactionTimeout + 5000) { [self] in
            guard open == plan.id else { return }
            world.story("\(owner)'s transaction hangs: lost")
            lose(plan)
        }
        world.after(world.latency()) { [self] in
            world.whenFree(id) { [self] in
                if owner.isFenceFirst(plan) {
                    process.receive(after: 0) { self.fence(plan, metadata, epoch) }
                } else {
                    produce(plan, from: 0, metadata, epoch)
                }
            }
        }
    }

    /// The writes arrive in one or two parts, each acknowledged.
    private func produce(_ plan: Owner.Transactions, from start: Int, _ metadata: GroupMetadata, _ epoch: Int) {
        if world.trouble(world.setup.brokerFaults) {
            world.count(.produceFailed)
            process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
            return
        }
        guard let transaction = world.openTransaction(id, epoch: epoch) else {
            process.receive(after: world.latency()) { self.lose(plan) }
            return
        }
        let count = owner.records(of: plan)
        var end = count
        if end - start > 1 && world.chance(200) { end = start + 1 }
        if plan.settles > 0 {
            transaction.isSettling = true
            let isDone = owner.settle(plan, in: transaction)
            world.count(isDone ? .settled : .settlingFailed)
            guard isDone else {
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
                return
            }
        }
        owner.write(start..<end, of: plan, in: transaction)
        guard end == count else {
            world.after(world.latency()) { self.produce(plan, from: end, metadata, epoch) }
            return
        }
        process.receive(after: world.latency()) { [self] in
            if owner.isFenceFirst(plan) { commit(plan, epoch) } else { fence(plan, metadata, epoch) }
        }
    }

    private func fence(_ plan: Owner.Transactions, _ taken: GroupMetadata, _ epoch: Int) {
        guard open == plan.id else { return }
        var metadata = taken
        #if DELIBERATE_FAULTS
            // The driver's half of this fault: the metadata of whatever assignment holds now.
            if world.setup.fault == .assignmentRenewed, let newest = owner.client.metadata.values.first {
                metadata = newest
            }
        #endif
        guard owner.mayStillCommit(plan.id) else {
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

    private func send(_ plan: Owner.Transactions, _ metadata: GroupMetadata, _ epoch: Int) {
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
                if world.chance(500) { _ = owner.client.group.send(plan, in: transaction, metadata) }
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
                return
            }
            if owner.client.group.send(plan, in: transaction, metadata) {
                process.receive(after: world.latency()) { [self] in
                    guard owner.isFenceFirst(plan) else {
                        commit(plan, epoch)
                        return
                    }
                    world.after(world.latency()) { self.produce(plan, from: 0, metadata, epoch) }
                }
            } else {
                world.story("the offsets of \(owner) are refused")
                process.receive(after: world.latency()) { self.abort(plan, epoch, isStale: true) }
            }
        }
    }

    private func commit(_ plan: Owner.Transactions, _ epoch: Int) {
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
            world.story("transaction \(transaction.id) of \(owner) is committed: \(owner.describe(plan))")
            if isAnswerLost {
                world.count(.commitAnswerLostDone)
                if world.chance(500) { process.receive(after: world.latency() + 50) { self.lose(plan) } }
            } else {
                process.receive(after: world.latency()) { self.finish(plan, .committed) }
            }
        }
    }

    private func abort(_ plan: Owner.Transactions, _ epoch: Int, isStale: Bool) {
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

    private func finish(_ plan: Owner.Transactions, _ end: TransactionEnd) {
        guard open == plan.id else { return }
        open = nil
        owner.ended(plan, end)
    }

    private func lose(_ plan: Owner.Transactions) {
        guard open == plan.id else { return }
        world.count(.ruleL5TakenOverAnew)
        world.story("\(owner) does not know what became of its transaction: \(owner.describe(plan))")
        finish(plan, .lost)
        initialise()
    }
}
