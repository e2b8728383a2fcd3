/// How a replica stands at one moment, for health, metrics and people.
package struct ReplicaSnapshot: Sendable {
    package struct Account: Sendable {
        package var connection: String
        package var waiting: Int
        package var inFlight: Int
        /// Milliseconds until the account's pause ends; 0: none.
        package var pausedFor: Int64
        /// Whether the connection's circuit is open.
        package var isCircuitOpen: Bool
        /// Whether the API's clock and ours differ by more than the leeway, so that nothing is called or decided.
        package var isClockOff: Bool
    }

    package enum Stage: String, Sendable, CaseIterable {
        case takingOver = "taking-over"
        case owned
        case draining
        case blocked
    }

    package struct PartitionState: Sendable {
        package var partition: Int32
        package var stage: Stage
        /// During a take-over, the step that it waits for and how far that is; it changes whenever there is progress.
        package var waitsFor: String?
        /// Milliseconds since the take-over began.
        package var age: Int64
        package var position: Int64
        package var committed: Int64
        package var unfinished: Int
        package var isPaused: Bool
        /// The ledger has been read to here; nil: it is not being read.
        package var ledgerEnd: Int64?
        /// The ledger cannot end before this offset, unless its topic was made anew; nil: nothing is known of its end.
        package var ledgerNeeded: Int64?
        package var ledgerEntries: Int
        package var ledgerBytes: Int
    }

    package var accounts: [Account]
    package var partitions: [PartitionState]
    package var isProducerReady: Bool
    package var isAssigned: Bool
    package var isDraining: Bool
    package var callsInFlight: Int
    package var intentsReady: Int
    package var inDoubt: Int
    /// Milliseconds since the oldest attempt in doubt was written; nil: none.
    package var oldestDoubt: Int64?
    /// Events whose intent or result is too large for its topic, and waits.
    package var writesRefused: Int
    package var windowBytes: Int
    /// Holds in the control topic, as far as this replica has read it.
    package var holds: [String]
    /// Whether it may act: it has said of late that it knows the holds.
    package var hasLease: Bool
}

extension ReplicaMachine {
    package func snapshot(at now: Moment) -> ReplicaSnapshot {
        var inDoubt = 0
        var oldest: Int64?
        var refused = 0
        for partition in partitions.values {
            for request in partition.requests.values {
                if request.isRefused { refused += 1 }
                guard case .inDoubt(let doubt) = request.phase else { continue }
                inDoubt += 1
                oldest = min(oldest ?? .max, doubt.attempt.startedAt)
            }
        }
        return ReplicaSnapshot(
            accounts: lanes.accounts.indices.map { index in
                let account = lanes.accounts[index]
                return .init(
                    connection: settings.connections[index].name, waiting: account.waiting,
                    inFlight: account.inFlight, pausedFor: max(0, account.pausedUntil - now.monotonic),
                    isCircuitOpen: account.circuit.openUntil != nil, isClockOff: account.isClockOff)
            },
            partitions: partitions.map { number, partition in
                .init(
                    partition: number, stage: partition.publicStage, waitsFor: partition.waitsFor,
                    age: now.monotonic - partition.began, position: partition.position, committed: partition.committed,
                    unfinished: partition.requests.count, isPaused: partition.isPaused,
                    ledgerEnd: partition.isTailing ? max(0, partition.ledgerEnd) : nil,
                    ledgerNeeded: partition.ledgerNeeded,
                    ledgerEntries: partition.index.count, ledgerBytes: partition.index.bytes)
            }.sorted { $0.partition < $1.partition },
            isProducerReady: isProducerReady, isAssigned: assignment != nil, isDraining: isDraining,
            callsInFlight: callsInFlight, intentsReady: readyCount, inDoubt: inDoubt,
            oldestDoubt: oldest.map { max(0, now.wall - $0) }, writesRefused: refused, windowBytes: windowBytes,
            holds: holding.board.holds.keys.map(\.text).sorted(), hasLease: hasLease(at: now))
    }
}

extension Partition {
    fileprivate var waitsFor: String? {
        switch stage {
        case .committedOffset: "the group's committed offset, behind open transactions"
        case .marks: "the ends of ledger and source"
        case .ledger(_, let mark):
            "the ledger: read to offset \(max(0, ledgerEnd)) with \(index.count) entries, of \(mark); an open"
                + " transaction holds it up, or it cannot be read"
        case .control: "the control topic's end"
        case .owned, .draining, .blocked: nil
        }
    }

    fileprivate var publicStage: ReplicaSnapshot.Stage {
        switch stage {
        case .committedOffset, .marks, .ledger, .control: .takingOver
        case .owned: .owned
        case .draining: .draining
        case .blocked: .blocked
        }
    }
}
