/// A first-in first-out queue over an array; taking from the front costs nothing that grows with its length.
struct FIFO<Element> {
    private var elements: [Element] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func prepend(_ element: Element) {
        if head > 0 {
            head -= 1
            elements[head] = element
        } else {
            elements.insert(element, at: 0)
        }
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        head += 1
        if head >= 64 && head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// - Returns: how many were taken out.
    mutating func removeAll(where condition: (Element) -> Bool) -> Int {
        guard elements[head...].contains(where: condition) else { return 0 }
        let kept = elements[head...].filter { !condition($0) }
        let removed = count - kept.count
        elements = kept
        head = 0
        return removed
    }

    /// The elements from the front while `condition` holds; nothing is taken out.
    func prefix(while condition: (Element) -> Bool) -> ArraySlice<Element> {
        elements[head...].prefix(while: condition)
    }

    subscript(index: Int) -> Element { elements[head + index] }
}

/// Things that are due at a time, the earliest first: a binary heap. Equal times come in the order of their adding.
struct TimerHeap<Element> {
    private var items: [(time: Int64, order: Int, element: Element)] = []
    private var added = 0

    var next: Int64? { items.first?.time }
    var count: Int { items.count }

    mutating func add(_ element: Element, at time: Int64) {
        items.append((time, added, element))
        added += 1
        var child = items.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popDue(at now: Int64) -> Element? {
        guard let first = items.first, first.time <= now else { return nil }
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
        return first.element
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (items[left].time, items[left].order) < (items[right].time, items[right].order)
    }
}
