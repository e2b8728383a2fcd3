/// What the driver must do for a partition's take-over. Each is answered with the input of the same name.
package enum TakeOverStep: Sendable, Hashable {
    case committedOffset(partition: Int32, epoch: Int)
    case marks(partition: Int32, epoch: Int)
    /// Read the ledger partition from its beginning, read_committed, and keep tailing it.
    case readLedger(partition: Int32, epoch: Int)
    case readControl(partition: Int32, epoch: Int)
    /// Deliver the source partition's records from this offset on.
    case start(partition: Int32, offset: Int64)
    /// Stop tailing the ledger partition.
    case stop(partition: Int32)
}

/// Ends of a ledger partition and its source partition, as a read_uncommitted client sees them.
package struct PartitionMarks: Sendable, Hashable {
    package var ledgerLow: Int64
    package var ledgerHigh: Int64
    package var sourceLow: Int64
    package var sourceHigh: Int64

    package init(ledgerLow: Int64, ledgerHigh: Int64, sourceLow: Int64, sourceHigh: Int64) {
        self.ledgerLow = ledgerLow
        self.ledgerHigh = ledgerHigh
        self.sourceLow = sourceLow
        self.sourceHigh = sourceHigh
    }
}

/// The next transaction: all of it, or nothing.
package struct TransactionPlan: Sendable {
    package var id: Int
    /// Number of the assignment whose group metadata the offsets are sent with (L1).
    package var assignment: Int
    package var writes: [LedgerWrite]
    /// For each partition with a write, moved or not (L2).
    package var offsets: [Int32: Int64]
    /// How far each of these partitions' ledger has been read: what is committed beside the offset, so that a ledger that
    /// ends before it is known to be another one (P1).
    package var ledgerEnds: [Int32: Int64] = [:]
    /// Ledger partitions, from 0 on, that it settles; it then holds nothing else (see `ReplicaMachine.settling`).
    package var settles: Int32 = 0
    /// Partitions of result topics that it settles, nothing else with them.
    package var settlesResults: [ResultPlace] = []

    /// Whether it holds nothing but marks.
    package var isSettling: Bool { settles > 0 || !settlesResults.isEmpty }
}

/// A partition of a result topic.
package struct ResultPlace: Sendable, Hashable {
    package var topic: String
    package var partition: Int32

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

/// One ledger entry, and the result that becomes visible with it.
package struct LedgerWrite: Sendable {
    package var partition: Int32
    package var key: [UInt8]
    package var entry: LedgerEntry
    package var result: ResultWrite?
    let ref: RequestRef
    let hash: KeyHash
}

/// A started event or a dead letter, to be written in the product's own form.
package struct ResultWrite: Sendable {
    package var event: DecodedRecord
    package var outcome: Outcome
    package var connection: Int?
    /// The ledger's key of its entry: the event's identity, or the record's own place.
    package var entryKey: [UInt8]
    package var generation: Int32
    package var attempts: Int32
    package var shortening: Shortening
}

/// How a transaction ended.
package enum TransactionEnd: Sendable {
    case committed
    /// Nothing of it is visible. Culprits: writes that the topics would not take for their size.
    case aborted(culprits: [Int], groupIsStale: Bool)
    /// Whether it was committed is not known (L5); the producer is gone.
    case lost
}

/// One call to begin now.
package struct CallOrder: Sendable {
    package var hash: KeyHash
    package var attempt: Attempt
    package var connection: Int
    package var call: StartCall
}

/// One reading of a campaign's state to make now; answered with `readEnded`.
package struct ReadOrder: Sendable {
    package var id: Int
    package var connection: Int
    package var read: StatusRead
    /// Whether to try besides whether an expired token is refused: a second reading with the state before it.
    package var triesExpiredToken: Bool
}

/// A late answer to be written through the plain producer, to the ledger partition of its source partition.
package struct LateWrite: Sendable, Equatable {
    package var partition: Int32
    package var hash: KeyHash
    package var answer: LateAnswer
}

/// What this replica says of itself in the control topic: it has applied the holds below `seen`, and acts on them until
/// `until` at most.
package struct LeaseWrite: Sendable, Equatable {
    package var replica: ControlBoard.Replica
    /// Milliseconds since 1970.
    package var at: Int64
}

/// Which partitions' records to hold back and which to deliver again.
package struct FlowChange: Sendable, Equatable {
    package var pause: [Int32] = []
    package var resume: [Int32] = []
}
