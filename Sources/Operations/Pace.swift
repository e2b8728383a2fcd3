/// Spreads records evenly over time, in small batches.
package struct Pace: Sendable {
    private let rate: Int
    private var sent = 0

    /// - Parameter rate: records a second.
    package init(rate: Int) { self.rate = max(1, rate) }

    /// How many are sent at once: a tenth of a second's, and one at least.
    package var batch: Int { max(1, rate / 10) }

    /// - Parameter elapsed: milliseconds since the first were due.
    /// - Returns: milliseconds to wait before the next, now that `count` more were sent.
    package mutating func sent(_ count: Int, elapsed: Int64) -> Int64 {
        sent += count
        return max(0, Int64(sent) * 1000 / Int64(rate) - elapsed)
    }
}
