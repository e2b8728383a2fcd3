internal import CRDKafka
internal import NativeThread
package import Records

/// Writes records outside of transactions: idempotent, with all replicas' acknowledgement, partitioned as Java clients
/// partition.
package actor Producer {
    private nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let timeout: Duration
    private let make: () throws(KafkaError) -> NativeProducer
    private var native: NativeProducer?

    /// - Parameter timeout: after it a record that was not acknowledged counts as failed; it may still be written.
    package init(
        settings: ClientSettings, timeout: Duration, observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-producer")
        self.timeout = timeout
        make = { () throws(KafkaError) in
            try NativeProducer(
                settings,
                defaults: [
                    "linger.ms": "2", "partitioner": "murmur2_random", "compression.type": "lz4",
                    "message.timeout.ms": String(timeout.milliseconds),
                ],
                forced: ["enable.idempotence": "true", "acks": "all"], observer: observer)
        }
        native = try make()
    }

    /// For `WriteProbe`.
    init(
        asking settings: ClientSettings, timeout: Duration, observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-probe")
        self.timeout = timeout
        make = { () throws(KafkaError) in
            try NativeProducer(
                settings, defaults: ["linger.ms": "0"],
                forced: [
                    "acks": "2", "enable.idempotence": "false", "retries": "0",
                    // Else a topic that does not exist is hoped for until the record's own time is over.
                    "topic.metadata.propagation.max.ms": "500",
                    "message.timeout.ms": String(timeout.milliseconds),
                ], observer: observer)
        }
        native = try make()
    }

    /// Writes the records and waits for their acknowledgement. One result for each, in their order; nil: written.
    ///
    /// After a fatal error of the library, as where the broker denies it a producer id, the next call has a new client.
    package func send(_ records: [OutgoingRecord]) -> [KafkaError?] {
        guard let producer = native else { return records.map { _ in KafkaError(.destroyed) } }
        guard let fatal = producer.fatalError else { return send(records, with: producer) }
        do throws(KafkaError) {
            let next = try make()
            producer.destroy()
            native = next
            return send(records, with: next)
        } catch {
            return records.map { _ in KafkaError(error.code, "no new client after \(fatal): \(error.message)") }
        }
    }

    private func send(_ records: [OutgoingRecord], with producer: NativeProducer) -> [KafkaError?] {
        producer.reports.begin()
        var results = [KafkaError?](repeating: nil, count: records.count)
        let end = ContinuousClock.now.advanced(by: timeout)
        for (index, record) in records.enumerated() {
            while true {
                do throws(KafkaError) {
                    try producer.produce(record, index: index)
                    break
                } catch {
                    if error.code == .queueFull, ContinuousClock.now < end {
                        rd_kafka_poll(producer.client.pointer, 10)
                        continue
                    }
                    results[index] = error
                    break
                }
            }
        }
        let error = producer.flush(timeout: timeout + .seconds(1))
        for (index, failure) in producer.reports.take() where results.indices.contains(index) {
            results[index] = failure
        }
        if let error {
            // What was not reported by now is not known to be written.
            rd_kafka_purge(producer.client.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            _ = producer.flush(timeout: .seconds(1))
            for (index, failure) in producer.reports.take() where results.indices.contains(index) {
                results[index] = results[index] ?? KafkaError(failure.code, "not acknowledged: \(error.message)")
            }
        }
        // What it was is told by the client only; the records' own errors say no more than that it is over.
        guard results.contains(where: { $0 != nil }), let fatal = producer.fatalError else { return results }
        return results.map { $0 == nil ? nil : fatal }
    }

    /// Ends the client. Returns false where the deadline passed; the thread then goes on alone.
    package nonisolated func close(deadline: Duration) async -> Bool {
        await bounded(by: deadline, late: { false }) { await self.destroy() }
    }

    private func destroy() -> Bool {
        native?.destroy()
        native = nil
        return true
    }
}
