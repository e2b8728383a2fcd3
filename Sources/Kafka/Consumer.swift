internal import CRDKafka
internal import NativeThread
package import Records

/// A consumer, in a group or with partitions that its user names, on a thread of its own.
///
/// In a group every newly assigned partition stands still until `start`, and every revoke is held open until
/// `finishRevoke`. Offsets are never committed here: a transaction does that. The thread polls all the time, so the
/// member stays in the group however long nobody reads `events`; what it takes ahead is bounded.
///
/// A consumer must be closed; one that is not lives on. Its calls only exchange messages with the library's own threads
/// and do not wait for a broker. Facts: `rdkafka.h`; what is done about known faults is said where it is done.
package actor Consumer {
    /// What happened, in order.
    package enum Event: Sendable {
        /// Records in partition order, at most as many as the consumer's maximum batch.
        case records([Record])
        /// The reader stands at the end of a partition, as its isolation level sees it. May come more than once.
        case endOfPartition(TopicPartition, offset: Int64)
        /// `start` with this number is in force: records and ends of the partition that come later are from its offset
        /// on, those that came before belong to an earlier start.
        case started(TopicPartition, number: Int)
        /// The list of `assign` with this number is in force: what comes later of a partition that it added belongs to
        /// that addition, and not to an earlier one.
        case assignedManually(number: Int)
        /// These partitions were assigned, each standing still until `start`. Without metadata the membership was lost
        /// again meanwhile, and another rebalance event follows. A held revoke of a lower number is over.
        case assigned(number: Int, [TopicPartition], GroupMetadata?)
        /// These partitions are to be given up: none of their records comes any more. Unless lost, or the consumer is
        /// closing, the group waits for `finishRevoke` (at most `max.poll.interval.ms`).
        case revoked(number: Int, [TopicPartition], lost: Bool)
        /// The consumer cannot go on; close it.
        case fatal(KafkaError)
        /// Something that the library recovers from by itself, or an error of one partition, which then stands still.
        case error(KafkaError, TopicPartition?)
        case statistics(Statistics)
        /// A line of the library's log; level is syslog's.
        case log(level: Int, facility: String, text: String)
    }

    /// Where a named partition begins.
    package enum Offset: Sendable, Hashable {
        case at(Int64)
        case beginning
        case end

        var native: Int64 {
            switch self {
            case .at(let offset): offset
            case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
            case .end: Int64(RD_KAFKA_OFFSET_END)
            }
        }
    }

    nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let mailbox: Mailbox
    nonisolated let waker: Waker
    let maximumBatch: Int
    /// nil once closed.
    var client: NativeClient?
    /// Rebalances, errors, statistics: everything but records.
    let mainQueue: OpaquePointer
    /// Records and partition ends. Kept apart so that the main queue is served while no more records are wanted.
    let recordQueue: OpaquePointer
    var partitions: [TopicPartition: Progress] = [:]
    var rebalances = 0
    var heldRevoke: HeldRevoke?
    var isClosing = false

    /// A partition of the assignment.
    struct Progress {
        /// Records come only after the start, and none below this offset.
        var from: Int64?
        /// Of the start.
        var number = 0
        /// A start that the library was not ready for; tried again at each turn.
        var attempts = 0
    }

    /// - Parameters:
    ///   - settings: librdkafka's properties. Automatic commits are off and the ends of partitions are told, whatever
    ///     they say; `auto.offset.reset` is `error` unless they say otherwise.
    ///   - maximumBatch: records in one event; the thread takes at most two such batches ahead of the reader.
    ///   - maximumBytes: about how many bytes of records the thread takes ahead of the reader.
    /// - Throws: `KafkaError` for an unknown property or a bad value.
    package init(settings: ClientSettings, maximumBatch: Int, maximumBytes: Int = 64 << 20) throws {
        precondition(maximumBatch > 0 && maximumBytes > 0)
        var defaults = [
            "auto.offset.reset": "error",
            // A group of this name is never joined: named partitions need the client's group object all the same.
            "group.id": "manual-assignment",
        ]
        if LibraryVersion.isAtLeast(2, 2, 0) {
            // Our own buffer follows; before 2.2 a small prefetch stalls for a second whenever it is full.
            defaults["queued.min.messages"] = String(max(2 * maximumBatch, 1000))
            defaults["queued.max.messages.kbytes"] = "16384"
            defaults["fetch.queue.backoff.ms"] = "10"
        }
        let configuration = try NativeConfiguration(
            settings, defaults: defaults,
            forced: [
                "enable.auto.commit": "false", "enable.auto.offset.store": "false", "enable.partition.eof": "true",
            ])
        let mailbox = Mailbox(maximumBatch: maximumBatch, maximumBytes: maximumBytes)
        let client = try NativeClient(
            RD_KAFKA_CONSUMER, configuration,
            events: RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
        ) { event in
            switch event {
            case .log(let level, let facility, let text):
                mailbox.addReport(.log(level: level, facility: facility, text: text))
            case .error(let error): mailbox.addReport(.error(error, nil))
            case .statistics(let statistics): mailbox.addReport(.statistics(statistics))
            }
        }
        rd_kafka_poll_set_consumer(client.pointer)
        let main: OpaquePointer = rd_kafka_queue_get_consumer(client.pointer)
        let waker = Waker(queue: main)
        let records: OpaquePointer = rd_kafka_queue_new(client.pointer)
        // Called by the library whenever the queue of records is no longer empty. The waker lives as long as self.
        rd_kafka_queue_cb_event_enable(
            records,
            { _, opaque in
                if let opaque { Unmanaged<Waker>.fromOpaque(opaque).takeUnretainedValue().wake() }
            }, Unmanaged.passUnretained(waker).toOpaque())
        self.maximumBatch = maximumBatch
        self.mailbox = mailbox
        self.client = client
        self.waker = waker
        mainQueue = main
        recordQueue = records
        thread = NativeThread(name: "kafka-consumer")
        thread.startTurns(turn: { self.assumeIsolated { $0.turn() } }, wake: { waker.wake() })
    }

    /// Joins the group and follows these topics.
    package func subscribe(_ topics: [String]) throws {
        let client = try open()
        let list = PartitionList(topics.map { TopicPartition($0, RD_KAFKA_PARTITION_UA) })
        if let error = KafkaError(rd_kafka_subscribe(client, list.pointer)) { throw error }
    }

    /// Waits for at least one event and takes all. Empty once the consumer is closed, or when the task is cancelled. One
    /// reader at a time.
    package nonisolated func events() async -> [Event] {
        await mailbox.take { waker.wake() }
    }

    /// Log lines and errors that were dropped because nobody took the events in time.
    package nonisolated var droppedReports: Int { mailbox.dropped }

    /// Lets the records of an assigned partition come, from this offset on, or goes to another offset. Records that were
    /// taken before but not read are forgotten.
    ///
    /// - Throws: where the partition is not in the assignment any more.
    package func start(_ partition: TopicPartition, at offset: Int64, number: Int = 0) throws {
        _ = try open()
        precondition(offset >= 0)
        guard partitions[partition] != nil else {
            throw KafkaError(.unknownPartition, "\(partition) is not in the assignment")
        }
        mailbox.remove([partition])
        partitions[partition] = Progress(from: offset, number: number, attempts: 1)
        try seek(partition)
    }

    /// Stops fetching. Records that are already taken still come; later ones come again after `resume`.
    package func pause(_ partitions: [TopicPartition]) throws {
        let client = try open()
        let list = PartitionList(partitions)
        if let error = KafkaError(rd_kafka_pause_partitions(client, list.pointer)) ?? list.error { throw error }
    }

    /// Fetches again, from behind the last record that was taken.
    package func resume(_ partitions: [TopicPartition]) throws {
        let client = try open()
        let list = PartitionList(partitions)
        if let error = KafkaError(rd_kafka_resume_partitions(client, list.pointer)) ?? list.error { throw error }
    }

    /// The library's own view of the assignment, to compare with ours.
    package var assignment: [TopicPartition] {
        guard let client else { return [] }
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard rd_kafka_assignment(client.pointer, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        return PartitionList(owning: list).elements.map(\.partition)
    }

    /// The offset behind the last record that the thread took; nil before the first.
    package func position(_ partition: TopicPartition) -> Int64? {
        guard let client else { return nil }
        let list = PartitionList([partition])
        guard rd_kafka_position(client.pointer, list.pointer) == RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return list.elements.first.flatMap { $0.offset >= 0 ? $0.offset : nil }
    }

    /// The client, where it is still there.
    func open() throws(KafkaError) -> OpaquePointer {
        guard let client, !isClosing else { throw KafkaError(.destroyed, "the consumer is closed") }
        return client.pointer
    }
}
