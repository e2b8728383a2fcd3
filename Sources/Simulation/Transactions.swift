internal import BridgeCore

/// One transaction of the broker.
final class Transaction {
    enum State { case open, committing, aborting, committed, aborted }
    enum Place: Hashable { case ledger(Int), results, offsets, intake(Int) }

    let id: Int
    /// The transactional id: the replica's number, and for movers beyond those.
    let producer: Int
    let epoch: Int
    var state = State.open
    /// In the order of their first writes; each gets its marker at its own time.
    var places: [Place] = []
    var offsets: [Int32: Int64] = [:]
    private(set) var unresolved = 0
    var waiters: [() -> Void] = []
    /// A fault upon a fault is not tried: that the markers of what mends lost markers are lost too.
    var isSettling = false

    init(id: Int, producer: Int, epoch: Int) {
        self.id = id
        self.producer = producer
        self.epoch = epoch
    }

    var isOver: Bool { state == .committed || state == .aborted }
    var isToCommit: Bool { state == .committed || state == .committing }

    func touch(_ place: Place) {
        guard !places.contains(place) else { return }
        places.append(place)
        unresolved += 1
    }

    func resolved() -> Bool {
        unresolved -= 1
        return unresolved == 0
    }
}

/// What the transaction coordinator knows of one transactional id.
struct ProducerState {
    var epoch = 0
    var current: Int?
}

extension World {
    func isVisible(_ item: LogItem, in log: Log) -> Bool {
        guard let id = item.transaction else { return true }
        return transactions[id].isToCommit && !log.undone.contains(id)
    }

    /// Initialises a transactional id: fences its earlier producers and ends their transaction.
    func initialise(_ producer: Int, ready: @escaping (Int) -> Void) {
        producers[producer].epoch += 1
        let epoch = producers[producer].epoch
        count(.producerInitialised)
        guard let id = producers[producer].current, !transactions[id].isOver else {
            ready(epoch)
            return
        }
        let transaction = transactions[id]
        if transaction.state == .open {
            count(.initAbortedOpen)
            story("transaction \(id) of the producer before is aborted")
            decide(transaction, commit: false)
        }
        if transaction.isOver { ready(epoch) } else { transaction.waiters.append { ready(epoch) } }
    }

    /// Runs `action` once the last transaction of the id has all its markers.
    func whenFree(_ producer: Int, _ action: @escaping () -> Void) {
        if let id = producers[producer].current, !transactions[id].isOver, transactions[id].state != .open {
            transactions[id].waiters.append(action)
        } else {
            action()
        }
    }

    /// The open transaction of a producer, begun if there is none; nil: the producer is fenced.
    func openTransaction(_ producer: Int, epoch: Int) -> Transaction? {
        guard producers[producer].epoch == epoch else {
            count(.transactionFenced)
            return nil
        }
        if let id = producers[producer].current, transactions[id].state == .open { return transactions[id] }
        let transaction = Transaction(id: transactions.count, producer: producer, epoch: epoch)
        transactions.append(transaction)
        producers[producer].current = transaction.id
        // The coordinator looks for expired transactions now and then only.
        after(Setup.transactionTimeout + between(0, 10_000)) {
            guard transaction.state == .open else { return }
            self.count(.transactionTimedOut)
            self.story("transaction \(transaction.id) has timed out")
            self.producers[producer].epoch += 1
            self.decide(transaction, commit: false)
        }
        return transaction
    }

    func write(_ writes: ArraySlice<LedgerWrite>, in transaction: Transaction, owner: String) {
        for write in writes {
            let partition = Int(write.partition)
            transaction.touch(.ledger(partition))
            let value = LedgerWire.value(write.entry)
            ledger[partition].append(
                .ledger(key: write.key, LedgerWire.read(key: write.key, value: value)), transaction: transaction.id,
                at: now)
            if let result = write.result {
                transaction.touch(.results)
                results.append(.result(result), transaction: transaction.id, at: now)
            }
            if case .attempting = write.entry.state, write.entry.generation > 0 { count(.ruleL9TakenUp) }
            judge.wrote(write, transaction: transaction.id, owner: owner)
            if case .released(_, .readBack) = write.entry.state {
                judge.released(KeyHash(write.key, key: .fixed).hex, write.entry.generation)
            }
            if case .released(let number, .notSent) = write.entry.state,
                !judge.wasCalled(write.key, number: number, owner: owner)
            {
                count(.ruleL7NotBegun)
            }
        }
    }

    /// A mark in each ledger partition. One that is not there ends the transaction.
    func settle(_ partitions: Int32, in transaction: Transaction) -> Bool {
        for partition in 0..<min(Int(partitions), ledger.count) {
            transaction.touch(.ledger(partition))
            ledger[partition].append(.hole, transaction: transaction.id, at: now)
        }
        return partitions <= ledger.count
    }

    /// The coordinator has decided; the markers reach each place at a time of its own.
    func decide(_ transaction: Transaction, commit: Bool) {
        transaction.state = commit ? .committing : .aborting
        count(commit ? .transactionCommitted : .transactionAborted)
        if commit {
            judge.committed(transaction, self)
            moved(by: transaction)
        }
        guard !transaction.places.isEmpty else {
            finish(transaction)
            return
        }
        for place in transaction.places {
            if commit, !transaction.isSettling, trouble(losses(at: place)) {
                // KAFKA-20734: the coordinator takes the transaction for ended, the partition never hears of it.
                count(.markersLost)
                story("transaction \(transaction.id) is committed, and its marker for \(place) is lost")
                if transaction.resolved() { finish(transaction) }
                continue
            }
            after(latency()) {
                self.mark(place, transaction)
                if transaction.resolved() { self.finish(transaction) }
            }
        }
    }

    private func losses(at place: Transaction.Place) -> Int {
        switch place {
        case .results: 0
        case .ledger, .offsets: setup.markerLosses
        case .intake: setup.intakeMarkerLosses
        }
    }

    private func mark(_ place: Transaction.Place, _ transaction: Transaction) {
        switch place {
        case .ledger(let partition):
            let undone = mark(&ledger[partition], transaction)
            for hung in undone { judge.undone(ledger[partition], hung) }
            ledgerChanged(partition)
        case .results:
            results.marker(transaction.id, at: now)
            operatorsLook()
        case .offsets: (isMovers(transaction) ? intakeGroup : group).mark(transaction)
        case .intake(let partition):
            for hung in mark(&source[partition], transaction) { dropped(hung, partition, by: transaction) }
            for process in processes { process?.sourceChanged(Int32(partition)) }
        }
    }

    /// - Returns: transactions that were committed, and whose records the broker drops now.
    private func mark(_ log: inout Log, _ transaction: Transaction) -> [Int] {
        let ended = log.open.keys.sorted().filter { isHung($0, endedBy: transaction) }
        for hung in ended {
            count(transaction.isToCommit ? .hungCommitted : .hungUndone)
            story("transaction \(hung) ends in a partition with transaction \(transaction.id)")
            log.end(hung, isUndone: !transaction.isToCommit)
        }
        log.marker(transaction.id, at: now)
        return transaction.isToCommit ? [] : ended
    }

    /// A marker ends whatever its producer has open in a partition.
    func isHung(_ id: Int, endedBy later: Transaction) -> Bool {
        id < later.id && transactions[id].producer == later.producer && transactions[id].isOver
    }

    private func finish(_ transaction: Transaction) {
        transaction.state = transaction.state == .committing ? .committed : .aborted
        let waiters = transaction.waiters
        transaction.waiters = []
        for waiter in waiters { waiter() }
    }

    func ledgerChanged(_ partition: Int) {
        for process in processes { process?.ledgerChanged(Int32(partition)) }
    }
}
