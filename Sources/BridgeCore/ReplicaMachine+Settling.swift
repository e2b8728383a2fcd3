// Transactions that a broker has left open though they were committed (KAFKA-20734): ended by one of the same producer.

extension ReplicaMachine {
    /// The next transaction settles what the broker may have left open.
    mutating func settle() {
        guard settings.settledPartitions > 0, !isBroken(.nothingIsSettled) else { return }
        settleAttempts.begin()
    }

    /// A mark in each ledger partition and where results stand, and an offset that means nothing: a new producer's first
    /// transaction, and one after partitions were given up or while an own doubt or a take-over cannot read on.
    ///
    /// A broker may lose the markers of a transaction that was committed, as Kafka 4.0 to 4.3 does for partitions that
    /// have no leader at that moment (KAFKA-20734): the transaction then stays open for ever and holds up every reader.
    /// A further transaction of the same transactional id that is committed ends it as committed. That is right where
    /// it was committed; where it had been aborted, its intents show as calls that may have been made, and are not made
    /// again.
    ///
    /// A mark in results is a record without key and value, which readers pass over: so it is written only where they
    /// stand, and without the ledger where only they do.
    mutating func settling(_ assignment: Int) -> TransactionPlan {
        var plan = TransactionPlan(
            id: transactions, assignment: assignment, writes: [], offsets: [:],
            settles: settleAttempts.left > 0 ? settings.settledPartitions : 0)
        plan.settlesResults = standingResults
        open = OpenTransaction(plan: plan, epochs: [:], places: [:])
        return plan
    }

    /// Readers of these partitions of results wait for a transaction that the broker may have left open. To be told before
    /// `producerReady`, and later where they have stood still for longer than any transaction may last.
    package mutating func resultsStand(_ places: [ResultPlace]) { standingResults = places }

    mutating func settled(_ plan: TransactionPlan, _ end: TransactionEnd) {
        let isBound = plan.assignment == assignment
        if plan.settles > 0 { settleAttempts.ended(end, isBound: isBound) }
        switch end {
        case .aborted(_, let isStale) where isStale || !isBound: break
        case .aborted, .lost:
            if settleAttempts.left == 0 { standingResults = [] }
        case .committed: standingResults.removeAll { plan.settlesResults.contains($0) }
        }
    }

    mutating func settleSlowTails(at now: Moment) {
        for number in numbers {
            guard let since = partitions[number]?.tailingSince, now.monotonic - since >= SettleAttempts.patience else {
                continue
            }
            let isTailing = partitions[number]?.deciding.contains { offset in
                guard case .inDoubt(let doubt)? = partitions[number]?.requests[offset]?.phase else { return false }
                if case .tailing = doubt.step { return true }
                return false
            }
            let waits =
                isTailing == true || partitions[number]?.sighting.isTailing == true
                || partitions[number]?.mayWaitForMarkers == true
            partitions[number]?.tailingSince = waits ? now.monotonic : nil
            if waits { settle() }
        }
    }
}
