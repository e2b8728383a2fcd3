internal import BridgeCore

/// One record or marker of a topic's partition.
struct LogItem {
    enum Content {
        case ledger(key: [UInt8], LedgerRecord)
        case result(ResultWrite)
        case source(DecodedRecord)
        case marker
        /// Removed by compaction.
        case hole
    }

    var content: Content
    /// nil: written without a transaction.
    var transaction: Int?
    /// Time of writing.
    var at: Int64
}

/// One partition of one topic. Offsets are indexes.
struct Log {
    private(set) var items: [LogItem] = []
    /// What lies below was removed by retention.
    var low: Int64 = 0
    /// First offset of each transaction that has no marker here yet.
    private(set) var open: [Int: Int64] = [:]
    /// Transactions whose markers were lost here, and which a later, aborted one of the same producer ended with itself.
    private(set) var undone: Set<Int> = []

    var high: Int64 { Int64(items.count) }
    /// What a read_committed reader may see: everything before the first open transaction.
    var stable: Int64 { open.values.min() ?? high }

    subscript(offset: Int64) -> LogItem { items[Int(offset)] }

    mutating func append(_ content: LogItem.Content, transaction: Int? = nil, at time: Int64) {
        if let transaction, open[transaction] == nil { open[transaction] = high }
        items.append(LogItem(content: content, transaction: transaction, at: time))
    }

    mutating func marker(_ transaction: Int, at time: Int64) {
        open[transaction] = nil
        items.append(LogItem(content: .marker, transaction: nil, at: time))
    }

    /// The coordinator believes that this transaction has ended here long ago.
    mutating func end(_ hung: Int, isUndone: Bool) {
        open[hung] = nil
        if isUndone { undone.insert(hung) }
    }

    /// Removes what is older than `time`.
    /// - Returns: whether there was anything.
    mutating func forget(before time: Int64) -> Bool {
        let old = low
        while low < stable, items[Int(low)].at < time { low += 1 }
        return low > old
    }

    /// Removes entries that have a later one of the same key, both before the stable end.
    mutating func compact(isVisible: (LogItem) -> Bool) -> Bool {
        var newest: [[UInt8]: Int] = [:]
        var removed = false
        for index in Int(low)..<Int(stable) where isVisible(items[index]) {
            guard case .ledger(let key, _) = items[index].content else { continue }
            if let older = newest[key] {
                items[older].content = .hole
                removed = true
            }
            newest[key] = index
        }
        return removed
    }
}
