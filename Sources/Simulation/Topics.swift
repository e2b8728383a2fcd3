internal import BridgeCore

// What is done to the topics themselves: partitions are added, and the source is made anew under its name.

extension World {
    /// The source gets a partition, the ledger gets one before or after it.
    func grow() {
        // Before the ledger has grown nothing can be settled.
        let isLedgerFirst = setup.markerLosses > 0 || chance(500)
        let wait = between(100, 20_000)
        story("the source gets a partition")
        count(.partitionsAdded)
        if isLedgerFirst { growLedger() } else { after(wait) { self.growLedger() } }
        source.append(Log())
        judge.grow()
        for case let process? in processes {
            let count = source.count
            process.receive(after: between(0, 5000)) { process.machine.sourcePartitions(count, at: process.moment) }
        }
        group.divide("the source has one more partition")
    }

    private func growLedger() {
        story("the ledger gets a partition")
        ledger.append(Log())
    }

    /// The source is removed and made anew, empty. After a while a person restores it and restarts the replicas, as the
    /// bridge's message says.
    func remakeSource() {
        guard missing.isEmpty, !isCalm else { return }
        story("the source is made anew under its name")
        count(.sourceMadeAnew)
        for partition in source.indices {
            missing[partition] = source[partition]
            source[partition] = Log()
            for process in processes { process?.sourceChanged(Int32(partition)) }
        }
        after(between(3000, 20_000)) { self.restoreSource() }
    }

    func restoreSource() {
        guard !missing.isEmpty else { return }
        story("a person restores the source and restarts the replicas")
        for (partition, log) in missing { source[partition] = log }
        missing = [:]
        for case let process? in processes { end(process) }
    }

    /// The wall clock of a replica is set.
    func setClock(_ slot: Int) {
        guard let process = processes[slot] else { return }
        process.skew = between(-setup.skew, setup.skew)
        count(.clockSet)
        story("the clock of replica \(process) is set, it is \(process.skew) ms off")
    }
}

extension Process {
    /// What is read lies behind the partition's end: the topic is another one. The service sees the same by its watch on
    /// the ends.
    func sourceIsAnother(_ partition: Int32) {
        sources[partition] = nil
        world.count(.sourceFoundAnew)
        world.story("\(self) finds that source \(partition) is another one")
        machine.sourceBroken(partition: partition, at: moment)
    }

    /// Asks now and then whether the ledger partition that a take-over lacked is there.
    func waitForLedger(_ partition: Int32, _ epoch: Int) {
        receive(after: world.between(1000, 5000)) { [self] in
            guard machine.isBlocked(partition: partition, epoch: epoch) else { return }
            guard Int(partition) < world.ledger.count else {
                waitForLedger(partition, epoch)
                return
            }
            world.count(.ledgerGrownLater)
            machine.takeOverAgain(partition: partition, epoch: epoch, at: moment)
        }
    }
}
