import BridgeCore
import Operations
import Records

// What the commands of operators write.

extension Samples {
    /// Replays of dead letters in every form, with every finding.
    static var replays: [Sample] {
        let findings: [Replay.Finding?] = [nil, .notStarted, .started(instanceID: nil), .started(instanceID: "ci-1")]
        return (requests + faulty).flatMap { name, event in
            let outcome = Outcome.deadLetter(.rejected, message: "why", nonce: 0x0123_4567_89ab_cdef)
            let letter = record(of: records([write(event, outcome)], .structured)[0])
            return findings.compactMap { finding in
                let order = ReplayOrder(operatorName: "ann", because: "the list was wrong", finding: finding)
                return DeadLetter(letter).flatMap { read in
                    ReplayRecord.make(read, of: letter, order: order, sourceTopic: topics.source).map {
                        Sample(name: "replay of \(name)", headers: "replay.headers.schema.json", record: $0)
                    }
                }
            }
        }
    }

    static let hold = Hold(who: "ann", why: "incident \"7\"", at: now)

    /// Holds of everything that can be held.
    static var holds: [Sample] {
        let scopes: [HoldScope] = [
            .all, .account("main"), .stream("st-1"), .campaign(streamID: "st-1", campaignID: "cd-1"),
        ]
        return scopes.map { scope in
            Sample(
                name: "hold of \(scope.text)", value: "control-record.schema.json", key: "control-key.schema.json",
                record: OutgoingRecord(topic: "control", key: scope.key, value: hold.value))
        }
    }

    /// As a consumer reads it.
    static func record(of written: OutgoingRecord) -> Record {
        Record(
            topic: written.topic, partition: 0, offset: 7, timestamp: now, key: written.key, value: written.value,
            headers: written.headers)
    }
}
