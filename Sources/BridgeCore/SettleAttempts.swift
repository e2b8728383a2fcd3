/// Attempts that are left of a settling transaction (`ReplicaMachine.settling`). It mends what a broker did; where it
/// cannot be written, all else says why and must not wait for it.
struct SettleAttempts {
    private static let most = 3
    /// What waits for longer than this may wait for a transaction that a broker left open, milliseconds.
    static let patience: Int64 = 20_000

    private(set) var left = 0

    mutating func begin() { left = Self.most }

    /// - Parameter isBound: whether the assignment that the transaction was made for still holds. An attempt that only its
    ///   assignment ended is none.
    mutating func ended(_ end: TransactionEnd, isBound: Bool) {
        switch end {
        case .committed: left = 0
        case .aborted(_, let isStale) where isStale || !isBound: break
        case .aborted, .lost: left -= 1
        }
    }
}
