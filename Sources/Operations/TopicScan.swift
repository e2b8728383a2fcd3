package import Kafka
package import Records

/// Why a topic could not be read to its end.
package enum ScanError: Error, CustomStringConvertible {
    case noTopic(String)
    case stalled(waiting: Int, lastError: KafkaError?)
    case failed(KafkaError)
    case cancelled

    package var description: String {
        switch self {
        case .noTopic(let name): "topic \(name) does not exist; `campaign-bridge topics --create` makes it"
        case .stalled(let count, let error):
            "no answer in time from \(count) partitions" + (error.map { ": \($0)" } ?? "")
        case .failed(let error): "\(error)"
        case .cancelled: "interrupted"
        }
    }
}

/// A part of a partition that is to be read.
package struct ScanRange: Sendable, Equatable {
    package var partition: TopicPartition
    package var from: Int64
    /// The first offset that is not wanted.
    package var end: Int64

    package init(_ partition: TopicPartition, from: Int64, end: Int64) {
        self.partition = partition
        self.from = from
        self.end = end
    }
}

/// Reads parts of topics, committed records only, in bounded memory. A partition ends at its range's end, or where it
/// has nothing more to read now.
package actor TopicScan {
    package enum Part: Sendable {
        /// Of one partition, in order.
        case records([Record])
        case end(TopicPartition)
    }

    private let consumer: Consumer
    private let patience: Duration
    private var open: [TopicPartition: Int64] = [:]
    private var ready: [Part] = []
    private var next = 0
    private var lastError: KafkaError?

    private init(_ ranges: [ScanRange], consumer: Consumer, patience: Duration) {
        self.consumer = consumer
        self.patience = patience
        for range in ranges { open[range.partition] = range.end }
    }

    /// Begins to read. Not an initialiser, since the compiler of Swift 6.0.3 ends on an asynchronous one of an actor.
    ///
    /// - Parameters:
    ///   - settings: of a reader without a group.
    ///   - patience: the longest wait for any news.
    package static func begin(
        _ ranges: [ScanRange], settings: ClientSettings, patience: Duration
    ) async throws -> TopicScan {
        var settings = settings
        settings.properties["isolation.level"] = "read_committed"
        settings.properties["queued.max.messages.kbytes"] = "8192"
        // One answer of a broker is held as a whole.
        if settings.properties["fetch.max.bytes"] == nil { settings.properties["fetch.max.bytes"] = "8388608" }
        let wanted = ranges.filter { $0.from < $0.end }
        let consumer = try Consumer(settings: settings, maximumBatch: 500, maximumBytes: 8 << 20)
        try await consumer.assign(wanted.map { ($0.partition, offset: Consumer.Offset.at($0.from)) })
        return TopicScan(wanted, consumer: consumer, patience: patience)
    }

    /// The partitions of topics with what they hold now.
    ///
    /// - Parameter since: begins with the first record of this time (milliseconds since 1970) or later.
    package static func ranges(
        of names: [String], admin: Admin, since: Int64? = nil
    ) async throws -> [ScanRange] {
        var topics = try await admin.topics(names)
        // A topic that was made just now is not known to every broker at once.
        for _ in 0..<10 where !names.allSatisfy({ topics[$0] != nil }) {
            try await Task.sleep(for: .milliseconds(200))
            topics = try await admin.topics(names)
        }
        var ranges: [ScanRange] = []
        for name in names {
            guard let topic = topics[name] else { throw ScanError.noTopic(name) }
            let places = topic.partitions.map { TopicPartition(name, $0.id) }.sorted { $0.partition < $1.partition }
            let firsts = since == nil ? [:] : try await admin.offsets(of: places, at: since ?? 0)
            for place in places {
                let marks = try await admin.watermarks(ofNew: place)
                let from = since == nil ? marks.low : firsts[place] ?? marks.high
                ranges.append(ScanRange(place, from: max(from, marks.low), end: marks.high))
            }
        }
        return ranges
    }

    /// The next part; nil: every partition has ended.
    package func read() async throws(ScanError) -> Part? {
        while true {
            if next < ready.count {
                next += 1
                return ready[next - 1]
            }
            (ready, next) = ([], 0)
            if open.isEmpty { return nil }
            let events = await news()
            if Task.isCancelled { throw .cancelled }
            if events.isEmpty { throw .stalled(waiting: open.count, lastError: lastError) }
            for event in events { try take(event) }
        }
    }

    private func news() async -> [Consumer.Event] {
        let (consumer, patience) = (consumer, patience)
        return await withTaskGroup(of: [Consumer.Event].self, returning: [Consumer.Event].self) { group in
            group.addTask { await consumer.events() }
            group.addTask {
                do { try await Task.sleep(for: patience) } catch { return [] }
                return []
            }
            let first = await group.next() ?? []
            group.cancelAll()
            return first
        }
    }

    private func take(_ event: Consumer.Event) throws(ScanError) {
        switch event {
        case .records(let records): take(records)
        case .endOfPartition(let partition, _): end(partition)
        case .fatal(let error): throw .failed(error)
        case .error(let error, let partition?):
            lastError = error
            // The partition stands still from now on: nothing else would come of it.
            if !error.isRetriable, open[partition] != nil { throw .failed(error) }
        case .error(let error, nil): lastError = error
        case .started, .assignedManually, .assigned, .revoked, .statistics, .log: break
        }
    }

    /// A batch may hold records of several partitions.
    private func take(_ records: [Record]) {
        var start = 0
        while start < records.count {
            let place = TopicPartition(records[start].topic, records[start].partition)
            var stop = start + 1
            while stop < records.count, records[stop].partition == place.partition, records[stop].topic == place.topic {
                stop += 1
            }
            if let end = open[place] {
                let wanted = records[start..<stop].prefix { $0.offset < end }
                if !wanted.isEmpty { ready.append(.records(Array(wanted))) }
                if records[stop - 1].offset >= end - 1 { self.end(place) }
            }
            start = stop
        }
    }

    private func end(_ partition: TopicPartition) {
        guard open.removeValue(forKey: partition) != nil else { return }
        ready.append(.end(partition))
    }

    /// Stops fetching from a partition for a while; what is on its way still comes.
    package func pause(_ partitions: [TopicPartition]) async throws { try await consumer.pause(partitions) }

    package func resume(_ partitions: [TopicPartition]) async throws { try await consumer.resume(partitions) }

    package func close() async { _ = await consumer.close(deadline: .seconds(2)) }
}
