internal import CRDKafka
internal import Records
internal import Synchronization

/// A C client with what its callbacks need. Used on its actor's thread only; it is a plain struct of the actor's state.
struct NativeClient {
    let pointer: OpaquePointer
    private let context: Unmanaged<CallbackContext>

    /// Makes the client. librdkafka starts its threads here and connects in the background.
    init(
        _ type: rd_kafka_type_t, _ configuration: NativeConfiguration, events: Int32,
        reports: DeliveryReports? = nil, observer: @escaping ClientObserver
    ) throws(KafkaError) {
        let retained = Unmanaged.passRetained(CallbackContext(observer: observer, reports: reports))
        let conf = configuration.pointer
        rd_kafka_conf_set_opaque(conf, retained.toOpaque())
        // A callback and not the log queue: it also gets the lines that come while the client is made, and those of a
        // client whose thread is stuck.
        rd_kafka_conf_set_log_cb(conf, logged)
        if reports != nil { rd_kafka_conf_set_dr_msg_cb(conf, delivered) }
        rd_kafka_conf_set_events(conf, events)
        let usesTokens = configuration.usesTokens
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(type, conf, &text, text.count) else {
            retained.release()
            throw KafkaError(.invalidArgument, "the Kafka client cannot be made: \(KafkaError.text(text))")
        }
        configuration.take()
        pointer = client
        context = retained
        if usesTokens, let error = KafkaError.take(rd_kafka_sasl_background_callbacks_enable(client)) {
            destroy()
            throw error
        }
    }

    /// Ends the client. It blocks until the library's threads have ended, which can take long and, by known faults of
    /// the library, for ever: only on the client's own thread.
    func destroy() {
        rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        context.release()
    }

    /// As a time: the end of a partition, as far as the client's isolation level shows it.
    static let end: Int64 = -1

    /// The offset of the first record at or after a time, or `end`; partitions without one are left out.
    func offsets(
        of partitions: [TopicPartition], at time: Int64, timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(partitions, offset: time)
        if let error = KafkaError(rd_kafka_offsets_for_times(pointer, list.pointer, timeout.milliseconds)) {
            throw error
        }
        var offsets: [TopicPartition: Int64] = [:]
        for element in list.elements {
            if let error = element.error { throw error }
            if element.offset >= 0 { offsets[element.partition] = element.offset }
        }
        return offsets
    }

    /// Every topic that this user may see, as the cluster describes it, or why it cannot.
    func topics(timeout: Duration) throws(KafkaError) -> [(name: String, KafkaError?, TopicDescription)] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        if let error = KafkaError(rd_kafka_metadata(pointer, 1, nil, &metadata, timeout.milliseconds)) {
            throw error
        }
        guard let metadata else { throw KafkaError(.badMessage, "the cluster gave no metadata") }
        defer { rd_kafka_metadata_destroy(metadata) }
        return (0..<Int(metadata.pointee.topic_cnt)).map { index in
            let topic = metadata.pointee.topics[index]
            let description = TopicDescription(
                partitions: (0..<Int(topic.partition_cnt)).map { index in
                    let partition = topic.partitions[index]
                    return .init(
                        id: partition.id, leader: partition.leader, replicas: Int(partition.replica_cnt),
                        inSync: Int(partition.isr_cnt))
                })
            return (String(cString: topic.topic), KafkaError(topic.err), description)
        }
    }

    /// Hands an error or statistics event on to the observer; other events are nothing to it.
    func report(_ event: OpaquePointer) {
        guard let told = Self.clientEvent(event, of: pointer) else { return }
        context.takeUnretainedValue().observer(told)
    }

    /// The event's error, with the fatal one behind it where it says only that there is one.
    static func error(of event: OpaquePointer, client: OpaquePointer) -> KafkaError? {
        let code = rd_kafka_event_error(event)
        // The event's own flag is false for fatal ones, and some versions tell the cause instead of `_FATAL`.
        if let fatal = KafkaError.fatal(of: client),
            code == RD_KAFKA_RESP_ERR__FATAL || fatal.code.rawValue == code.rawValue
        {
            return fatal
        }
        return KafkaError(code, String(cString: rd_kafka_event_error_string(event)))
    }

    private static func clientEvent(_ event: OpaquePointer, of client: OpaquePointer) -> ClientEvent? {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_ERROR:
            return error(of: event, client: client).map(ClientEvent.error)
        case RD_KAFKA_EVENT_STATS:
            guard let text = rd_kafka_event_stats(event) else { return nil }
            return .statistics(Statistics(text: text))
        default: return nil
        }
    }
}

/// What C callbacks find behind the client's opaque pointer.
final class CallbackContext: Sendable {
    let observer: ClientObserver
    let reports: DeliveryReports?

    init(observer: @escaping ClientObserver, reports: DeliveryReports?) {
        self.observer = observer
        self.reports = reports
    }
}

/// The records of the round under way that could not be delivered. A report of an earlier round, such as of a record
/// that an abort has purged, is not counted. Locked because C calls it; in fact it is used on the producer's thread only.
final class DeliveryReports: Sendable {
    private let state = Mutex((round: UInt32(0), failed: [(index: Int, error: KafkaError)]()))

    /// Begins a round; the records that are produced from now on belong to it.
    func begin() {
        state.withLock { $0 = ($0.round &+ 1, []) }
    }

    /// What a record carries through the library: its round and its number in it.
    func token(_ index: Int) -> UnsafeMutableRawPointer? {
        let round = state.withLock { $0.round }
        return UnsafeMutableRawPointer(bitPattern: UInt(round) << 32 | UInt(UInt32(index)) + 1)
    }

    func add(_ token: UnsafeMutableRawPointer?, _ error: KafkaError) {
        let bits = UInt(bitPattern: token)
        state.withLock { state in
            guard bits >> 32 == UInt(state.round), bits & 0xFFFF_FFFF > 0 else { return }
            state.failed.append((Int(bits & 0xFFFF_FFFF) - 1, error))
        }
    }

    func take() -> [(index: Int, error: KafkaError)] {
        state.withLock { state in
            defer { state.failed = [] }
            return state.failed
        }
    }
}

private func logged(
    _ client: OpaquePointer?, _ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
    guard let client, let facility, let text, let opaque = rd_kafka_opaque(client) else { return }
    Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue().observer(
        .log(level: Int(level), facility: String(cString: facility), text: String(cString: text)))
}

private func delivered(
    _ client: OpaquePointer?, _ message: UnsafePointer<rd_kafka_message_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let message, let opaque, let error = KafkaError(message.pointee.err) else { return }
    Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue().reports?.add(message.pointee._private, error)
}

/// Ends a poll of a native queue from any thread, until the queue is closed.
///
/// Unchecked: the pointer is used only under the lock, and librdkafka's yield is safe on every thread.
final class Waker: @unchecked Sendable {
    private let lock = Mutex(())
    private var queue: OpaquePointer?

    init(queue: OpaquePointer) { self.queue = queue }

    func wake() {
        lock.withLock { _ in
            if let queue { rd_kafka_queue_yield(queue) }
        }
    }

    /// From here on waking does nothing. Call it before the queue is destroyed.
    func close() {
        lock.withLock { _ in queue = nil }
    }
}
