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
        var elements: [Element] = []
        var order: [(time: Int64, number: Int)] = []
        for partition in lines.keys.sorted() {
            guard let first = lines[partition]?.waiting.first, first.time <= bound,
                // Taken out while it changes, so that nothing of it is copied.
                var line = lines.removeValue(forKey: partition)
            else { continue }
            let count = line.waiting.prefix { $0.time <= bound }.count
            // What stands behind a later time of the same partition is not put before it.
            var latest = Int64.min
            for (time, element) in line.waiting[..<count] {
                latest = max(latest, time)
                order.append((latest, elements.count))
                elements.append(element)
            }
            line.waiting.removeFirst(count)
            lines[partition] = line
        }
        // Of one time: by partition, then as they stood there.
        order.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        return order.map { elements[$0.number] }
    }

    /// Partitions that hold more than their share: the one that all wait for is never among them.
    package var full: Set<Int32> { Set(lines.filter { $0.value.waiting.count >= capacity }.keys) }

    /// Partitions with room again.
    package var roomy: Set<Int32> { Set(lines.filter { $0.value.waiting.count <= capacity / 2 }.keys) }
}
