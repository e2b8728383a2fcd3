internal import BridgeCore
package import Configuration
package import Kafka

// What the mover takes of the configuration.

extension BridgeSettings {
    /// The consumer of the source in the mover's group.
    package var intakeConsumer: ClientSettings {
        var settings = consumer
        settings.properties["group.id"] = intakeGroup
        settings.properties["group.instance.id"] = groupInstanceId
        return settings
    }

    /// The mover's producer. Its records are the source's with a few headers more, so its limit is higher than theirs.
    package var intakeProducer: ClientSettings {
        var settings = producer
        if settings.properties["message.max.bytes"] == nil {
            settings.properties["message.max.bytes"] = String(intakeRecordBytes)
        }
        return settings
    }

    /// Largest record that is moved whole; of a larger one only its place is, and it becomes a dead letter.
    package var intakeRecordBytes: Int { max(1_000_000, source.maximumRecordBytes + 1 << 20) }

    var intakeMachine: IntakeMachine.Settings {
        var machine = IntakeMachine.Settings()
        machine.maximumTransaction = transactions.maximumEntries
        machine.maximumTransactionBytes = transactions.maximumBytes
        machine.windowRecords = 2 * transactions.maximumEntries
        machine.windowBytes = max(source.prefetchBytes, 2 * transactions.maximumBytes)
        return machine
    }
}
