/// Exchanges that wait for a free connection: first come, first served, bounded, each removable.
struct WaitingLine {
    private let maximum: Int
    private var order: [UInt64] = []
    private var head = 0
    private var transfers: [UInt64: Transfer] = [:]
    /// At or before the earliest deadline of those who wait.
    private(set) var earliestDeadline: ContinuousClock.Instant?

    init(maximum: Int) {
        self.maximum = maximum
    }

    var isEmpty: Bool { transfers.isEmpty }
    var count: Int { transfers.count }

    /// False: the line is full.
    mutating func append(_ transfer: Transfer) -> Bool {
        guard transfers.count < maximum else { return false }
        if order.count - head > 2 * transfers.count + 64 { compact() }
        order.append(transfer.id)
        transfers[transfer.id] = transfer
        earliestDeadline = min(earliestDeadline ?? transfer.deadline, transfer.deadline)
        return true
    }

    mutating func next() -> Transfer? {
        while head < order.count {
            let id = order[head]
            head += 1
            if let transfer = remove(id) { return transfer }
        }
        compact()
        return nil
    }

    mutating func remove(_ id: UInt64) -> Transfer? {
        guard let transfer = transfers.removeValue(forKey: id) else { return nil }
        if transfers.isEmpty { earliestDeadline = nil }
        return transfer
    }

    mutating func takeExpired(_ now: ContinuousClock.Instant) -> [Transfer] {
        guard let earliest = earliestDeadline, earliest <= now else { return [] }
        let expired = transfers.values.filter { $0.deadline <= now }
        for transfer in expired { transfers[transfer.id] = nil }
        earliestDeadline = transfers.values.lazy.map(\.deadline).min()
        return expired
    }

    mutating func takeAll() -> [Transfer] {
        let all = order[head...].compactMap { transfers[$0] }
        self = WaitingLine(maximum: maximum)
        return all
    }

    /// Drops the places of those who have left.
    private mutating func compact() {
        order = order[head...].filter { transfers[$0] != nil }
        head = 0
    }
}
