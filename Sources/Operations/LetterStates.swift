internal import BridgeCore
package import Records

/// What has become of dead letters since they were written, as the ledger tells.
///
/// Holds one entry for each event with a dead letter or a replay, none for the others.
package struct LetterStates: Sendable, Equatable {
    private struct Word: Sendable, Equatable {
        var generation: Int32
        /// The dead letter's; nil: a replay of it goes on, or has started the campaign.
        var nonce: UInt64?
    }

    private var words: [[UInt8]: Word] = [:]

    package init() {}

    /// One record of the ledger, in the order of its partition.
    package mutating func take(_ record: Record) {
        guard case .entry(let key, let entry) = LedgerWire.read(key: record.key, value: record.value) else { return }
        let known = words[key]
        guard entry.generation >= known?.generation ?? 0 else { return }
        if case .deadLettered(_, let nonce) = entry.state {
            words[key] = Word(generation: entry.generation, nonce: nonce)
        } else if known != nil || entry.generation > 0 {
            words[key] = Word(generation: entry.generation, nonce: nil)
        }
    }

    /// Whether nothing has come after it: no later dead letter of its event, no replay that goes on, no start. One that the
    /// ledger has forgotten counts as open.
    package func isOpen(_ letter: DeadLetter) -> Bool {
        guard let key = letter.identityKey, let word = words[key] else { return true }
        return word.nonce.map { Hex.digits($0) == letter.nonce } ?? false
    }
}
