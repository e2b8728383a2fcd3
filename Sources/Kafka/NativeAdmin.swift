internal import CRDKafka
internal import Records

/// The admin requests of a C client, each blocking until its answer or the timeout. On the admin's thread only.
struct NativeAdmin {
    let client: NativeClient
    let timeout: Duration

    /// First and last + 1 offset of a partition, transactions still open included.
    func watermarks(_ partition: TopicPartition) throws(KafkaError) -> (low: Int64, high: Int64) {
        var low: Int64 = 0
        var high: Int64 = 0
        let result = rd_kafka_query_watermark_offsets(
            client.pointer, partition.topic, partition.partition, &low, &high, timeout.milliseconds)
        if let error = KafkaError(result) { throw KafkaError(error, about: partition) }
        return (low, high)
    }

    /// Topics by name; those that do not exist are left out. nil: all.
    func topics(_ names: [String]?) throws(KafkaError) -> [String: TopicDescription] {
        var found: [String: TopicDescription] = [:]
        for (name, error, description) in try client.topics(timeout: timeout) {
            guard names?.contains(name) ?? true else { continue }
            if let error {
                if error.code == .unknownTopicOrPartition { continue }
                throw KafkaError(error.code, "topic \(name): \(error.message)")
            }
            found[name] = description
        }
        return found
    }

    /// The cluster's brokers.
    func brokers() throws(KafkaError) -> [BrokerDescription] {
        var pointer: UnsafePointer<rd_kafka_metadata>?
        if let error = KafkaError(rd_kafka_metadata(client.pointer, 0, nil, &pointer, timeout.milliseconds)) {
            throw error
        }
        guard let pointer else { throw KafkaError(.badMessage, "the cluster gave no metadata") }
        defer { rd_kafka_metadata_destroy(pointer) }
        return (0..<Int(pointer.pointee.broker_cnt)).map { index in
            let broker = pointer.pointee.brokers[index]
            return BrokerDescription(id: broker.id, address: "\(String(cString: broker.host)):\(broker.port)")
        }
    }

    /// A topic's effective configuration.
    func configuration(ofTopic name: String) throws(KafkaError) -> [String: String] {
        try configuration(RD_KAFKA_RESOURCE_TOPIC, name)
    }

    /// A broker's effective configuration.
    func configuration(ofBroker id: Int32) throws(KafkaError) -> [String: String] {
        try configuration(RD_KAFKA_RESOURCE_BROKER, String(id))
    }

    private func configuration(
        _ type: rd_kafka_ResourceType_t, _ name: String
    ) throws(KafkaError) -> [String: String] {
        guard let resource = rd_kafka_ConfigResource_new(type, name) else {
            throw KafkaError(.invalidArgument, "the configuration of \(name) cannot be asked for")
        }
        defer { rd_kafka_ConfigResource_destroy(resource) }
        var resources: [OpaquePointer?] = [resource]
        let event = try wait(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS) { options, queue in
            rd_kafka_DescribeConfigs(client.pointer, &resources, 1, options, queue)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let answers = rd_kafka_DescribeConfigs_result_resources(result, &count), count == 1, let answer = answers[0]
        else { throw KafkaError(.badMessage, "the broker's answer holds no configuration") }
        if let error = KafkaError(rd_kafka_ConfigResource_error(answer)) {
            throw KafkaError(
                error.code,
                rd_kafka_ConfigResource_error_string(answer).map { String(cString: $0) } ?? error.message)
        }
        var values: [String: String] = [:]
        let entries = rd_kafka_ConfigResource_configs(answer, &count)
        for index in 0..<count {
            guard let entry = entries?[index], let value = rd_kafka_ConfigEntry_value(entry),
                let name = rd_kafka_ConfigEntry_name(entry)
            else { continue }
            values[String(cString: name)] = String(cString: value)
        }
        return values
    }

    /// Makes topics. An error for each that was not made, `.topicAlreadyExists` among them.
    func createTopics(_ topics: [NewTopic]) throws(KafkaError) -> [String: KafkaError] {
        guard !topics.isEmpty else { return [:] }
        var requests: [OpaquePointer?] = []
        defer { for request in requests { rd_kafka_NewTopic_destroy(request) } }
        for topic in topics {
            var text = [CChar](repeating: 0, count: 256)
            guard
                let request = rd_kafka_NewTopic_new(
                    topic.name, Int32(topic.partitions), Int32(topic.replicationFactor), &text, text.count)
            else { throw KafkaError(.invalidArgument, "topic \(topic.name): \(KafkaError.text(text))") }
            requests.append(request)
            for (name, value) in topic.configuration {
                if let error = KafkaError(rd_kafka_NewTopic_set_config(request, name, value)) { throw error }
            }
        }
        let event = try wait(RD_KAFKA_ADMIN_OP_CREATETOPICS) { options, queue in
            rd_kafka_CreateTopics(client.pointer, &requests, requests.count, options, queue)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        let answers = rd_kafka_event_CreateTopics_result(event).flatMap {
            rd_kafka_CreateTopics_result_topics($0, &count)
        }
        return try Self.failures(answers, count)
    }

    /// Adds partitions, up to the count of each topic. An error for each topic that has not got them.
    func addPartitions(_ counts: [String: Int]) throws(KafkaError) -> [String: KafkaError] {
        guard !counts.isEmpty else { return [:] }
        var requests: [OpaquePointer?] = []
        defer { for request in requests { rd_kafka_NewPartitions_destroy(request) } }
        for (name, count) in counts {
            var text = [CChar](repeating: 0, count: 256)
            guard let request = rd_kafka_NewPartitions_new(name, count, &text, text.count) else {
                throw KafkaError(.invalidArgument, "topic \(name): \(KafkaError.text(text))")
            }
            requests.append(request)
        }
        let event = try wait(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS) { options, queue in
            rd_kafka_CreatePartitions(client.pointer, &requests, requests.count, options, queue)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        let answers = rd_kafka_event_CreatePartitions_result(event).flatMap {
            rd_kafka_CreatePartitions_result_topics($0, &count)
        }
        return try Self.failures(answers, count)
    }

    /// Removes topics. An error for each that was not removed.
    func deleteTopics(_ names: [String]) throws(KafkaError) -> [String: KafkaError] {
        guard !names.isEmpty else { return [:] }
        var requests: [OpaquePointer?] = names.map { rd_kafka_DeleteTopic_new($0) }
        defer { for request in requests { rd_kafka_DeleteTopic_destroy(request) } }
        let event = try wait(RD_KAFKA_ADMIN_OP_DELETETOPICS) { options, queue in
            rd_kafka_DeleteTopics(client.pointer, &requests, requests.count, options, queue)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        let answers = rd_kafka_event_DeleteTopics_result(event).flatMap {
            rd_kafka_DeleteTopics_result_topics($0, &count)
        }
        return try Self.failures(answers, count)
    }

    private static func failures(
        _ answers: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
    ) throws(KafkaError) -> [String: KafkaError] {
        guard let answers else { throw KafkaError(.badMessage, "the broker's answer names no topic") }
        var failures: [String: KafkaError] = [:]
        for index in 0..<count {
            guard let answer = answers[index], let error = KafkaError(rd_kafka_topic_result_error(answer)) else {
                continue
            }
            failures[String(cString: rd_kafka_topic_result_name(answer))] = KafkaError(
                error.code,
                rd_kafka_topic_result_error_string(answer).map { String(cString: $0) } ?? error.message)
        }
        return failures
    }

    /// Makes one admin request and waits for its answer, which the caller frees.
    private func wait(
        _ operation: rd_kafka_admin_op_t, _ request: (OpaquePointer, OpaquePointer) -> Void
    ) throws(KafkaError) -> OpaquePointer {
        guard let options = rd_kafka_AdminOptions_new(client.pointer, operation) else {
            throw KafkaError(.invalidArgument, "the operation is unknown to librdkafka \(LibraryVersion.string)")
        }
        defer { rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 256)
        if let error = KafkaError(
            rd_kafka_AdminOptions_set_request_timeout(options, timeout.milliseconds, &text, text.count))
        {
            throw KafkaError(error.code, KafkaError.text(text))
        }
        let queue: OpaquePointer = rd_kafka_queue_new(client.pointer)
        defer { rd_kafka_queue_destroy(queue) }
        request(options, queue)
        let end = ContinuousClock.now.advanced(by: timeout + .seconds(5))
        while ContinuousClock.now < end {
            guard let event = rd_kafka_queue_poll(queue, 1000) else { continue }
            if let error = KafkaError(rd_kafka_event_error(event)) {
                let message = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? error.message
                rd_kafka_event_destroy(event)
                throw KafkaError(error.code, message, isRetriable: error.isRetriable)
            }
            return event
        }
        throw KafkaError(.timedOut, "the cluster did not answer in \(timeout)", isRetriable: true)
    }
}
