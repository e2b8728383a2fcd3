internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Records
internal import Telemetry

/// Partitions of topics where an open transaction holds up readers of committed records.
struct OpenEnds: Sendable {
    let topics: [String]
    let admin: Admin
    /// A client for nothing else: a question to one that fetches offsets may wait for just such a transaction.
    let ends: CommittedOffsets

    private static let pace: Duration = .seconds(5)

    /// For each partition, its stable end where that is before its end.
    func find() async throws(KafkaError) -> [TopicPartition: Int64?] {
        let places = try await admin.topics(topics).flatMap { name, topic in
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

    /// Tells of partitions that have stood before one transaction for longer than any may last: the broker has ended it
    /// and left it open there, as `ReplicaMachine.settling` tells. Until the task is cancelled.
    func watch(
        _ patience: BrokerPatience, clock: @Sendable () -> Moment, found: ([TopicPartition]) async -> Void
    ) async {
        // The broker ends what is over its time, which it looks for every ten seconds.
        let limit = patience.settings.transactions.timeout + .seconds(12)
        var standing = StandingEnds(limit: limit.milliseconds)
        while !Task.isCancelled {
            await patience.pause(Self.pace)
            do throws(KafkaError) {
                let held = standing.standing(try await find(), at: clock().monotonic)
                guard !held.isEmpty else { continue }
                patience.logger.warning(
                    "readers are held up by a transaction that the broker left open: ended by a mark",
                    [.partitions: .string(held.map { "\($0)" }.joined(separator: ","))])
                await found(held)
            } catch {
                patience.logger.debug("the ends of topics cannot be had", [.error: .error(error)])
            }
        }
    }
}
