/// What the bridge asks of a platform that runs campaigns. One call makes at most one request that starts, and returns by the
/// connection's deadline.
package protocol CampaignAPI: Sendable {
    /// Makes one start call.
    ///
    /// - Parameter now: asked again right before the request is written: a call whose time has passed then is not begun.
    func start(_ call: StartCall, now: @escaping @Sendable () -> Moment) async -> AttemptReport

    /// Reads a campaign's state.
    ///
    /// - Parameter now: wall clock, milliseconds since 1970.
    func read(_ read: StatusRead, now: @Sendable () -> Int64) async -> StatusReport

    /// Reads with a token that has expired, and says whether it was refused, and the requests that this took.
    func tryExpiredToken(
        _ read: StatusRead, now: @Sendable () -> Int64
    ) async -> (result: ExpiredToken, requests: Int)

    /// Refuses new calls and returns when those under way have ended.
    func close() async
}
