internal import Bridge
internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal

/// The control topic as commands read and write it.
struct ControlTopic: Sendable {
    let settings: BridgeSettings

    private var partition: TopicPartition { TopicPartition(settings.topics.control, 0) }

    /// What it says now, and its end.
    func read() async throws -> (board: ControlBoard, end: Int64) {
        let reading = Reading(settings: settings)
        let ranges = try await reading.ranges([settings.topics.control]).filter { $0.partition == partition }
        var board = ControlBoard()
        try await reading.each(ranges, "reading the control topic") { board.apply($0) }
        return (board, ranges.first?.end ?? 0)
    }

    func write(_ scope: HoldScope, _ hold: Hold?) async throws {
        let producer = try Producer(settings: settings.producer, timeout: settings.kafka.operationTimeout) { _ in }
        let record = OutgoingRecord(topic: partition.topic, partition: 0, key: scope.key, value: hold?.value)
        let error = await producer.send([record])[0]
        _ = await producer.close(deadline: .seconds(2))
        if let error { throw error }
    }

    /// Follows the topic from an offset on, until the record that was written there is in force, or time is over.
    ///
    /// - Parameter from: the end as it was before the record was written.
    /// - Returns: nil where the record itself did not come in time.
    func follow(
        _ board: ControlBoard, from: Int64, _ scope: HoldScope, _ hold: Hold?, within limit: Duration
    ) async throws -> ControlBoard.Force? {
        let consumer = try Consumer(settings: settings.reader, maximumBatch: 500, maximumBytes: 4 << 20)
        do {
            try await consumer.assign([(partition, offset: .at(from))])
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        var (board, own) = (board, Int64?.none)
        var force: ControlBoard.Force?
        var line = WaitLine("waiting for the replicas", total: nil)
        let end = ContinuousClock.now.advanced(by: limit)
        repeat {
            // A replica's lease may also end while nothing is written, so this looks again and again.
            for event in await Self.events(of: consumer, before: min(end, .now.advanced(by: .milliseconds(200)))) {
                guard case .records(let records) = event else { continue }
                for record in records {
                    board.apply(record)
                    if own == nil, record.key == scope.key, record.value == hold?.value { own = record.offset }
                }
            }
            force = own.map { board.force(of: $0, at: wallMilliseconds()) }
            line.show(done: force?.confirmed.count ?? 0)
        } while force?.isInForce != true && ContinuousClock.now < end && !Task.isCancelled
        line.end()
        _ = await consumer.close(deadline: .seconds(2))
        return force
    }

    private static func events(
        of consumer: Consumer, before end: ContinuousClock.Instant
    ) async -> [Consumer.Event] {
        await withTaskGroup(of: [Consumer.Event].self, returning: [Consumer.Event].self) { group in
            group.addTask { await consumer.events() }
            group.addTask {
                do { try await Task.sleep(until: end, clock: .continuous) } catch { return [] }
                return []
            }
            let first = await group.next() ?? []
            group.cancelAll()
            return first
        }
    }
}
