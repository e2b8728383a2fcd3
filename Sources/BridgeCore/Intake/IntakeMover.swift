package import Records

/// Turns a record of the source into its record of the intake topic. Pure.
///
/// Value, key and headers stay as they are. The partition follows from the event's identity alone, so that all records
/// of one event meet in one partition, and in one ledger.
package struct IntakeMover: Sendable {
    package let topic: String
    /// Of the intake topic. It must not change while the ledger remembers events: each would then be looked for in
    /// another partition than the one it was written in.
    package let partitions: Int
    private let decoder: RequestDecoder
    #if DELIBERATE_FAULTS
        package var deliberateFault: DeliberateFault?
    #endif

    /// - Parameter decoder: as the source's records are decoded.
    package init(topic: String, partitions: Int, decoder: RequestDecoder) {
        precondition(partitions > 0)
        self.topic = topic
        self.partitions = partitions
        self.decoder = decoder
    }

    package func move(_ record: Record) -> MovedRecord {
        let origin = IntakeOrigin(of: record)
        let kept = record.headers.filter { !IntakeOrigin.isAdded($0) }
        return MovedRecord(
            origin: origin,
            outgoing: OutgoingRecord(
                topic: topic, partition: partition(of: record), key: record.key, value: record.value,
                headers: kept + origin.headers),
            partitions: partitions)
    }

    /// The marks of a settling transaction.
    package func marks(of plan: IntakePlan) -> [OutgoingRecord] {
        (0..<plan.settles).map {
            OutgoingRecord.mark(topic, partition: $0, by: "", isIntake: true)
        }
    }

    func partition(of record: Record) -> Int32 {
        #if DELIBERATE_FAULTS
            if deliberateFault == .movedByPlace { return record.partition % Int32(partitions) }
        #endif
        return MovedRecord.partition(of: identity(of: record), among: partitions)
    }

    /// The identity by which the record's entry found its partition, or will. A replay has it again, but for a record
    /// without one: that is known by its old place, which the replay names. Of a record that was not whole only the name
    /// is left.
    private func identity(of record: Record) -> EventIdentity {
        let own = decoder.decodeEvent(record).identity
        guard own.kind == .position else { return own }
        do throws(RecordFault) {
            guard let (replay, named) = try Replay.of(record) else { return own }
            return named.kind == .position || replay.isResolution(record) ? named : own
        } catch {
            // It is refused wherever it goes.
            return own
        }
    }
}

/// One source record on its way to the intake topic.
package struct MovedRecord: Sendable, Hashable {
    package var origin: IntakeOrigin
    package var outgoing: OutgoingRecord
    /// Of the intake topic.
    let partitions: Int

    static func partition(of identity: EventIdentity, among partitions: Int) -> Int32 {
        Int32(KeyHash(identity.key, key: .fixed).low % UInt64(partitions))
    }

    /// Leaves out what makes it too large for the topic: what is left ends as a dead letter that names its place, and has
    /// its place as its identity.
    mutating func shorten() {
        guard origin.omitted == nil else { return }
        let added = origin.headers.count
        let valueHash = KeyHash(outgoing.value ?? [], key: .fixed).hex
        origin.omitted = OmittedContent(
            valueBytes: outgoing.value?.count ?? 0, valueHash: valueHash, headers: outgoing.headers.count - added)
        let identity = EventIdentity.position(of: origin, valueHash: valueHash)
        outgoing.partition = Self.partition(of: identity, among: partitions)
        if let key = outgoing.key, key.count > Self.longestKeptKey { outgoing.key = nil }
        outgoing.value = nil
        outgoing.headers = origin.headers
    }

    private static let longestKeptKey = 4096

    /// Memory that it takes while it waits, about.
    package var bytes: Int {
        var bytes = 256
        bytes += outgoing.key?.count ?? 0
        bytes += outgoing.value?.count ?? 0
        for header in outgoing.headers { bytes += 64 + header.name.count + (header.value?.count ?? 0) }
        return bytes
    }
}
