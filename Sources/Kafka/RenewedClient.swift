/// A client for questions, and a new one after a question for partitions' ends had no answer in time.
///
/// With librdkafka 2.8 (2.0.2 did not show it), a client that has met a topic which was made anew under its name may ask for
/// that topic's leaders for ever, and for other topics' too: each such question times out, though the brokers answer.
struct RenewedClient {
    private let make: () throws(KafkaError) -> NativeClient
    /// nil: destroyed.
    private var client: NativeClient?
    private var isStuck = false

    /// Makes the first client.
    init(_ make: @escaping () throws(KafkaError) -> NativeClient) throws(KafkaError) {
        self.make = make
        client = try make()
    }

    /// The client for the next question. Blocks where it is a new one until the old one has ended.
    mutating func current() throws(KafkaError) -> NativeClient {
        guard let old = client else { throw KafkaError(.destroyed) }
        guard isStuck else { return old }
        let new = try make()
        client = new
        isStuck = false
        old.destroy()
        return new
    }

    /// Asks for ends of partitions: for a third of the time, and where that had no answer for the rest with a new client.
    mutating func ask<T>(
        within timeout: Duration, _ question: (NativeClient, Duration) throws(KafkaError) -> T
    ) throws(KafkaError) -> T {
        do throws(KafkaError) {
            return try askOnce(timeout / 3, question)
        } catch {
            guard isStuck else { throw error }
        }
        return try askOnce(timeout - timeout / 3, question)
    }

    private mutating func askOnce<T>(
        _ limit: Duration, _ question: (NativeClient, Duration) throws(KafkaError) -> T
    ) throws(KafkaError) -> T {
        let client = try current()
        do throws(KafkaError) {
            return try question(client, limit)
        } catch {
            isStuck = error.code == .timedOut
            throw error
        }
    }

    /// Ends the client.
    mutating func destroy() {
        client?.destroy()
        client = nil
    }
}
