internal import CRDKafka

/// librdkafka's Kafka in this process, without a disk: for tests and demonstrations.
///
/// It has no ACLs, keeps about 5 MiB a partition, does not store offsets that are sent to a transaction and checks no
/// generation. Before librdkafka 2.8 a group's first member waits three seconds.
package final class MockCluster: Sendable {
    // Unchecked by the compiler: set once, and librdkafka's mock functions lock by themselves.
    private nonisolated(unsafe) let client: OpaquePointer
    private nonisolated(unsafe) let cluster: OpaquePointer

    package let bootstrapServers: String

    package init(brokers: Int) throws {
        let configuration = try NativeConfiguration(ClientSettings())
        let native = try NativeClient(RD_KAFKA_PRODUCER, configuration, events: 0) { _ in }
        guard let cluster = rd_kafka_mock_cluster_new(native.pointer, Int32(brokers)) else {
            native.destroy()
            throw KafkaError(.failed, "the mock cluster cannot be made")
        }
        self.native = native
        client = native.pointer
        self.cluster = cluster
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
        crdkafka_mock_group_initial_delay(cluster, 0)
    }

    private nonisolated(unsafe) let native: NativeClient

    /// Blocks while the library ends its threads.
    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        native.destroy()
    }

    package func createTopic(_ name: String, partitions: Int, replication: Int = 1) throws {
        let error = rd_kafka_mock_topic_create(cluster, name, Int32(partitions), Int32(replication))
        if let error = KafkaError(error) { throw error }
    }

    /// The next requests of this kind (Kafka's API key) get these answers, one each.
    package func pushErrors(apiKey: Int16, _ codes: [KafkaError.Code]) {
        let errors = codes.map { rd_kafka_resp_err_t($0.rawValue) }
        rd_kafka_mock_push_request_errors_array(cluster, apiKey, errors.count, errors)
    }

    /// No further request of this kind gets such an answer.
    package func clearErrors(apiKey: Int16) { rd_kafka_mock_clear_request_errors(cluster, apiKey) }

    /// Every answer of this broker takes at least so long.
    package func setRoundTripTime(broker: Int32, milliseconds: Int32) throws {
        let error = rd_kafka_mock_broker_set_rtt(cluster, broker, milliseconds)
        if let error = KafkaError(error) { throw error }
    }

    /// Closes a broker's connections and refuses new ones, or accepts them again.
    package func setBroker(_ broker: Int32, isUp: Bool) throws {
        let error =
            isUp
            ? rd_kafka_mock_broker_set_up(cluster, broker) : rd_kafka_mock_broker_set_down(cluster, broker)
        if let error = KafkaError(error) { throw error }
    }
}
