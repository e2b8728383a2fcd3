internal import JSON
internal import Records

/// A person's wish that a dead letter be taken up again, as its record's headers say it (rule L9).
package struct Replay: Sendable, Equatable {
    /// What a person found out about an attempt whose outcome was not known.
    package enum Finding: Sendable, Equatable {
        case notStarted
        case started(instanceID: String?)
    }

    /// One above the dead letter's, so at least 1.
    package var generation: Int32
    /// The dead letter's.
    package var nonce: UInt64
    package var finding: Finding?

    package init(generation: Int32, nonce: UInt64, finding: Finding?) {
        self.generation = generation
        self.nonce = nonce
        self.finding = finding
    }

    /// Names of the headers.
    package enum HeaderName {
        package static let prefix = "campaign-bridge-replay-"
        package static let generation = prefix + "generation"
        package static let nonce = prefix + "nonce"
        package static let identity = prefix + "identity"
        package static let finding = prefix + "finding"
        package static let instanceID = prefix + "instance-id"
        package static let person = prefix + "operator"
        package static let reason = prefix + "reason"
    }

    /// Whether `record`, which this is of, only says that a start was found. Of an event that was too large for its dead
    /// letter nothing else is left to be said.
    func isResolution(_ record: Record) -> Bool {
        if case .started? = finding { record.value == nil } else { false }
    }

    /// nil: the record is no replay.
    ///
    /// - Throws: a record that says it is one, but not properly.
    static func of(_ record: Record) throws(RecordFault) -> (replay: Replay, identity: EventIdentity)? {
        let prefix = Array(HeaderName.prefix.utf8)
        guard record.headers.contains(where: { $0.name.starts(with: prefix) }) else { return nil }
        guard let generation = record.text(header: HeaderName.generation).flatMap({ Int32($0) }),
            (1...1_000_000).contains(generation),
            let nonce = record.text(header: HeaderName.nonce).flatMap({ UInt64($0, radix: 16) }),
            let key = record.text(header: HeaderName.identity),
            let identity = EventIdentity(key: Array(key.utf8))
        else {
            throw RecordFault(
                .replayRefused, "the replay's generation, nonce or identity is missing or cannot be read")
        }
        var finding: Finding?
        switch record.text(header: HeaderName.finding) {
        case nil where !record.has(header: HeaderName.finding): break
        case "not-started": finding = .notStarted
        case "started":
            finding = .started(
                instanceID: record.text(header: HeaderName.instanceID).flatMap { Identifier.isValid($0) ? $0 : nil })
        default: throw RecordFault(.replayRefused, "the replay's finding must be not-started or started")
        }
        return (Replay(generation: generation, nonce: nonce, finding: finding), identity)
    }
}

extension Record {
    fileprivate func has(header name: String) -> Bool {
        headers.contains { $0.name.elementsEqual(name.utf8) }
    }
}
