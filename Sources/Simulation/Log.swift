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
}

/// One partition of one topic. Offsets are indexes.
struct Log {
    private(set) var items: [LogItem] = []
    /// What lies below was removed by retention.
    var low: Int64 = 0
    /// First offset of each transaction that has no marker here yet.
    private var open: [Int: Int64] = [:]

    var high: Int64 { Int64(items.count) }
    /// What a read_committed reader may see: everything before the first open transaction.
    var stable: Int64 { open.values.min() ?? high }

    subscript(offset: Int64) -> LogItem { items[Int(offset)] }

    mutating func append(_ content: LogItem.Content, transaction: Int? = nil) {
        if let transaction, open[transaction] == nil { open[transaction] = high }
        items.append(LogItem(content: content, transaction: transaction))
    }

    mutating func marker(_ transaction: Int) {
        open[transaction] = nil
        items.append(LogItem(content: .marker, transaction: nil))
    }

    /// Removes entries that have a later one of the same key, both before the stable end.
    mutating func compact(isVisible: (LogItem) -> Bool) -> Bool {
        var newest: [[UInt8]: Int] = [:]
        var removed = false
        for index in 0..<Int(stable) where isVisible(items[index]) {
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
