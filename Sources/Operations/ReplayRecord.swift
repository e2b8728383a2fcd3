package import BridgeCore
package import Records

extension Replay.Finding {
    /// As the header and the command line write it.
    package var name: String {
        switch self {
        case .notStarted: "not-started"
        case .started: "started"
        }
    }
}

/// Who replays, why, and with which finding.
package struct ReplayOrder: Sendable, Equatable {
    /// Most bytes of each text.
    package static let maximumText = 256

    package var operatorName: String
    package var because: String
    package var finding: Replay.Finding?

    package init(operatorName: String, because: String, finding: Replay.Finding? = nil) {
        self.operatorName = operatorName
        self.because = because
        self.finding = finding
    }

    /// Whether a remedy allows it.
    package func fits(_ remedy: Remedy) -> Bool {
        switch (remedy, finding) {
        case (.replay, _), (.finding, .some), (.onlyStarted, .started): true
        case (.finding, nil), (.onlyStarted, _), (.none, _): false
        }
    }
}

/// A replay: the original record, to its original place, with headers that name the dead letter that it answers.
package enum ReplayRecord {
    /// nil where the order does not fit the dead letter.
    package static func make(
        _ letter: DeadLetter, of record: Record, order: ReplayOrder, sourceTopic: String
    ) -> OutgoingRecord? {
        guard order.fits(Remedy(of: letter, sourceTopic: sourceTopic)), let source = letter.source,
            let generation = letter.generation, let nonce = letter.nonce, let key = letter.identityKey
        else { return nil }
        let original = AddedHeaders.original(of: record)
        var headers = original.headers
        func add(_ name: String, _ text: String) { headers.append(Header(name, text)) }
        add(Replay.HeaderName.generation, String(generation + 1))
        add(Replay.HeaderName.nonce, nonce)
        headers.append(Header(name: Array(Replay.HeaderName.identity.utf8), value: key))
        add(Replay.HeaderName.person, order.operatorName)
        add(Replay.HeaderName.reason, order.because)
        if let finding = order.finding {
            add(Replay.HeaderName.finding, finding.name)
            if case .started(let id?) = finding { add(Replay.HeaderName.instanceID, id) }
        }
        return OutgoingRecord(
            topic: source.topic, partition: source.partition, key: original.key, value: original.value,
            headers: headers)
    }
}
