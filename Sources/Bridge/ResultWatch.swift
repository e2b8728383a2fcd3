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

    /// Partitions of results that an open transaction holds up, and does so for a second and a half: to be asked when a new
    /// producer has ended what was open, so by then the broker has left it. Where a partition's next transaction were
    /// aborted, it would drop what an earlier one of the same producer has committed.
    func heldResults() async -> [ResultPlace] {
        var held: [TopicPartition: Int64]?
        for _ in 0..<6 {
            if held != nil { await pause(.milliseconds(300)) }
            do throws(KafkaError) {
                let ends = try await openEnds().compactMapValues { $0 }
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

    /// For each partition of results, its stable end where that is before its end.
    private func openEnds() async throws(KafkaError) -> [TopicPartition: Int64?] {
        let names = [settings.topics.started, settings.topics.deadLetters] + [settings.topics.failed].compactMap { $0 }
        let places = try await admin.topics(names).flatMap { name, topic in
            topic.partitions.map { TopicPartition(name, $0.id) }
        }
        let stable = try await ends.stableEnds(places)
        let last = try await admin.ends(places)
        var open: [TopicPartition: Int64?] = [:]
        for place in places {
            guard let stable = stable[place], let end = last[place] else { continue }
            open[place] = .some(stable < end ? stable : nil)
        }
        return open
    }
}
