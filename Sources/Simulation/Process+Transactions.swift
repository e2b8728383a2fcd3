internal import BridgeCore

// Transactions of the ledger.

extension Process {
    func run(_ plan: TransactionPlan) {
        let culprits = plan.writes.indices.filter { index in
            guard let result = plan.writes[index].result, result.shortening < .withoutHeaders else { return false }
            return world.judge.isOversized(result, setup: world.setup)
        }
        producer.run(
            TransactionClient.Work(
                id: plan.id, assignment: plan.assignment, count: plan.writes.count, culprits: culprits,
                settles: plan.settles, offsets: plan.offsets,
                write: { [self] range, transaction in
                    world.write(plan.writes[range], in: transaction, owner: owner)
                },
                settle: { [self] transaction in world.settle(plan.settles, in: transaction) },
                mayStillCommit: { [self] in machine.mayStillCommit(plan.id) },
                ended: { [self] end in ended(plan, end) },
                describe: { [self] in describe(plan) }))
    }

    private func ended(_ plan: TransactionPlan, _ end: TransactionEnd) {
        if case .lost = end {
            for write in plan.writes {
                if case .attempting(let attempt) = write.entry.state { lostIntents.insert(attempt) }
            }
            lostAt = world.now
        }
        machine.transactionEnded(plan.id, end, at: moment)
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
