package import Records

/// What a person found out about an event whose outcome is unknown.
package enum Finding: Sendable, Equatable {
    case notStarted
    case started(instanceID: String?)

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
    package var finding: Finding?

    package init(operatorName: String, because: String, finding: Finding? = nil) {
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
package enum Replay {
    /// nil where the order does not fit the dead letter.
    package static func record(
        _ letter: DeadLetter, of record: Record, order: ReplayOrder, sourceTopic: String
    ) -> OutgoingRecord? {
        guard order.fits(Remedy(of: letter, sourceTopic: sourceTopic)), let source = letter.source,
            let generation = letter.generation, let nonce = letter.nonce, let key = letter.identityKey
        else { return nil }
        let original = AddedHeaders.original(of: record)
        var headers = original.headers
        func add(_ name: String, _ text: String) { headers.append(Header("campaign-bridge-replay-" + name, text)) }
        add("generation", String(generation + 1))
        add("nonce", nonce)
        headers.append(Header(name: Array("campaign-bridge-replay-identity".utf8), value: key))
        add("operator", order.operatorName)
        add("reason", order.because)
        if let finding = order.finding {
            add("finding", finding.name)
            if case .started(let id?) = finding { add("instance-id", id) }
        }
        return OutgoingRecord(
            topic: source.topic, partition: source.partition, key: original.key, value: original.value,
            headers: headers)
    }
}
