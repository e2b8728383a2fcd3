internal import BridgeCore

// The offsets of a group, most of which come with transactions.

extension Group {
    /// Offsets that a transaction sends: refused without the group's present generation.
    func send(_ plan: some Plan, in transaction: Transaction, _ metadata: GroupMetadata) -> Bool {
        guard index(of: metadata.member) != nil, metadata.generation == generation else {
            world.count(.illegalGeneration)
            world.count(.ruleL2Fence)
            return false
        }
        transaction.touch(.offsets)
        for (partition, offset) in plan.offsets {
            pending[partition, default: [:]][transaction.id] = offset
            // It only ever grows: what an aborted transaction knew was true as well.
            ledgerEnds[partition] = max(ledgerEnds[partition] ?? 0, plan.ledgerEnds[partition] ?? 0)
        }
        return true
    }

    /// The marker of a transaction: it also ends what its producer has left open before.
    func mark(_ transaction: Transaction) {
        for partition in pending.keys.sorted() {
            for (id, offset) in (pending[partition] ?? [:]).sorted(by: { $0.key < $1.key })
            where id == transaction.id || world.isHung(id, endedBy: transaction) {
                pending[partition]?[id] = nil
                if transaction.isToCommit {
                    commit(offset, of: partition)
                } else if id != transaction.id {
                    hasUndone = true
                }
            }
            if pending[partition]?.isEmpty == true { pending[partition] = nil }
        }
    }

    /// The group's offset, with what is committed and has lost its marker: it counts as soon as anyone asks for it.
    func committed(_ partition: Int) -> Int64 {
        let hung = (pending[Int32(partition)] ?? [:]).filter { world.transactions[$0.key].state == .committed }
        return max(committed[Int32(partition)] ?? 0, hung.values.max() ?? 0)
    }

    private func commit(_ offset: Int64, of partition: Int32) {
        committed[partition] = offset
        let log = world[keyPath: topic][Int(partition)]
        guard offset == log.high, offset > 0, case .marker = log[offset - 1].content else { return }
        world.count(.watermarkBehindMarker)
    }

    /// The offsets are gone. The broker keeps those of a group that has members.
    /// - Returns: whether there were any, and nobody to keep them.
    func lose() -> Bool {
        guard members.isEmpty, pending.isEmpty, !committed.isEmpty else { return false }
        world.count(.offsetsLost)
        world.story("the offsets of \(self) are gone")
        (committed, ledgerEnds) = ([:], [:])
        return true
    }

    /// The stable offset: the answer waits for transactions that hold a newer one.
    func ask(_ partition: Int32, by process: Process, answer: @escaping (Int64?, Int64?) -> Void) {
        world.after(world.latency()) { [self] in
            guard process.state != .dead else { return }
            if pending[partition] != nil {
                world.count(.pendingOffsetsWaited)
                world.after(100) { self.ask(partition, by: process, answer: answer) }
                return
            }
            let offset = committed[partition]
            let ledgerEnd = ledgerEnds[partition]
            process.receive(after: world.latency()) { answer(offset, ledgerEnd) }
        }
    }
}
