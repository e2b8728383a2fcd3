/// What the core tells the driver to log and to count; it changes nothing.
package enum Note: Sendable {
    case admitted(EventNote, isPosition: Bool)
    case suppressed(EventNote, age: Int64)
    case alreadyFinished(EventNote)
    case intentCommitted(EventNote, attempt: Int32)
    case callEnded(EventNote, attempt: Int32, AttemptReport)
    case released(EventNote, ReleaseCause, delay: Int64)
    case inDoubt(EventNote, cause: String, decidedAt: Int64)
    case finished(EventNote, Outcome, waited: Int64)
    /// Its topic does not take its intent, or its result however short that is.
    case writeRefused(EventNote, delay: Int64)
    case lateAnswer(EventNote)
    /// The broker has lost a write of it that it had acknowledged.
    case undone(EventNote)
    case accountPaused(connection: Int, milliseconds: Int64)
    case circuitOpened(connection: Int)
    case circuitClosed(connection: Int)
    case clockOff(connection: Int, milliseconds: Int64)
    case clockRight(connection: Int)
    /// What a reading after a doubt came to.
    case readBack(EventNote, ReadBackDecision)
    case partition(Int32, PartitionNews)
}

/// Names one event in a log line.
package struct EventNote: Sendable, Hashable {
    package var requestID: String
    package var partition: Int32
    package var offset: Int64
    package var connection: Int?
}

/// What became of a partition.
package enum PartitionNews: Sendable, Equatable {
    case takingOver
    case owned(from: Int64, entries: Int, milliseconds: Int64)
    case draining
    case lost
    /// Nothing of it is called until a person has decided; the text says what to do.
    case blocked(String)
    case offsetsMissing(entries: Int)
    /// The ledger partition ends before this offset, to which it was read or must be read.
    case ledgerBroken(needed: Int64)
    /// There are more entries in memory than there may be: the ledger is read again, without what it has forgotten.
    case ledgerReread(entries: Int)
    /// Records were removed from the source before this group had read them.
    case gap(from: Int64, to: Int64)
}
