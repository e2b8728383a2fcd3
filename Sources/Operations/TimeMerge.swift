/// Puts what several partitions give, each in its own order, into one order of time, holding back no more than is
/// needed for that.
///
/// A partition that is far ahead in time is named as full; its reader pauses it until the others have come up to it.
/// Where a partition's own times go back, its elements keep their order among themselves.
package struct TimeMerge<Element: Sendable>: Sendable {
    private struct Line {
        var waiting: [(time: Int64, element: Element)] = []
        var seen = Int64.min
        var isOpen = true
    }

    private var lines: [Int32: Line] = [:]
    private let capacity: Int

    /// - Parameter capacity: about how many elements are held in all.
    package init(partitions: [Int32], capacity: Int) {
        for partition in partitions { lines[partition] = Line() }
        self.capacity = max(1, capacity / max(1, partitions.count))
    }

    package mutating func add(_ element: Element, time: Int64, from partition: Int32) {
        lines[partition]?.waiting.append((time, element))
    }

    /// The partition's reader has come to this time, whether it added something or not.
    package mutating func seen(_ time: Int64, in partition: Int32) {
        let latest = lines[partition]?.seen ?? .min
        lines[partition]?.seen = max(time, latest)
    }

    /// Nothing more comes from the partition.
    package mutating func ended(_ partition: Int32) { lines[partition]?.isOpen = false }

    /// What no partition can come before any more, in order of time.
    package mutating func take() -> [Element] {
        let bound = lines.values.filter(\.isOpen).map(\.seen).min() ?? .max
        var ready: [(time: Int64, partition: Int32, number: Int, element: Element)] = []
        for partition in lines.keys.sorted() {
            guard var line = lines[partition] else { continue }
            // What stands behind a later time of the same partition is not put before it.
            var latest = Int64.min
            let count = line.waiting.prefix { $0.time <= bound }.count
            guard count > 0 else { continue }
            for number in 0..<count {
                latest = max(latest, line.waiting[number].time)
                ready.append((latest, partition, number, line.waiting[number].element))
            }
            line.waiting.removeFirst(count)
            lines[partition] = line
        }
        ready.sort { ($0.time, $0.partition, $0.number) < ($1.time, $1.partition, $1.number) }
        return ready.map(\.element)
    }

    /// Partitions that hold more than their share: the one that all wait for is never among them.
    package var full: Set<Int32> { Set(lines.filter { $0.value.waiting.count >= capacity }.keys) }

    /// Partitions with room again.
    package var roomy: Set<Int32> { Set(lines.filter { $0.value.waiting.count <= capacity / 2 }.keys) }
}
