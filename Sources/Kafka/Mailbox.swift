internal import Records
internal import Synchronization

/// What stands between the consumer's thread and its one reader: a bounded queue in order.
///
/// Records are bounded by number and bytes: `hasRoom` says whether the thread may take more. Log lines and errors are
/// bounded by number, and those above it are counted.
final class Mailbox: Sendable {
    private struct State {
        var events: [Consumer.Event] = []
        /// The youngest records, not yet an event of their own.
        var tail: [Record] = []
        var records = 0
        var bytes = 0
        var reports = 0
        var dropped = 0
        var wasFull = false
        var isClosed = false
        var reader: CheckedContinuation<[Consumer.Event], Never>?

        mutating func closeTail() {
            guard !tail.isEmpty else { return }
            events.append(.records(tail))
            tail = []
        }

        mutating func takeAll() -> [Consumer.Event] {
            closeTail()
            defer {
                events = []
                records = 0
                bytes = 0
                reports = 0
            }
            return events
        }
    }

    private let state = Mutex(State())
    private let maximumBatch: Int
    private let maximumBytes: Int
    private static let maximumReports = 1000

    init(maximumBatch: Int, maximumBytes: Int) {
        self.maximumBatch = maximumBatch
        self.maximumBytes = maximumBytes
    }

    /// False from two batches on, or the byte limit; the next `take` then says that there is room again.
    func hasRoom() -> Bool {
        state.withLock { state in
            state.wasFull = state.records >= 2 * maximumBatch || state.bytes >= maximumBytes
            return !state.wasFull
        }
    }

    func add(_ records: [Record], bytes: Int) {
        guard !records.isEmpty else { return }
        change { state in
            for record in records {
                state.tail.append(record)
                if state.tail.count == maximumBatch { state.closeTail() }
            }
            state.records += records.count
            state.bytes += bytes
        }
    }

    /// Adds an event that must not be lost.
    func add(_ event: Consumer.Event) {
        change { state in
            state.closeTail()
            state.events.append(event)
        }
    }

    /// Adds a line or an error; above the bound it is counted instead.
    func addReport(_ event: Consumer.Event) {
        change { state in
            guard state.reports < Self.maximumReports else {
                state.dropped += 1
                return
            }
            state.reports += 1
            state.closeTail()
            state.events.append(event)
        }
    }

    /// How many lines and errors were dropped since the start because nobody read them in time.
    var dropped: Int { state.withLock { $0.dropped } }

    /// Forgets the records and ends of these partitions that nobody has read.
    func remove(_ partitions: Set<TopicPartition>) {
        guard !partitions.isEmpty else { return }
        state.withLock { state in
            state.closeTail()
            var kept: [Consumer.Event] = []
            (state.records, state.bytes) = (0, 0)
            for event in state.events {
                switch event {
                case .records(let records):
                    let left = records.filter { !partitions.contains(TopicPartition($0.topic, $0.partition)) }
                    if !left.isEmpty { kept.append(.records(left)) }
                    state.records += left.count
                    state.bytes += left.reduce(0) { $0 + $1.size }
                case .endOfPartition(let partition, _) where partitions.contains(partition): break
                default: kept.append(event)
                }
            }
            state.events = kept
        }
    }

    /// All events, as soon as there is one; nothing after the close or when the task is cancelled.
    func take(roomAgain: @Sendable () -> Void) async -> [Consumer.Event] {
        let taken = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: [Consumer.Event]? = state.withLock { state in
                    precondition(state.reader == nil, "a consumer's events have one reader")
                    let events = state.takeAll()
                    if !events.isEmpty || state.isClosed || Task.isCancelled { return events }
                    state.reader = continuation
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: [])
        }
        let wasFull = state.withLock { state in
            defer { state.wasFull = false }
            return state.wasFull
        }
        if wasFull { roomAgain() }
        return taken
    }

    /// What is there can still be taken; then there is nothing more.
    func close() {
        change { $0.isClosed = true }
    }

    private func change(_ body: (inout State) -> Void) {
        let woken: (CheckedContinuation<[Consumer.Event], Never>, [Consumer.Event])? = state.withLock { state in
            guard !state.isClosed else { return nil }
            body(&state)
            guard let reader = state.reader else { return nil }
            let events = state.takeAll()
            guard !events.isEmpty || state.isClosed else { return nil }
            state.reader = nil
            return (reader, events)
        }
        if let woken { woken.0.resume(returning: woken.1) }
    }
}
