internal import CRDKafka
internal import Records

/// A producing C client with its topic handles. Used on its actor's thread only.
final class NativeProducer {
    let client: NativeClient
    let reports: DeliveryReports
    /// Of a record without its headers, as the client is configured (`message.max.bytes`).
    let maximumBytes: Int
    private var topics: [String: OpaquePointer] = [:]

    init(
        _ settings: ClientSettings, defaults: [String: String], forced: [String: String],
        observer: @escaping ClientObserver
    ) throws(KafkaError) {
        let configuration = try NativeConfiguration(
            settings, defaults: defaults, forced: forced, removed: NativeProducer.consumerOnly)
        maximumBytes = configuration.number(of: "message.max.bytes")
        reports = DeliveryReports()
        // No events: nobody polls between two writes, so they would pile up while a producer is idle. Without them the
        // library logs its errors, and makes no statistics.
        client = try NativeClient(
            RD_KAFKA_PRODUCER, configuration, events: 0, reports: reports, observer: observer)
    }

    /// Properties that a shared configuration may hold and a producer does not take.
    private static let consumerOnly: Set<String> = [
        "group.id", "group.instance.id", "partition.assignment.strategy", "session.timeout.ms",
        "heartbeat.interval.ms", "max.poll.interval.ms", "auto.offset.reset", "queued.max.messages.kbytes",
        "fetch.wait.max.ms", "isolation.level", "statistics.interval.ms",
    ]

    /// Bytes that a record takes on the wire at most, uncompressed: its parts and the batch format's own bytes.
    static func size(of record: OutgoingRecord) -> Int {
        var bytes = 96
        bytes += record.key?.count ?? 0
        bytes += record.value?.count ?? 0
        for header in record.headers { bytes += header.name.count + (header.value?.count ?? 0) + 10 }
        return bytes
    }

    /// Hands one record to the library, which copies it. `index` comes back with a failed delivery.
    func produce(_ record: OutgoingRecord, index: Int) throws(KafkaError) {
        guard let topic = try topic(record.topic) else { return }
        var headers: OpaquePointer?
        if !record.headers.isEmpty {
            headers = rd_kafka_headers_new(record.headers.count)
            for header in record.headers { add(header, to: headers) }
        }
        let error = withBytes(record.key) { key, keySize in
            withBytes(record.value) { value, valueSize in
                crdkafka_produce(
                    client.pointer, topic, record.partition ?? RD_KAFKA_PARTITION_UA, key, keySize, value, valueSize,
                    headers, reports.token(index))
            }
        }
        if let error = KafkaError.take(error) {
            if let headers { rd_kafka_headers_destroy(headers) }
            throw error
        }
    }

    private func add(_ header: Header, to headers: OpaquePointer?) {
        header.name.withUnsafeBufferPointer { name in
            name.withMemoryRebound(to: CChar.self) { name in
                withBytes(header.value) { value, size in
                    _ = rd_kafka_header_add(headers, name.baseAddress, name.count, value, size)
                }
            }
        }
    }

    /// A null pointer for nil, a pointer to nothing for no bytes.
    private func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> T) -> T {
        guard let bytes else { return body(nil, 0) }
        guard !bytes.isEmpty else {
            var nothing: UInt8 = 0
            return withUnsafePointer(to: &nothing) { body(UnsafeRawPointer($0), 0) }
        }
        return bytes.withUnsafeBytes { body($0.baseAddress, $0.count) }
    }

    private func topic(_ name: String) throws(KafkaError) -> OpaquePointer? {
        if let known = topics[name] { return known }
        guard let topic = rd_kafka_topic_new(client.pointer, name, nil) else {
            throw KafkaError(KafkaError.Code(rawValue: rd_kafka_last_error().rawValue), "topic \(name) cannot be used")
        }
        topics[name] = topic
        return topic
    }

    /// Serves delivery reports without waiting.
    func serve() { rd_kafka_poll(client.pointer, 0) }

    /// What has ended the client for good; nil: nothing has.
    var fatalError: KafkaError? { KafkaError.fatal(of: client.pointer) }

    /// Waits until every record has been delivered or has failed.
    func flush(timeout: Duration) -> KafkaError? {
        KafkaError(rd_kafka_flush(client.pointer, timeout.milliseconds))
    }

    func destroy() {
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        client.destroy()
    }
}
