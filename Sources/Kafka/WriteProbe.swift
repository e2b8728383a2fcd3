package import Records

/// Asks whether topics may be written to, without writing.
///
/// The broker looks at the rights first and then refuses a number of acknowledgements that is none (`acks` of 2), so
/// nothing gets into the topic. A broker that takes it writes the record: it must be one that readers pass over.
package struct WriteProbe: Sendable {
    private let producer: Producer

    /// - Parameters:
    ///   - settings: as every client's.
    ///   - timeout: of each question.
    package init(
        settings: ClientSettings, timeout: Duration, observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        producer = try Producer(asking: settings, timeout: timeout, observer: observer)
    }

    /// Why the record's partition cannot be written to; nil: it can, as far as rights go and it has a leader.
    package func refusal(_ record: OutgoingRecord) async -> KafkaError? {
        let error = await producer.send([record])[0]
        return error?.code == .invalidRequiredAcks ? nil : error
    }

    /// Ends the client. Returns false where the deadline passed; the thread then goes on alone.
    package func close(deadline: Duration) async -> Bool { await producer.close(deadline: deadline) }
}
