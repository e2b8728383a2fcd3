/// What will happen in the world, by time: a binary heap. Things of the same time happen in the order of their adding.
struct Agenda {
    private var items: [(time: Int64, order: Int, action: () -> Void)] = []
    private var added = 0

    var next: Int64? { items.first?.time }

    mutating func add(at time: Int64, _ action: @escaping () -> Void) {
        items.append((time, added, action))
        added += 1
        var child = items.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (time: Int64, action: () -> Void)? {
        guard let first = items.first else { return nil }
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && precedes(child, least) {
                least = child
            }
            guard least != parent else { break }
            items.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.action)
    }

    mutating func clear() { items.removeAll() }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (items[left].time, items[left].order) < (items[right].time, items[right].order)
    }
}
