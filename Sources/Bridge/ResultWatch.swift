internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// After a start, and after a lost transaction, the broker may have left one of ours open in the result topics, as the
// ledger's settling tells (`ReplicaMachine.settling`).

extension BridgeService {
    /// Looks only as long as such a transaction is possible and not ruled out.
    func resultWatch() async {
        // The broker ends what is over its time, which it looks for every ten seconds.
        let limit = (settings.transactions.timeout + .seconds(12)).milliseconds
        var ends = StandingEnds(limit: limit)
        while !Task.isCancelled {
            await pause(.seconds(3))
            let now = clock().monotonic
            let since = suspectSince.load(ordering: .relaxed)
            guard now >= since else { continue }
            do throws(KafkaError) {
                let found = try await openEnds()
                let standing = ends.standing(found, at: now)
                if !standing.isEmpty {
                    logger.warning(
                        "readers of results are held up by a transaction that the broker left open: ended by a mark",
                        [.partitions: .string(standing.map { "\($0)" }.joined(separator: ","))])
                    await engine.resultsStand(
                        standing.map { ResultPlace(topic: $0.topic, partition: $0.partition) })
                }
                // Ruled out once it could have been seen for that long.
                if now - since > 3 * limit && found.values.allSatisfy({ $0 == nil }) {
                    _ = suspectSince.compareExchange(expected: since, desired: .max, ordering: .relaxed)
                }
            } catch {
                logger.debug("the ends of the results cannot be had", [.error: .error(error)])
            }
        }
    }

    /// For each partition of results, its stable end where that is before its end.
    private func openEnds() async throws(KafkaError) -> [TopicPartition: Int64?] {
        let names = [settings.topics.started, settings.topics.deadLetters] + [settings.topics.failed].compactMap { $0 }
        var ends: [TopicPartition: Int64?] = [:]
        for (name, topic) in try await admin.topics(names) {
            for partition in topic.partitions {
                let place = TopicPartition(name, partition.id)
                let stable = try await offsets.stableEnd(place)
                let end = try await admin.watermarks(place).high
                ends[place] = .some(stable < end ? stable : nil)
            }
        }
        return ends
    }
}
