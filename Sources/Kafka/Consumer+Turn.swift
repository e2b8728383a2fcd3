internal import CRDKafka
internal import Records

extension Consumer {
    private static let idle: Int32 = 1000
    private static let startRetry: Int32 = 5
    private static let startAttempts = 2000

    /// One turn of the thread: records while there is room for them, then everything else, blocking while there is
    /// nothing to do until a record, an event or a job comes.
    func turn() {
        guard let client else { return }
        let mayBlock = takeRecords(client)
        let isWaiting = retryStarts()
        serve(mainQueue, client, timeout: !mayBlock ? 0 : isWaiting ? Self.startRetry : Self.idle)
    }

    /// Serves a queue's events: waits for the first, takes what else is there, in bounded portions.
    func serve(_ queue: OpaquePointer, _ client: NativeClient, timeout: Int32) {
        var timeout = timeout
        for _ in 0..<1000 {
            guard let event = rd_kafka_queue_poll(queue, timeout) else { return }
            timeout = 0
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_REBALANCE: rebalance(event, client.pointer)
            case RD_KAFKA_EVENT_ERROR: failed(event, client.pointer)
            default: client.report(event)
            }
            rd_kafka_event_destroy(event)
        }
    }

    /// Takes at most one batch. True where nothing is left to take, or no room for it: then the thread may block, and is
    /// woken by the library or the reader.
    private func takeRecords(_ client: NativeClient) -> Bool {
        guard mailbox.hasRoom() else { return true }
        var batch: [Record] = []
        var size = 0
        var current: (topic: OpaquePointer?, partition: Int32, name: String, from: Int64?) = (nil, -1, "", nil)
        var isEmpty = false
        while batch.count < maximumBatch && size < 4 << 20 {
            guard let event = rd_kafka_queue_poll(recordQueue, 0) else {
                isEmpty = true
                break
            }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH else {
                mailbox.add(batch, bytes: size)
                (batch, size) = ([], 0)
                failed(event, client.pointer)
                rd_kafka_event_destroy(event)
                continue
            }
            while let message = rd_kafka_event_message_next(event) {
                let (topic, partition) = (message.pointee.rkt, message.pointee.partition)
                if topic != current.topic || partition != current.partition {
                    let name = topic == current.topic ? current.name : String(cString: rd_kafka_topic_name(topic))
                    current = (topic, partition, name, partitions[TopicPartition(name, partition)]?.from)
                }
                // What is not started, or was revoked, is not delivered, whatever the library fetched before.
                guard let from = current.from, message.pointee.offset >= from else { continue }
                let record = Record(message, topic: current.name)
                size += record.size
                batch.append(record)
            }
            rd_kafka_event_destroy(event)
        }
        mailbox.add(batch, bytes: size)
        return isEmpty
    }

    /// An error event: the end of a partition, a fatal error, or one that passes.
    private func failed(_ event: OpaquePointer, _ client: OpaquePointer) {
        guard let error = NativeClient.error(of: event, client: client) else { return }
        var about: TopicPartition?
        if let element = rd_kafka_event_topic_partition(event) {
            let partition = TopicPartition(String(cString: element.pointee.topic), element.pointee.partition)
            let offset = element.pointee.offset
            rd_kafka_topic_partition_destroy(element)
            if error.code == .partitionEnd {
                if partitions[partition]?.from != nil { mailbox.add(.endOfPartition(partition, offset: offset)) }
                return
            }
            about = partition
        }
        if error.isFatal {
            mailbox.add(.fatal(error))
        } else {
            mailbox.addReport(.error(error, about))
        }
    }

    /// Goes to the partition's wanted offset. While the library still stops or starts the partition, it refuses; then
    /// the next turns try again.
    func seek(_ partition: TopicPartition) throws(KafkaError) {
        guard let client, let progress = partitions[partition], let from = progress.from else { return }
        let list = PartitionList([(partition, offset: from)])
        // Answered by the library's main thread, without a broker: a bound against its faults only.
        let error = KafkaError.take(rd_kafka_seek_partitions(client.pointer, list.pointer, 1000)) ?? list.error
        switch error?.code {
        case nil:
            partitions[partition]?.attempts = 0
            mailbox.remove([partition])
            mailbox.add(.started(partition, number: progress.number))
            let resumed = PartitionList([partition])
            let error = KafkaError(rd_kafka_resume_partitions(client.pointer, resumed.pointer)) ?? resumed.error
            if let error { throw error }
        case .state?, .previousInProgress?, .unknownPartition?, .timedOut?:
            partitions[partition]?.attempts += 1
        default: throw error!
        }
    }

    /// True while a start still waits for the library.
    private func retryStarts() -> Bool {
        var isWaiting = false
        for (partition, progress) in partitions where progress.attempts > 0 {
            if progress.attempts > Self.startAttempts {
                partitions[partition]?.attempts = 0
                let text = "\(partition) could not be started; it stands still until the next assignment"
                mailbox.addReport(.error(KafkaError(.state, text), partition))
                continue
            }
            do throws(KafkaError) {
                try seek(partition)
            } catch {
                partitions[partition]?.attempts = 0
                mailbox.addReport(.error(error, partition))
            }
            if partitions[partition]?.attempts ?? 0 > 0 { isWaiting = true }
        }
        return isWaiting
    }
}
