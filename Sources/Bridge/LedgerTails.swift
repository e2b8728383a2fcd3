internal import Synchronization

/// With which assignment of the ledger's reader each partition's tail began, so that events of a tail before are known.
final class LedgerTails: Sendable {
    private let state = Mutex((number: 0, began: [Int32: Int]()))

    /// Numbers the next assignment; `partition`'s tail begins with it.
    func next(beginning partition: Int32?) -> Int {
        state.withLock { state in
            state.number += 1
            if let partition { state.began[partition] = state.number }
            return state.number
        }
    }

    func began(_ partition: Int32) -> Int { state.withLock { $0.began[partition] ?? 0 } }
}
