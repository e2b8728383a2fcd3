internal import Bridge
internal import Configuration
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry

/// Where an event's own records are looked for: no more is read than may hold one.
struct StoryRanges: Sendable {
    let reading: Reading
    /// Milliseconds since 1970; nil: no bound.
    let since: Int64?

    /// - Parameter known: the lowest offsets at which the event has a record, in the topic that the ledger tells of.
    func ranges(known: [Int32: Int64]) async throws -> [ScanRange] {
        let settings = reading.settings
        let source = try await reading.ranges([settings.topics.source], since: since)
        guard settings.source.isRekeyed else { return Self.from(known, source) }
        let moved = try await reading.ranges([settings.topics.intake], since: since)
        // What is known to the ledger was moved, so that of the source only the rest may hold more.
        return Self.from(known, moved) + (known.isEmpty ? source : await unmoved(source))
    }

    /// All of it where nothing is known.
    private static func from(_ known: [Int32: Int64], _ ranges: [ScanRange]) -> [ScanRange] {
        guard !known.isEmpty else { return ranges }
        return ranges.compactMap { range in
            known[range.partition.partition].map {
                ScanRange(range.partition, from: max($0, range.from), end: range.end)
            }
        }
    }

    /// What has not been moved yet; all of it where the group's offsets cannot be had.
    private func unmoved(_ source: [ScanRange]) async -> [ScanRange] {
        let settings = reading.settings
        do throws(KafkaError) {
            let offsets = try CommittedOffsets(
                settings: settings.commonKafka, group: settings.intakeGroup,
                timeout: settings.kafka.operationTimeout
            ) { _ in }
            let committed: [TopicPartition: GroupOffset?]
            do throws(KafkaError) {
                committed = try await offsets.fetch(source.map(\.partition))
                _ = await offsets.close(deadline: .seconds(2))
            } catch {
                _ = await offsets.close(deadline: .seconds(2))
                throw error
            }
            return source.map { range in
                var rest = range
                rest.from = max(range.from, (committed[range.partition] ?? nil)?.offset ?? range.from)
                return rest
            }
        } catch {
            Process.complain("warning: what was moved already is not known, so the source is read whole: \(error)")
            return source
        }
    }
}
