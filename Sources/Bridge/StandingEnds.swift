internal import Kafka
internal import Records

/// Finds partitions where something stands before their end and does not move: the stable end of a result topic, or what a
/// reader has read to.
struct StandingEnds {
    /// Milliseconds.
    let limit: Int64
    private var since: [TopicPartition: (end: Int64, at: Int64)] = [:]

    init(limit: Int64) { self.limit = limit }

    /// - Parameters:
    ///   - ends: the place of each that is before its end; nil: it is not.
    ///   - now: monotonic, milliseconds.
    /// - Returns: the partitions that have stood at one place for `limit`; each again after another `limit`.
    mutating func standing(_ ends: [TopicPartition: Int64?], at now: Int64) -> [TopicPartition] {
        var standing: [TopicPartition] = []
        for (partition, end) in ends {
            guard let end else {
                since[partition] = nil
                continue
            }
            guard let known = since[partition], known.end == end else {
                since[partition] = (end, now)
                continue
            }
            guard now - known.at >= limit else { continue }
            standing.append(partition)
            since[partition] = (end, now)
        }
        return standing.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }
}
