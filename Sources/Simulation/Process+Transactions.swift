internal import BridgeCore

// What a transaction holds, and what its end means.

extension Process {
    typealias Transactions = TransactionPlan

    var process: Process { self }
    var transactionalID: Int { slot }

    func producerReady() { machine.producerReady(at: moment) }
    func isFenceFirst(_ plan: TransactionPlan) -> Bool { plan.isSettling }
    func mayStillCommit(_ id: Int) -> Bool { machine.mayStillCommit(id) }
    func records(of plan: TransactionPlan) -> Int { plan.writes.count }

    func write(_ range: Range<Int>, of plan: TransactionPlan, in transaction: Transaction) {
        world.write(plan.writes[range], in: transaction, owner: owner)
    }

    func settle(_ plan: TransactionPlan, in transaction: Transaction) -> Bool {
        world.settle(plan.settles, in: transaction)
    }

    func culprits(of plan: TransactionPlan) -> [Int] {
        plan.writes.indices.filter { index in
            guard let result = plan.writes[index].result, result.shortening < .withoutHeaders else { return false }
            return world.judge.isOversized(result, setup: world.setup)
        }
    }

    func ended(_ plan: TransactionPlan, _ end: TransactionEnd) {
        if case .lost = end {
            for write in plan.writes {
                if case .attempting(let attempt) = write.entry.state { lostIntents.insert(attempt) }
            }
            lostAt = world.now
        }
        machine.transactionEnded(plan.id, end, at: moment)
    }

    func describe(_ plan: TransactionPlan) -> String {
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
