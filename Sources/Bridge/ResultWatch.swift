internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The broker may leave a transaction open in the result topics, as the ledger's settling tells
// (`ReplicaMachine.settling`).

extension BridgeService {
    private var openResults: OpenEnds {
        let topics = settings.topics
        return OpenEnds(
            topics: [topics.started, topics.deadLetters] + [topics.failed].compactMap { $0 }, admin: admin, ends: ends)
    }

    func resultWatch() async {
        await openResults.watch(patience, clock: clock) { held in
            await engine.resultsStand(held.map { ResultPlace(topic: $0.topic, partition: $0.partition) })
        }
    }

    /// Partitions of results that an open transaction holds up, and does so for a second and a half: to be asked when a new
    /// producer has ended what was open, so by then the broker has left it. Where a partition's next transaction were
    /// aborted, it would drop what an earlier one of the same producer has committed.
    func heldResults() async -> [ResultPlace] {
        var held: [TopicPartition: Int64]?
        for _ in 0..<6 {
            if held != nil { await pause(.milliseconds(300)) }
            do throws(KafkaError) {
                let ends = try await openResults.find().compactMapValues { $0 }
                held = held.map { $0.filter { ends[$0.key] == $0.value } } ?? ends
            } catch {
                // `resultWatch` finds them later.
                logger.debug("the ends of the results cannot be had", [.error: .error(error)])
                return []
            }
            if held?.isEmpty ?? false { break }
        }
        let places = (held ?? [:]).keys.map { ResultPlace(topic: $0.topic, partition: $0.partition) }
        return places.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }
}
