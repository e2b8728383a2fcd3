internal import BridgeCore
package import Configuration
package import Records

/// A right on the brokers that the bridge needs.
package enum Right: Hashable, Sendable {
    case read(topic: String)
    case write(topic: String)
    /// For `check` only.
    case describeConfigs(topic: String)
    case describeBrokerConfigs
    case readGroup(String)
    /// On all transactional ids that begin so.
    case writeTransactionalIDs(String)

    /// Operation, and the options of `kafka-acls.sh` that name the resource; for people, the resource in words.
    private var parts: (operation: String, words: String, options: String) {
        switch self {
        case .read(let topic): ("Read", "the topic \(topic)", "--topic \(topic)")
        case .write(let topic): ("Write", "the topic \(topic)", "--topic \(topic)")
        case .describeConfigs(let topic): ("DescribeConfigs", "the topic \(topic)", "--topic \(topic)")
        case .describeBrokerConfigs: ("DescribeConfigs", "the cluster", "--cluster")
        case .readGroup(let id): ("Read", "the group \(id)", "--group \(id)")
        case .writeTransactionalIDs(let prefix):
            (
                "Write", "transactional ids that begin with \(prefix)",
                "--resource-pattern-type prefixed --transactional-id \(prefix)"
            )
        }
    }

    /// Such as "Read on the topic campaign-started".
    package var text: String { "\(parts.operation) on \(parts.words)" }

    /// What a person is to do, in words and as a command.
    package func grant(_ settings: BridgeSettings) -> String { "grant \(text): \(command(settings))" }

    /// How it is given to the bridge's user.
    package func command(_ settings: BridgeSettings) -> String {
        let user = settings.kafka.security.username ?? "<the bridge's user>"
        return "kafka-acls.sh --add --allow-principal 'User:\(user)' --operation \(parts.operation) \(parts.options)"
    }
}

extension BridgeSettings {
    /// Topics that the bridge writes to.
    package var writtenTopics: [String] {
        var names = [topics.started, topics.deadLetters]
        if let failed = topics.failed { names.append(failed) }
        names += [topics.ledger, topics.control]
        if source.isRekeyed { names.append(topics.intake) }
        return names
    }

    /// What is shown to a topic to learn whether it may be written to.
    package func probe(of topic: String) -> OutgoingRecord {
        .mark(topic, partition: 0, by: "probe", isIntake: source.isRekeyed && topic == topics.intake)
    }

    /// Topics that the bridge reads.
    package var readTopics: [String] {
        [topics.source, topics.ledger, topics.control] + (source.isRekeyed ? [topics.intake] : [])
    }

    /// What the bridge needs on a topic.
    package func rights(on topic: String) -> [Right] {
        (readTopics.contains(topic) ? [Right.read(topic: topic)] : [])
            + (writtenTopics.contains(topic) ? [Right.write(topic: topic)] : [])
    }
}
