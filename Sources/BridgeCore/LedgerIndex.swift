/// What the ledger says of each identity of one partition, in little memory: 48 bytes an entry and four of a slot.
///
/// The hash of a key stands for the key. What only a few entries have at a time (attempts under way, late answers) is
/// kept beside the table.
package struct LedgerIndex: Sendable {
    private struct Row: Sendable {
        var hash: KeyHash
        var scope: UInt64
        var offset: Int64
        /// A dead letter's nonce, else unused.
        var nonce: UInt64
        var generation: Int32
        /// The attempt's number, where it was released.
        var attempt: Int16
        var kind: Kind
        var detail: UInt8
    }

    private enum Kind: UInt8 { case attempting, released, started, deadLettered }

    /// Open addressing with linear probing: row number + 1, or 0 for an empty slot.
    private var slots: [UInt32]
    private var rows: ContiguousArray<Row> = []
    private var attempts: [KeyHash: (attempt: Attempt, key: [UInt8])] = [:]
    private var lates: [KeyHash: LateAnswer] = [:]
    /// What late answers say of starts, whatever attempt they belong to: a finding must not contradict them (L3).
    private var lateStarts: [KeyHash: StartAnswer] = [:]

    /// The highest source offset that an entry was written for; -1: none.
    package private(set) var highestOffset: Int64 = -1

    package init() {
        slots = Array(repeating: 0, count: 1024)
    }

    package var count: Int { rows.count }

    /// Bytes that the table takes, about.
    package var bytes: Int { slots.count * 4 + rows.capacity * MemoryLayout<Row>.stride }

    package subscript(hash: KeyHash) -> LedgerEntry? {
        guard let row = find(hash).row.map({ rows[$0] }) else { return nil }
        let state: LedgerEntry.State
        switch row.kind {
        case .attempting:
            guard let attempt = attempts[hash]?.attempt else {
                preconditionFailure("an attempt without its description")
            }
            state = .attempting(attempt)
        case .released: state = .released(attempt: Int32(row.attempt), cause: ReleaseCause.allCases[Int(row.detail)])
        case .started: state = .started(instanceID: nil)
        case .deadLettered: state = .deadLettered(DeadLetterReason.allCases[Int(row.detail)], nonce: row.nonce)
        }
        return LedgerEntry(generation: row.generation, sourceOffset: row.offset, scope: row.scope, state: state)
    }

    /// The late answer that fits exactly the attempt that the identity's entry tells of.
    package func late(for hash: KeyHash) -> LateAnswer? {
        guard let late = lates[hash], fits(late, hash) else { return nil }
        return late
    }

    /// What a late answer, also one that came after the identity's end, says of its start.
    package func lateStart(of hash: KeyHash) -> StartAnswer? { lateStarts[hash] }

    private func fits(_ late: LateAnswer, _ hash: KeyHash) -> Bool {
        guard let attempt = attempts[hash]?.attempt, let row = find(hash).row else { return false }
        return late.generation == rows[row].generation && late.attempt == attempt.number
            && late.owner == attempt.owner && late.serial == attempt.serial
    }

    /// Attempts that have no final entry yet.
    package var open: [KeyHash] { attempts.keys.sorted() }

    /// The ledger's key of an attempt that has no final entry yet.
    package func key(ofOpen hash: KeyHash) -> [UInt8]? { attempts[hash]?.key }

    /// Takes in one entry, in the ledger's order. A started entry is final at every generation, a lower generation
    /// never replaces a higher one.
    package mutating func apply(_ hash: KeyHash, _ entry: LedgerEntry, key: [UInt8]) {
        highestOffset = max(highestOffset, entry.sourceOffset)
        let place = find(hash)
        if let number = place.row {
            let old = rows[number]
            guard old.kind != .started, entry.generation >= old.generation else { return }
        }
        var row = Row(
            hash: hash, scope: entry.scope, offset: entry.sourceOffset, nonce: 0, generation: entry.generation,
            attempt: 0, kind: .started, detail: 0)
        attempts[hash] = nil
        switch entry.state {
        case .attempting(let attempt):
            row.kind = .attempting
            attempts[hash] = (attempt, key)
        case .released(let attempt, let cause):
            row.kind = .released
            row.attempt = Int16(clamping: attempt)
            row.detail = UInt8(ReleaseCause.allCases.firstIndex(of: cause) ?? 0)
        case .started: row.kind = .started
        case .deadLettered(let reason, let nonce):
            row.kind = .deadLettered
            row.detail = UInt8(DeadLetterReason.allCases.firstIndex(of: reason) ?? 0)
            row.nonce = nonce
        }
        if row.kind != .attempting { lates[hash] = nil }
        if let number = place.row {
            rows[number] = row
        } else {
            rows.append(row)
            slots[place.slot] = UInt32(rows.count)
            if rows.count * 4 > slots.count * 3 { grow() }
        }
    }

    /// Takes in a late answer. One that fits no attempt under way changes no entry (rule L3).
    package mutating func apply(_ hash: KeyHash, _ late: LateAnswer) {
        if case .started(let answer) = late.result { lateStarts[hash] = answer }
        guard fits(late, hash) else { return }
        lates[hash] = late
    }

    private func find(_ hash: KeyHash) -> (slot: Int, row: Int?) {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash.high) & mask
        while slots[slot] != 0 {
            let row = Int(slots[slot]) - 1
            if rows[row].hash == hash { return (slot, row) }
            slot = (slot + 1) & mask
        }
        return (slot, nil)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for (number, row) in rows.enumerated() {
            slots[find(row.hash).slot] = UInt32(number + 1)
        }
    }
}
