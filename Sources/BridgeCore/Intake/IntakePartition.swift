/// One assigned source partition, as the mover knows it.
struct IntakePartition {
    /// The steps of a take-over, in their order; each waits for the driver's answer.
    enum Stage: Equatable {
        /// The groups' committed offsets, stable.
        case committedOffsets
        /// The source partition's ends.
        case ends(own: Int64?, direct: Int64?)
        case owned
        /// A revoke is held while the open transaction ends.
        case draining
        /// A person must decide; nothing is moved.
        case blocked
    }

    /// Counts every take-over of this process: what belongs to an earlier one is stale.
    let epoch: Int
    var stage = Stage.committedOffsets
    /// Records that are not in a transaction yet, in their order.
    var waiting = FIFO<MovedRecord>()
    var bytes = 0
    /// The next record to come.
    var position: Int64 = 0
    var committed: Int64 = -1
    /// Since when the position is ahead of the committed offset without a record, monotonic.
    var movedAt: Int64?
    var isPaused = false

    init(epoch: Int) { self.epoch = epoch }

    var isOwned: Bool { stage == .owned }

    /// Everything below is moved once the records that are taken out of `waiting` are committed.
    var watermark: Int64 { waiting.first?.origin.offset ?? position }
}

/// What the driver must do. The first two are answered with the input of the same name.
package enum IntakeStep: Sendable, Hashable {
    /// The committed offsets of the mover's group, and of the group that reads the source where records are not moved.
    case committedOffsets(partition: Int32, epoch: Int)
    case ends(partition: Int32, epoch: Int)
    /// Deliver the source partition's records from this offset on.
    case start(partition: Int32, offset: Int64)
    /// Look until readers of committed records could pass everything that stands in these partitions of the intake topic
    /// now; answered with `sighted`.
    case sight(transaction: Int, partitions: [Int32])
}

/// The next transaction of moved records: all of it, or nothing.
package struct IntakePlan: Sendable {
    package var id: Int
    /// Number of the assignment whose group metadata the offsets are sent with (L1).
    package var assignment: Int
    package var records: [MovedRecord]
    /// For each record its source partition.
    package var sources: [Int32]
    /// For each partition with a record (L2), and those whose position moved without one.
    package var offsets: [Int32: Int64]
    /// Partitions of the intake topic, from 0 on, that it settles; it then holds nothing else.
    package var settles: Int32 = 0
}

/// What the mover tells its driver to log.
package enum IntakeNote: Sendable, Equatable {
    case owned(partition: Int32, from: Int64)
    case lost(partition: Int32)
    /// Nothing of it is moved until a person has decided; the text says what to do.
    case blocked(partition: Int32, String)
    /// Records were removed from the source before they were moved.
    case gap(partition: Int32, from: Int64, to: Int64)
    case shortened(partition: Int32, offset: Int64)
}

/// Where reading a source partition begins, when the way from source to ledger may have changed: with and without the
/// intake, the ledger has an event in different partitions, so that reading a record again in the other way would call
/// it again.
package enum SourceStart: Sendable, Equatable {
    case at(Int64?)
    /// Until a person has set the offsets: only a person can know that no replica reads the other way any more.
    case refused(String)

    /// - Parameters:
    ///   - own: committed offset of the group that is to read; nil: none.
    ///   - other: that of the group of the other way.
    package init(own: Int64?, other: Int64?, isIntake: Bool) {
        guard let other, other > own ?? -1 else {
            self = .at(own)
            return
        }
        let was = isIntake ? "without" : "with"
        self = .refused(
            "the source was read \(was) intake up to \(other), and this way only up to"
                + " \(own.map(String.init) ?? "its beginning"): set source.rekey back, or change over as docs/intake.md says"
        )
    }
}
