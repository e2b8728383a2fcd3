internal import BridgeCore

/// Finds take-overs that make no progress, so that none waits for ever without a word.
struct TakeOverWatch {
    /// Milliseconds without progress.
    let limit: Int64
    private var since: [Int32: (text: String, at: Int64)] = [:]

    init(limit: Int64) { self.limit = limit }

    /// Partitions that have waited for the same thing for `limit`, each with what it waits for; each again after
    /// another `limit`.
    ///
    /// - Parameter now: monotonic, milliseconds.
    mutating func standing(_ snapshot: ReplicaSnapshot, at now: Int64) -> [(partition: Int32, text: String)] {
        var standing: [(partition: Int32, text: String)] = []
        var next: [Int32: (text: String, at: Int64)] = [:]
        for partition in snapshot.partitions {
            guard let text = partition.waitsFor else { continue }
            var begin = since[partition.partition]?.text == text ? since[partition.partition]?.at ?? now : now
            if now - begin >= limit {
                standing.append((partition.partition, "it waits for \(text)"))
                begin = now
            }
            next[partition.partition] = (text, begin)
        }
        since = next
        return standing
    }
}
