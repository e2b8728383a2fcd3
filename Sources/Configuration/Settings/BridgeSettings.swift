// Imports nothing: what can be configured, as plain values. The initial value of a property is the product's default;
// `Keys/` declares for each property its key, type, range and meaning, which docs/configuration.md shows.

/// All settings of the bridge. A fresh value holds the defaults, and lacks what has none: brokers and connections.
package struct BridgeSettings: SettingsRoot, Equatable {
    package var kafka = KafkaSettings()
    package var group = GroupSettings()
    package var replica = ReplicaSettings()
    package var transactions = TransactionSettings()
    package var topics = TopicSettings()
    package var ledger = LedgerSettings()
    package var source = SourceSettings()
    /// In the order of the names.
    package var connections: [ConnectionSettings] = []
    package var calls = CallSettings()
    package var retry = RetrySettings()
    package var circuit = CircuitSettings()
    package var doubt = DoubtSettings()
    package var hold = HoldSettings()
    package var results = ResultSettings()
    package var deadLetters = DeadLetterSettings()
    package var server = ServerSettings()
    package var logging = LoggingSettings()
    package var metrics = MetricsSettings()
    package var shutdown = ShutdownSettings()

    package init() {}

    /// The producer's transactional id, unique in the cluster as long as group, namespace and replica name are.
    package var transactionalId: String { joined([group.id, replica.namespace, replica.name]) }

    /// The transactional id of `check`, which no replica can have: a name holds no slash.
    package var checkTransactionalId: String { transactionalId + "/check" }

    /// `group.instance.id`, or nil where membership is dynamic.
    package var groupInstanceId: String? { replica.isStatic ? joined([replica.namespace, replica.name]) : nil }

    /// The topic that the ledger belongs to: the source, or the intake topic where records are moved there first.
    package var ledgerSource: String { source.isRekeyed ? topics.intake : topics.source }

    /// `group.instance.id` of the consumer of `ledgerSource`. A static member that came back with another topic would get
    /// its old partitions: another topic, another id.
    package var ledgerInstanceId: String? {
        guard source.isRekeyed, replica.isStatic else { return groupInstanceId }
        return joined([replica.namespace, replica.name, "moved"])
    }

    /// The group that reads the source to move its records.
    package var intakeGroup: String { group.id + "-intake" }

    /// The mover's transactional id: the replica's, in the mover's group.
    package var intakeTransactionalId: String {
        joined([intakeGroup, replica.namespace, replica.name])
    }

    /// The connection that a stream's calls go through: the one that names it, else the one with `*`.
    package func connection(forStream stream: String) -> ConnectionSettings? {
        connections.first { $0.streams.contains { $0.utf8.elementsEqual(stream.utf8) } }
            ?? connections.first { $0.streams.contains("*") }
    }
}

/// Joins up to three names with dots, so that no two different lists give the same text: where a name has a dot of its
/// own, the names' lengths follow (`group.a.b.5-3`). Such a text has more dots than any without lengths.
private func joined(_ names: [String?]) -> String {
    let names = names.compactMap { $0 }
    let text = names.joined(separator: ".")
    guard names.contains(where: { $0.utf8.contains(UInt8(ascii: ".")) }) else { return text }
    return text + "." + names.map { String($0.utf8.count) }.joined(separator: "-")
}

/// Keys `retry.*`: the wait before the next attempt of an event that provably was not started.
package struct RetrySettings: Sendable, Equatable {
    package var initialDelay: Duration = .seconds(1)
    package var maximumDelay: Duration = .seconds(60)
    package var jitterPercent = 20

    package init() {}
}

/// Keys `circuit.*`.
package struct CircuitSettings: Sendable, Equatable {
    package var failures = 5
    package var openFor: Duration = .seconds(30)
    package var foreignAnswers = 3

    package init() {}
}

/// Keys `calls.*`.
package struct CallSettings: Sendable, Equatable {
    package var maximumInFlight = 256
    package var maximumReady = 1000
    package var campaignCoolDown: Duration = .zero

    package init() {}
}

/// Keys `doubt.*`.
package struct DoubtSettings: Sendable, Equatable {
    package var readBackInterval: Duration = .seconds(30)
    package var readBackTimeout: Duration = .minutes(10)

    package init() {}
}

/// Keys `hold.*`.
package struct HoldSettings: Sendable, Equatable {
    package var leaseDuration: Duration = .seconds(30)
    package var confirmInterval: Duration = .seconds(10)

    package init() {}
}

/// How started events are written.
package enum ResultFormat: String, Sendable, CaseIterable {
    case structured
    case binary
}

/// Keys `results.*`.
package struct ResultSettings: Sendable, Equatable {
    package var format: ResultFormat = .structured
    package var source = "/campaign-bridge"

    package init() {}
}

/// Keys `deadLetters.*`.
package struct DeadLetterSettings: Sendable, Equatable {
    package var maximumBytes = 960 << 10

    package init() {}
}

/// Keys `server.*`: health and metrics.
package struct ServerSettings: Sendable, Equatable {
    package var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    package var maximumConnections = 256
    package var maximumConnectionsPerAddress = 64
    package var maximumBodyBytes = 1 << 20
    package var timeout: Duration = .seconds(30)
    package var certificateFile: String?
    package var keyFile: String?

    package init() {}
}

/// Severity from which lines are written.
package enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, warning, error
}

/// How log lines look; `auto` is text on a terminal and JSON elsewhere.
package enum LogFormat: String, Sendable, CaseIterable {
    case auto, json, text
}

/// Keys `logging.*`.
package struct LoggingSettings: Sendable, Equatable {
    package var level: LogLevel = .info
    package var format: LogFormat = .auto
    package var repeatInterval: Duration = .seconds(60)

    package init() {}
}

/// Keys `metrics.*`.
package struct MetricsSettings: Sendable, Equatable {
    package var maximumAccounts = 100

    package init() {}
}

/// Keys `shutdown.*`.
package struct ShutdownSettings: Sendable, Equatable {
    package var drainDeadline: Duration = .seconds(45)

    package init() {}
}
