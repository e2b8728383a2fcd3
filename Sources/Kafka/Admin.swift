internal import CRDKafka
internal import NativeThread
package import Records

/// A topic as the cluster describes it.
package struct TopicDescription: Sendable, Hashable {
    package struct Partition: Sendable, Hashable {
        package var id: Int32
        /// -1: none at this moment.
        package var leader: Int32
        package var replicas: Int
        package var inSync: Int
    }

    package var partitions: [Partition]
}

/// A topic to be made.
package struct NewTopic: Sendable, Hashable {
    package var name: String
    package var partitions: Int
    package var replicationFactor: Int
    package var configuration: [String: String]

    package init(name: String, partitions: Int, replicationFactor: Int, configuration: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

/// One broker of the cluster.
package struct BrokerDescription: Sendable, Hashable {
    package var id: Int32
    package var address: String
}

/// Asks the cluster: topics, configurations, offsets. Its calls block its own thread until their timeout at most.
package actor Admin {
    private nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let timeout: Duration
    private var client: RenewedClient

    /// - Parameters:
    ///   - settings: as every client's.
    ///   - timeout: of each call.
    package init(
        settings: ClientSettings, timeout: Duration, observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-admin")
        self.timeout = timeout
        client = try RenewedClient { () throws(KafkaError) in
            // A consumer that joins no group: watermark queries then see the ends that a read_uncommitted client sees,
            // open transactions included.
            let configuration = try NativeConfiguration(
                settings, defaults: ["group.id": "campaign-bridge-admin"],
                removed: ["group.instance.id", "isolation.level", "auto.offset.reset", "statistics.interval.ms"])
            try configuration.set("isolation.level", "read_uncommitted")
            // No events: nobody polls for them, so they would pile up. Without them the library logs its errors.
            return try NativeClient(RD_KAFKA_CONSUMER, configuration, events: 0, observer: observer)
        }
    }

    private func native() throws(KafkaError) -> NativeAdmin {
        NativeAdmin(client: try client.current(), timeout: timeout)
    }

    /// First and last + 1 offset of a partition, transactions still open included.
    package func watermarks(_ partition: TopicPartition) throws(KafkaError) -> (low: Int64, high: Int64) {
        try client.ask(within: timeout) { (client, limit) throws(KafkaError) in
            try NativeAdmin(client: client, timeout: limit).watermarks(partition)
        }
    }

    /// The same of a topic that may have been made just now: waits some seconds for its leader.
    package nonisolated func watermarks(
        ofNew partition: TopicPartition
    ) async throws(KafkaError) -> (low: Int64, high: Int64) {
        for _ in 0..<25 {
            do throws(KafkaError) {
                return try await watermarks(partition)
            } catch {
                guard error.code == .notLeader || error.code == .leaderNotAvailable else { throw error }
                do {
                    try await Task.sleep(for: .milliseconds(200))
                } catch {
                    throw KafkaError(.timedOut, "cancelled while \(partition) had no leader")
                }
            }
        }
        return try await watermarks(partition)
    }

    /// The offset of the first record of each partition whose time is `time` (milliseconds since 1970) or later; nil:
    /// there is none.
    package func offsets(of partitions: [TopicPartition], at time: Int64) throws(KafkaError) -> [TopicPartition: Int64]
    {
        try client.ask(within: timeout) { (client, limit) throws(KafkaError) in
            try client.offsets(of: partitions, at: time, timeout: limit)
        }
    }

    /// Last + 1 offset of each partition, transactions still open included.
    package func ends(_ partitions: [TopicPartition]) throws(KafkaError) -> [TopicPartition: Int64] {
        try offsets(of: partitions, at: NativeClient.end)
    }

    /// Topics by name; those that do not exist are left out. nil: all.
    package func topics(_ names: [String]?) throws(KafkaError) -> [String: TopicDescription] {
        try native().topics(names)
    }

    /// The cluster's brokers.
    package func brokers() throws(KafkaError) -> [BrokerDescription] { try native().brokers() }

    /// A topic's effective configuration.
    package func configuration(ofTopic name: String) throws(KafkaError) -> [String: String] {
        try native().configuration(ofTopic: name)
    }

    /// A broker's effective configuration.
    package func configuration(ofBroker id: Int32) throws(KafkaError) -> [String: String] {
        try native().configuration(ofBroker: id)
    }

    /// Makes topics. An error for each that was not made, `.topicAlreadyExists` among them.
    package func createTopics(_ topics: [NewTopic]) throws(KafkaError) -> [String: KafkaError] {
        try native().createTopics(topics)
    }

    /// Adds partitions, up to `count` of each topic. An error for each topic that has not got them.
    package func addPartitions(_ counts: [String: Int]) throws(KafkaError) -> [String: KafkaError] {
        try native().addPartitions(counts)
    }

    /// Removes topics. An error for each that was not removed.
    package func deleteTopics(_ names: [String]) throws(KafkaError) -> [String: KafkaError] {
        try native().deleteTopics(names)
    }

    /// Ends the client. Returns false where the deadline passed; the thread then goes on alone.
    package nonisolated func close(deadline: Duration) async -> Bool {
        await bounded(by: deadline, late: { false }) { await self.destroy() }
    }

    private func destroy() -> Bool {
        client.destroy()
        return true
    }
}
