internal import CRDKafka
internal import NativeThread
package import Records

/// Asks whether topics may be written to, without writing.
///
/// The broker looks at the rights first and then refuses a number of acknowledgements that is none (`acks` of 2), so
/// nothing gets into the topic. A broker that takes it writes the record: it must be one that readers pass over.
package actor WriteProbe {
    private nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let timeout: Duration
    private var native: NativeProducer?

    /// - Parameters:
    ///   - settings: as every client's.
    ///   - timeout: of each question.
    package init(
        settings: ClientSettings, timeout: Duration, observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-probe")
        self.timeout = timeout
        native = try NativeProducer(
            settings, defaults: ["linger.ms": "0"],
            forced: [
                "acks": "2", "enable.idempotence": "false", "retries": "0",
                // Else a topic that does not exist is hoped for until the record's own time is over.
                "topic.metadata.propagation.max.ms": "500",
                "message.timeout.ms": String(timeout.milliseconds),
            ], observer: observer)
    }

    /// Why the record's partition cannot be written to; nil: it can, as far as rights go and it has a leader.
    package func refusal(_ record: OutgoingRecord) -> KafkaError? {
        guard let native else { return KafkaError(.destroyed) }
        native.reports.begin()
        do throws(KafkaError) {
            try native.produce(record, index: 0)
        } catch {
            return error
        }
        let late = native.flush(timeout: timeout + .seconds(1))
        let error = native.reports.take().first?.error ?? late
        return error?.code == .invalidRequiredAcks ? nil : error
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
