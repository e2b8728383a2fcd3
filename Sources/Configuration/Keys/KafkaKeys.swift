// Imports nothing: the declarations of the keys that concern Kafka.

extension Key where Root == BridgeSettings {
    static var kafka: [Key] {
        [
            .list(
                "kafka.bootstrapServers", \.kafka.bootstrapServers, of: .broker, count: 1...50, required: true,
                example: "[\"kafka-1.example.com:9092\", \"kafka-2.example.com:9092\"]",
                "Brokers to ask first for the others."),
            .value("kafka.clientId", \.kafka.clientId, .identifier, "Name in the brokers' logs, quotas and metrics."),
            .value(
                "kafka.operationTimeout", \.kafka.operationTimeout, .duration(.seconds(1)...(.minutes(5))),
                "Longest wait for one answer about topics, offsets, watermarks or a transaction before it counts as failed and is asked again."
            ),
            .value(
                "kafka.statisticsInterval", \.kafka.statisticsInterval, .duration(.seconds(1)...(.hours(1))),
                "How often the client's own statistics become metrics."),
            .value(
                "kafka.security.protocol", \.kafka.security.securityProtocol, .choice,
                "How the brokers are spoken to: with or without TLS, with or without a login."),
            .optional(
                "kafka.security.mechanism", \.kafka.security.mechanism, .choice, example: "SCRAM-SHA-512",
                "How the bridge logs in. Needed with a `sasl_` protocol only."),
            .optional(
                "kafka.security.username", \.kafka.security.username, .line, example: "campaign-bridge",
                "Login name for PLAIN and SCRAM."),
            .secret("kafka.security.password", \.kafka.security.password, "Password for PLAIN and SCRAM."),
            .file(
                "kafka.security.caFile", \.kafka.security.caFile, example: "/etc/campaign-bridge/kafka/ca.crt",
                "PEM file with the authorities to trust; the system's own without it."),
            .file(
                "kafka.security.certificateFile", \.kafka.security.certificateFile,
                example: "/etc/campaign-bridge/kafka/tls.crt", "PEM file with the client certificate for mutual TLS."),
            .file(
                "kafka.security.keyFile", \.kafka.security.keyFile, example: "/etc/campaign-bridge/kafka/tls.key",
                "PEM file with the client certificate's private key."),
            .secret("kafka.security.keyPassword", \.kafka.security.keyPassword, "Password of the private key."),
            .value(
                "kafka.security.verifyHostName", \.kafka.security.verifyHostName, .flag,
                "Whether the broker's certificate must name the broker's host."),
            .properties(
                "kafka.properties", \.kafka.properties,
                "Further librdkafka properties for every client. librdkafka itself checks them at the start; those that the bridge sets are refused."
            ),
            .properties(
                "kafka.consumerProperties", \.kafka.consumerProperties,
                "Further librdkafka properties for consumers only."),
            .properties(
                "kafka.producerProperties", \.kafka.producerProperties,
                "Further librdkafka properties for producers only."),
        ]
    }

    static var group: [Key] {
        [
            .value(
                "group.id", \.group.id, .identifier,
                "Consumer group. All replicas of one bridge share it; another bridge on the same cluster needs another."
            ),
            .value(
                "group.sessionTimeout", \.group.sessionTimeout, .duration(.seconds(1)...(.minutes(30))),
                "After this long without a heartbeat the group takes a replica for dead and gives its partitions to others."
            ),
            .value(
                "group.heartbeatInterval", \.group.heartbeatInterval, .duration(.milliseconds(100)...(.minutes(10))),
                "Time between heartbeats; at most a third of `group.sessionTimeout`."),
            .value(
                "group.maxPollInterval", \.group.maxPollInterval, .duration(.seconds(10)...(.hours(24))),
                "Longest time that the group waits for a replica to give up partitions."),
            .value(
                "group.revokeDeadline", \.group.revokeDeadline, .duration(.seconds(1)...(.hours(1))),
                "How long partitions that go to another replica are kept until their calls have ended. Longer than any `deadline` of a connection, shorter than `group.maxPollInterval`."
            ),
            .value(
                "group.assignmentStrategy", \.group.assignmentStrategy, .choice,
                "How the group shares out partitions. To change it, stop all replicas first."),
            .optional(
                "replica.name", \.replica.name, .identifier, example: "campaign-bridge-0",
                "Name of this replica, unique in the group and the same after a restart. Without it, the host name."),
            .optional(
                "replica.namespace", \.replica.namespace, .identifier, example: "production",
                "Keeps the names of replicas apart where one Kafka cluster serves several installations."),
            .value(
                "replica.static", \.replica.isStatic, .flag,
                "Whether the group knows the replica by its name, so that a quick restart moves no partitions."),
            .value(
                "replica.twinExitDelay", \.replica.twinExitDelay, .duration(.zero...(.minutes(5))),
                "Wait before the exit when a second process with this replica's name was found, so that a supervisor does not let the two throw each other out in turn."
            ),
            .value(
                "replica.joinAnewInterval", \.replica.joinAnewInterval, .duration(.zero...(.hours(24))),
                "Where the Kafka library does not recover from what a broker did, the replica makes new clients and joins the group anew. If that happens again within this time, the process ends instead. Where another client has its name, only the third time within two minutes ends it, as a twin: its own requests from before an outage look the same."
            ),
        ]
    }

    static var transactions: [Key] {
        [
            .value(
                "transactions.timeout", \.transactions.timeout, .duration(.seconds(1)...(.minutes(15))),
                "After this long the broker aborts an open transaction. It also bounds how long a take-over from a dead replica waits."
            ),
            .value(
                "transactions.watchdogMargin", \.transactions.watchdogMargin, .duration(.seconds(1)...(.minutes(5))),
                "How long after `transactions.timeout` a call into the producer that does not return counts as lost."),
            .value(
                "transactions.maximumEntries", \.transactions.maximumEntries, .integer(1...100_000),
                "Most records in one transaction."),
            .value(
                "transactions.maximumBytes", \.transactions.maximumBytes, .size((64 << 10)...(256 << 20)),
                "Most bytes in one transaction."),
        ]
    }

    static var topics: [Key] {
        [
            .value("topics.source", \.topics.source, .topic, "Requests to start a campaign."),
            .value("topics.started", \.topics.started, .topic, "Started events."),
            .value("topics.deadLetters", \.topics.deadLetters, .topic, "Dead letters."),
            .value(
                "topics.ledger", \.topics.ledger, .topic,
                "The ledger, with as many partitions as the source, or as the intake topic with `source.rekey`."),
            .value(
                "topics.intake", \.topics.intake, .topic,
                "With `source.rekey`: where the source's records are moved to, by their identity. Its partitions must never change in number while the ledger remembers events."
            ),
            .value("topics.control", \.topics.control, .topic, "Where holds are kept: one partition, compacted."),
            .optional(
                "topics.failed", \.topics.failed, .topic, example: "campaign-start-failed",
                "If set, each dead letter is also told as a `campaign.start.failed` CloudEvent on this topic."),
            .value(
                "topics.replicationFactor", \.topics.replicationFactor, .integer(1...10),
                "Copies of a partition, for topics that `campaign-bridge topics` creates."),
            .value(
                "topics.minInsyncReplicas", \.topics.minInsyncReplicas, .integer(1...10),
                "Copies that must have a record before it counts as written, for topics that are created."),
            .value(
                "topics.partitions", \.topics.partitions, .integer(1...10_000),
                "Partitions of source, intake, results and dead letters, for topics that are created."),
        ]
    }

    static var ledgerAndSource: [Key] {
        [
            .value(
                "ledger.dedupWindow", \.ledger.dedupWindow, .duration(.hours(1)...(.days(365))),
                "How long the ledger remembers an event: a repeat within it starts nothing. It becomes the retention of the ledger topic."
            ),
            .value(
                "ledger.maximumEntries", \.ledger.maximumEntries, .integer(1000...100_000_000),
                "Most entries that a replica keeps in memory, about 100 bytes each; they are counted every ten minutes. A partition that does not fit stays paused until the ledger has forgotten enough."
            ),
            .value(
                "ledger.progressWarning", \.ledger.progressWarning, .duration(.seconds(1)...(.minutes(10))),
                "After this long without progress, reading the ledger at a take-over reports `ledger-blocked`. It goes on trying."
            ),
            .value(
                "source.rekey", \.source.isRekeyed, .flag,
                "Whether records are first moved to `topics.intake`, where all records of one identity meet in one partition. Without it a repeat in another partition of the source is not recognised, so producers must key their records. How to change it: docs/intake.md."
            ),
            .optional(
                "source.identityField", \.source.identityField, .fieldName, example: "requestId",
                "Field of plain JSON that identifies an event. CloudEvents have their own identity."),
            .optional(
                "source.identityHeader", \.source.identityHeader, .fieldName, example: "request-id",
                "Record header that identifies an event in plain JSON. Wins over `source.identityField`."),
            .value(
                "source.maximumAge", \.source.maximumAge, .duration(.seconds(1)...(.days(365))),
                "An event older than this is never called. With `source.ageMargin` shorter than `ledger.dedupWindow`."),
            .value(
                "source.ageMargin", \.source.ageMargin, .duration(.minutes(1)...(.days(30))),
                "How much longer than any event the ledger must remember."),
            .value(
                "source.maximumFutureTime", \.source.maximumFutureTime, .duration(.zero...(.hours(24))),
                "A record time further ahead than this is taken for no time at all."),
            .value(
                "source.windowRecords", \.source.windowRecords, .integer(1...1_000_000),
                "Most unfinished records of one partition; more wait in Kafka."),
            .value(
                "source.windowBytes", \.source.windowBytes, .size((1 << 20)...(16 << 30)),
                "Most bytes of unfinished records of all partitions together."),
            .value(
                "source.maximumRecordBytes", \.source.maximumRecordBytes, .size((1 << 10)...(64 << 20)),
                "Largest value that is looked into; a larger one becomes a dead letter."),
            .value(
                "source.prefetchBytes", \.source.prefetchBytes, .size((1 << 20)...(2 << 30)),
                "Most bytes that the client fetches ahead."),
        ]
    }
}
