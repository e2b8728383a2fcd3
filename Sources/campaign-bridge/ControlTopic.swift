internal import Bridge
internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Operations
internal import Records
internal import Synchronization
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
        // One task reads throughout: what a wait of its own had taken as it ended would be lost.
        let known = Known(board)
        let force = await withTaskGroup(of: Void.self, returning: ControlBoard.Force?.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    for case .records(let records) in await consumer.events() {
                        known.take(records) { $0.key == scope.key && $0.value == hold?.value }
                    }
                }
            }
            let force = await Self.wait(within: limit) { known.force }
            group.cancelAll()
            return force
        }
        _ = await consumer.close(deadline: .seconds(2))
        return force
    }

    /// Looks again and again: a replica's lease may also end while nothing is written.
    private static func wait(
        within limit: Duration, for look: () -> ControlBoard.Force?
    ) async -> ControlBoard.Force? {
        var line = WaitLine("waiting for the replicas", total: nil)
        defer { line.end() }
        let end = ContinuousClock.now.advanced(by: limit)
        while true {
            let force = look()
            line.show(done: force?.confirmed.count ?? 0)
            guard force?.isInForce != true, ContinuousClock.now < end else { return force }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return force }
        }
    }
}

/// What one task reads and another one looks at.
private final class Known: Sendable {
    private struct State {
        var board: ControlBoard
        /// Where the record that is waited for stands.
        var own: Int64?
    }

    private let state: Mutex<State>

    init(_ board: ControlBoard) { state = Mutex(State(board: board)) }

    func take(_ records: [Record], isOwn: (Record) -> Bool) {
        state.withLock { state in
            for record in records {
                state.board.apply(record)
                if state.own == nil, isOwn(record) { state.own = record.offset }
            }
        }
    }

    /// nil: the record has not been read.
    var force: ControlBoard.Force? {
        state.withLock { state in state.own.map { state.board.force(of: $0, at: wallMilliseconds()) } }
    }
}
