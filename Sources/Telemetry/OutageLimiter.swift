/// Decides which failures of a lasting outage are worth a line: each kind once, then a count in each interval, then
/// that it is back.
///
/// Pure: time is an argument, in milliseconds of a clock that does not jump. A kind that fails and recovers again and
/// again writes at most about three lines in an interval: what comes within an interval after "back" is only counted.
/// Bounded: at most `mostKinds` are kept; when all of them fail at once, further kinds are counted together.
package struct OutageLimiter<Kind: Hashable & Sendable>: Sendable {
    /// A line that is due.
    package enum Report: Equatable, Sendable {
        /// The first failure of a kind.
        case began(Kind)
        /// It goes on: failures since the last report, milliseconds since the first failure.
        case lasts(Kind, repeated: Int, milliseconds: Int64)
        /// It is over: all failures that it had, milliseconds since the first.
        case over(Kind, failures: Int, milliseconds: Int64)
        /// Failures of kinds that found no place, since the last such report.
        case others(Int)
    }

    private struct State {
        var since: Int64
        var failures = 1
        var unreported = 0
        var lastReport: Int64
        var failing = true
        /// It began again so soon after its end that nobody was told.
        var silent = false
    }

    private let interval: Int64
    private let mostKinds: Int
    private var states: [Kind: State] = [:]
    private var others = 0
    private var lastOthersReport: Int64?

    /// - Parameters:
    ///   - interval: milliseconds between two lines on the same lasting kind.
    ///   - mostKinds: how many kinds are remembered.
    package init(interval: Int64 = 60_000, mostKinds: Int = 64) {
        self.interval = max(1, interval)
        self.mostKinds = max(1, mostKinds)
    }

    /// Something of this kind failed. Returns what to write, if anything.
    package mutating func failed(_ kind: Kind, at now: Int64) -> Report? {
        guard var state = states[kind] else { return beganNew(kind, at: now) }
        defer { states[kind] = state }
        if !state.failing {
            let soon = now - state.lastReport < interval
            state = State(since: now, unreported: soon ? 1 : 0, lastReport: soon ? state.lastReport : now)
            state.silent = soon
            return soon ? nil : .began(kind)
        }
        state.failures += 1
        state.unreported += 1
        return report(kind, &state, at: now)
    }

    /// Something of this kind worked. Returns what to write: once after each outage that was told of.
    package mutating func recovered(_ kind: Kind, at now: Int64) -> Report? {
        guard var state = states[kind], state.failing else { return nil }
        state.failing = false
        let told = !state.silent
        if told { state.lastReport = now }
        states[kind] = state
        return told ? .over(kind, failures: state.failures, milliseconds: now - state.since) : nil
    }

    /// Counts that are due although nothing failed since: for a slow timer, so that the last count is not kept back.
    package mutating func due(at now: Int64) -> [Report] {
        var reports: [Report] = []
        for (kind, var state) in states where state.failing && state.unreported > 0 {
            if let report = report(kind, &state, at: now) { reports.append(report) }
            states[kind] = state
        }
        if others > 0, let report = reportOthers(at: now) { reports.append(report) }
        return reports
    }

    private func report(_ kind: Kind, _ state: inout State, at now: Int64) -> Report? {
        guard now - state.lastReport >= interval else { return nil }
        let report = Report.lasts(kind, repeated: state.unreported, milliseconds: now - state.since)
        state.lastReport = now
        state.unreported = 0
        state.silent = false
        return report
    }

    private mutating func beganNew(_ kind: Kind, at now: Int64) -> Report? {
        if states.count >= mostKinds {
            let ended = states.filter { !$0.value.failing }.min { $0.value.lastReport < $1.value.lastReport }
            guard let ended else {
                others += 1
                return reportOthers(at: now)
            }
            states[ended.key] = nil
        }
        states[kind] = State(since: now, lastReport: now)
        return .began(kind)
    }

    private mutating func reportOthers(at now: Int64) -> Report? {
        if let last = lastOthersReport, now - last < interval { return nil }
        defer { others = 0 }
        lastOthersReport = now
        return .others(others)
    }
}
