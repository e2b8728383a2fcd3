internal import BridgeCore

// The transactional producer's side: begin, produce, flush, ask whether the assignment still holds, offsets, commit.

extension Process {
    /// A new producer; what the one before had open is ended by it.
    func initialiseProducer() {
        producerEpoch = nil
        world.after(world.latency()) { [self] in
            guard state != .dead else { return }
            world.initialise(slot: slot) { epoch in
                self.receive(after: self.world.latency()) {
                    self.producerEpoch = epoch
                    self.machine.producerReady(at: self.moment)
                }
            }
        }
    }

    func run(_ plan: TransactionPlan) {
        openPlan = plan.id
        guard let group = metadata[plan.assignment], let epoch = producerEpoch else {
            finish(plan, .aborted(culprits: [], groupIsStale: false))
            return
        }
        let culprits = plan.writes.indices.filter { index in
            guard let result = plan.writes[index].result, result.shortening < .withoutHeaders else { return false }
            return world.judge.isOversized(result, setup: world.setup)
        }
        guard culprits.isEmpty else {
            world.count(.transactionTooLarge)
            finish(plan, .aborted(culprits: culprits, groupIsStale: false))
            return
        }
        // A producer that hangs is declared lost: its outcome is not known.
        receive(after: Setup.transactionTimeout + 5000) { [self] in
            guard openPlan == plan.id else { return }
            world.story("\(self)'s transaction hangs: lost")
            lose(plan)
        }
        world.after(world.latency()) { [self] in
            world.whenFree(slot: slot) { self.produce(plan, from: 0, group, epoch) }
        }
    }

    /// The writes arrive in one or two parts, each acknowledged.
    private func produce(_ plan: TransactionPlan, from start: Int, _ group: GroupMetadata, _ epoch: Int) {
        if world.trouble(world.setup.brokerFaults) {
            world.count(.produceFailed)
            receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
            return
        }
        guard let transaction = world.openTransaction(slot: slot, epoch: epoch) else {
            receive(after: world.latency()) { self.lose(plan) }
            return
        }
        var end = plan.writes.count
        if end - start > 1 && world.chance(200) { end = start + 1 }
        if plan.settles > 0 && !world.settle(plan.settles, in: transaction) {
            receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
            return
        }
        world.write(plan.writes[start..<end], in: transaction, owner: owner)
        guard end == plan.writes.count else {
            world.after(world.latency()) { self.produce(plan, from: end, group, epoch) }
            return
        }
        receive(after: world.latency()) { self.flushed(plan, group, epoch) }
    }

    private func flushed(_ plan: TransactionPlan, _ taken: GroupMetadata, _ epoch: Int) {
        guard openPlan == plan.id else { return }
        var group = taken
        #if DELIBERATE_FAULTS
            // The driver's half of this fault: the metadata of whatever assignment holds now.
            if world.setup.fault == .assignmentRenewed, let newest = metadata.values.first { group = newest }
        #endif
        send(plan, group, epoch)
    }

    private func send(_ plan: TransactionPlan, _ group: GroupMetadata, _ epoch: Int) {
        guard machine.mayStillCommit(plan.id) else {
            world.count(.ruleL1Aborted)
            abort(plan, epoch, isStale: false)
            return
        }
        guard !plan.offsets.isEmpty || plan.settles > 0 else {
            commit(plan, epoch)
            return
        }
        world.after(world.latency()) { [self] in
            guard let transaction = world.openTransaction(slot: slot, epoch: epoch) else {
                receive(after: world.latency()) { self.lose(plan) }
                return
            }
            if world.trouble(world.setup.brokerFaults) {
                // Neither succeeds nor fails, or fails after it was done.
                if world.chance(300) {
                    world.count(.offsetsHung)
                    return
                }
                world.count(.offsetsFailed)
                if world.chance(500) { _ = world.sendOffsets(plan.offsets, in: transaction, group) }
                receive(after: world.latency()) { self.abort(plan, epoch, isStale: false) }
                return
            }
            if world.sendOffsets(plan.offsets, in: transaction, group) {
                receive(after: world.latency()) { self.commit(plan, epoch) }
            } else {
                world.story("the offsets of \(self) are refused")
                receive(after: world.latency()) { self.abort(plan, epoch, isStale: true) }
            }
        }
    }

    private func commit(_ plan: TransactionPlan, _ epoch: Int) {
        guard openPlan == plan.id else { return }
        let isAnswerLost = world.trouble(world.setup.brokerFaults)
        let isDone = !isAnswerLost || world.chance(500)
        world.after(world.latency()) { [self] in
            guard isDone else {
                world.count(.commitAnswerLostUndone)
                return
            }
            guard let transaction = world.openTransaction(slot: slot, epoch: epoch) else {
                receive(after: world.latency()) { self.lose(plan) }
                return
            }
            world.decide(transaction, commit: true)
            world.story("transaction \(transaction.id) of \(self) is committed: \(describe(plan))")
            if isAnswerLost {
                world.count(.commitAnswerLostDone)
                if world.chance(500) { receive(after: world.latency() + 50) { self.lose(plan) } }
            } else {
                receive(after: world.latency()) { self.finish(plan, .committed) }
            }
        }
    }

    private func abort(_ plan: TransactionPlan, _ epoch: Int, isStale: Bool) {
        guard openPlan == plan.id else { return }
        world.after(world.latency()) { [self] in
            guard world.producers[slot].epoch == epoch else {
                receive(after: world.latency()) { self.lose(plan) }
                return
            }
            if let id = world.producers[slot].current, world.transactions[id].state == .open {
                world.decide(world.transactions[id], commit: false)
            }
            receive(after: world.latency() + 20) {
                self.finish(plan, .aborted(culprits: [], groupIsStale: isStale))
            }
        }
    }

    private func finish(_ plan: TransactionPlan, _ end: TransactionEnd) {
        guard openPlan == plan.id else { return }
        openPlan = nil
        machine.transactionEnded(plan.id, end, at: moment)
    }

    private func lose(_ plan: TransactionPlan) {
        guard openPlan == plan.id else { return }
        world.count(.ruleL5TakenOverAnew)
        world.story("\(self) does not know what became of its transaction: \(describe(plan))")
        for write in plan.writes {
            if case .attempting(let attempt) = write.entry.state { lostIntents.insert(attempt) }
        }
        openPlan = nil
        lostAt = world.now
        machine.transactionEnded(plan.id, .lost, at: moment)
        initialiseProducer()
    }

    private func describe(_ plan: TransactionPlan) -> String {
        if plan.settles > 0 { return "settling" }
        let writes = plan.writes.map { write in
            let state =
                switch write.entry.state {
                case .attempting(let attempt): "attempt \(attempt.number)"
                case .released(let number, let cause): "released \(number) (\(cause))"
                case .started: "started"
                case .deadLettered(let reason, _): "dead letter \(reason)"
                }
            return "\(world.judge.name(write.key)) \(state)"
        }
        let offsets = plan.offsets.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }
        return (writes + offsets).joined(separator: ", ")
    }
}
