// The bound of what is kept in memory of the ledgers. An index only grows; what its ledger has forgotten since, by its
// retention, is let go by reading the ledger again.

extension ReplicaMachine {
    var entries: Int { partitions.values.reduce(0) { $0 + $1.index.count } }

    /// A take-over has read more than fits.
    mutating func takeLess(_ number: Int32, at now: Moment) {
        guard let partition = partitions[number] else { return }
        guard !partition.isIndexOld else {
            readLedgerAgain(number, at: now)
            return
        }
        if partition.isTailing { steps.append(.stop(partition: number)) }
        partitions[number]?.isTailing = false
        partitions[number]?.index = LedgerIndex()
        partitions[number]?.isTooLarge = true
        block(
            number,
            "the ledgers of the assigned partitions have more than \(settings.maximumEntries) entries: raise"
                + " ledger.maximumEntries, or add replicas")
    }

    /// Now and then: the largest index is read again where there are too many entries, and what did not fit is tried
    /// again.
    mutating func boundEntries(at now: Moment) {
        guard now.monotonic - entriesCountedAt >= settings.entriesInterval else { return }
        entriesCountedAt = now.monotonic
        for number in numbers where partitions[number]?.isTooLarge == true { begin(number, at: now) }
        guard entries > settings.maximumEntries else { return }
        let owned = numbers.filter { partitions[$0]?.isOwned == true }
        guard let largest = owned.max(by: { count($0) < count($1) }) else { return }
        readLedgerAgain(largest, at: now)
    }

    private func count(_ number: Int32) -> Int { partitions[number]?.index.count ?? 0 }

    private mutating func readLedgerAgain(_ number: Int32, at now: Moment) {
        guard let old = partitions[number] else { return }
        notes.append(.partition(number, .ledgerReread(entries: old.index.count)))
        clear(number, isLost: false)
        beginAgain(number, knowing: old, rereads: true, forgets: true, at: now)
    }
}
