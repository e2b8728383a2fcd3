// Imports nothing.

/// How the brokers are spoken to; the raw value is librdkafka's.
package enum SecurityProtocol: String, Sendable, CaseIterable {
    case plaintext
    case ssl
    case saslPlaintext = "sasl_plaintext"
    case saslSSL = "sasl_ssl"

    package var usesSASL: Bool { self == .saslPlaintext || self == .saslSSL }
    package var usesTLS: Bool { self == .ssl || self == .saslSSL }
}

/// How the bridge logs in; the raw value is librdkafka's.
package enum SASLMechanism: String, Sendable, CaseIterable {
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
    case oauthBearer = "OAUTHBEARER"
    case gssapi = "GSSAPI"

    package var needsPassword: Bool { self == .plain || self == .scramSHA256 || self == .scramSHA512 }
}

/// Keys `kafka.security.*`.
package struct KafkaSecuritySettings: Sendable, Equatable {
    package var securityProtocol: SecurityProtocol = .plaintext
    package var mechanism: SASLMechanism?
    package var username: String?
    package var password: Secret?
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?
    package var keyPassword: Secret?
    package var verifyHostName = true

    package init() {}
}

/// Keys `kafka.*`. Of the three sets of properties, the special one wins over the common one.
package struct KafkaSettings: Sendable, Equatable {
    package var bootstrapServers: [String] = []
    package var clientId = "campaign-bridge"
    package var security = KafkaSecuritySettings()
    package var operationTimeout: Duration = .seconds(30)
    package var statisticsInterval: Duration = .seconds(15)
    package var properties = Properties()
    package var consumerProperties = Properties()
    package var producerProperties = Properties()

    package init() {}
}

/// How the group shares out partitions; the raw value is librdkafka's.
package enum AssignmentStrategy: String, Sendable, CaseIterable {
    case range
    case roundRobin = "roundrobin"
    case cooperativeSticky = "cooperative-sticky"
}

/// Keys `group.*`.
package struct GroupSettings: Sendable, Equatable {
    package var id = "campaign-bridge"
    package var sessionTimeout: Duration = .seconds(6)
    package var heartbeatInterval: Duration = .seconds(2)
    package var maxPollInterval: Duration = .minutes(5)
    package var revokeDeadline: Duration = .seconds(60)
    package var assignmentStrategy: AssignmentStrategy = .range

    package init() {}
}

/// Keys `replica.*`.
package struct ReplicaSettings: Sendable, Equatable {
    /// Where nothing is configured: the host name, which loading fills in.
    package var name: String?
    package var namespace: String?
    package var isStatic = true
    package var twinExitDelay: Duration = .seconds(10)
    package var joinAnewInterval: Duration = .minutes(10)

    package init() {}
}

/// Keys `transactions.*`.
package struct TransactionSettings: Sendable, Equatable {
    package var timeout: Duration = .seconds(10)
    package var watchdogMargin: Duration = .seconds(15)
    package var maximumEntries = 2000
    package var maximumBytes = 8 << 20

    package init() {}
}

/// Keys `topics.*`.
package struct TopicSettings: Sendable, Equatable {
    package var source = "campaign-start-requests"
    package var started = "campaign-started"
    package var deadLetters = "campaign-start-dead-letters"
    package var ledger = "campaign-start-ledger"
    package var control = "campaign-start-control"
    package var intake = "campaign-start-intake"
    package var failed: String?
    package var replicationFactor = 3
    package var minInsyncReplicas = 2
    package var partitions = 8

    package init() {}
}

/// Keys `ledger.*`.
package struct LedgerSettings: Sendable, Equatable {
    package var dedupWindow: Duration = .days(7)
    package var maximumEntries = 2_000_000
    package var progressWarning: Duration = .seconds(30)

    package init() {}
}

/// Keys `source.*`.
package struct SourceSettings: Sendable, Equatable {
    package var isRekeyed = false
    package var identityField: String?
    package var identityHeader: String?
    package var maximumAge: Duration = .hours(24)
    package var ageMargin: Duration = .hours(1)
    package var maximumFutureTime: Duration = .minutes(5)
    package var windowRecords = 10_000
    package var windowBytes = 64 << 20
    package var maximumRecordBytes = 1 << 20
    package var prefetchBytes = 16 << 20

    package init() {}
}
