package import Configuration
package import Kafka

/// The topics that the bridge needs, and what is wrong with those that are there.
package struct TopicPlan: Sendable {
    package let topics: [NewTopic]
    private let isRekeyed: Bool
    private let ledger: String
    private let control: String

    /// Whether a topic with so many partitions cannot be used as planned. More in the ledger than in the source are left
    /// unused; with intake each event would be looked for elsewhere.
    package func isWrong(_ topic: NewTopic, partitions count: Int) -> Bool {
        if topic.name == control { return count != 1 }
        if topic.name == ledger { return isRekeyed ? count != topic.partitions : count < topic.partitions }
        return false
    }

    /// Whether partitions may be added to it until it has as many as planned: what is there stays where it is.
    package func mayGrow(_ topic: NewTopic) -> Bool { topic.name == ledger && !isRekeyed }

    /// - Parameters:
    ///   - existing: partitions of the topics that exist, by name. The ledger has as many as the topic that it belongs
    ///     to, and the intake topic as many as a ledger that is there before it.
    ///   - replication: copies of each partition; nil: as configured.
    package init(_ settings: BridgeSettings, existing: [String: Int] = [:], replication: Int? = nil) {
        let copies = replication ?? settings.topics.replicationFactor
        let durable = ["min.insync.replicas": String(min(copies, settings.topics.minInsyncReplicas))]
        // A repeat at the end of the window may be handled as late as its maximum age allows, and its entry must then
        // still be there.
        let window = String(settings.ledgerRetention.milliseconds64)
        let isRekeyed = settings.source.isRekeyed
        let partitions = existing[settings.topics.source] ?? settings.topics.partitions
        let intake =
            existing[settings.topics.intake] ?? existing[settings.topics.ledger] ?? settings.topics.partitions
        func topic(_ name: String, _ count: Int, _ own: [String: String]) -> NewTopic {
            NewTopic(
                name: name, partitions: count, replicationFactor: copies,
                configuration: durable.merging(own) { _, new in new })
        }
        var topics = [
            topic(
                settings.topics.source, partitions,
                ["message.timestamp.type": "LogAppendTime", "retention.ms": window]),
            topic(
                settings.topics.ledger, isRekeyed ? intake : partitions,
                [
                    "cleanup.policy": "compact,delete", "retention.ms": window,
                    "message.timestamp.type": "LogAppendTime", "min.cleanable.dirty.ratio": "0.1",
                ]),
            topic(settings.topics.started, partitions, [:]),
            topic(settings.topics.deadLetters, partitions, ["retention.ms": String(90 * 86_400_000)]),
            // Confirmations come every few seconds, and only closed segments are compacted.
            topic(
                settings.topics.control, 1,
                ["cleanup.policy": "compact", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1"]),
        ]
        if isRekeyed {
            topics.append(
                topic(
                    settings.topics.intake, intake,
                    [
                        // As long as the source's: what waits in it must not be removed unread.
                        "message.timestamp.type": "LogAppendTime", "retention.ms": window,
                        "max.message.bytes": String(settings.intakeRecordBytes + 65_536),
                    ]))
        }
        if let failed = settings.topics.failed { topics.append(topic(failed, partitions, [:])) }
        self.topics = topics
        self.isRekeyed = isRekeyed
        ledger = settings.topics.ledger
        control = settings.topics.control
    }
}

extension BridgeSettings {
    /// How long the ledger must keep an entry.
    package var ledgerRetention: Duration { ledger.dedupWindow + source.maximumAge + source.ageMargin }
}

extension Duration {
    package var milliseconds64: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
