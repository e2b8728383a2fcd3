internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Writes the log lines of outages through an `OutageLimiter`, so that an outage of any length writes few of them.
/// Safe to use from any thread.
package final class OutageLog: Sendable {
    private let logger: Logger
    private let clock: @Sendable () -> Int64
    private let limiter: Mutex<OutageLimiter<String>>

    /// - Parameter clock: milliseconds of a clock that does not jump.
    package init(
        logger: Logger, limiter: OutageLimiter<String> = OutageLimiter(),
        clock: @escaping @Sendable () -> Int64 = monotonicMilliseconds
    ) {
        self.logger = logger
        self.clock = clock
        self.limiter = Mutex(limiter)
    }

    /// Something failed. The fields go into those lines that are written.
    ///
    /// - Parameter kind: what is out of order, such as `broker` or `connection crm-eu`; from a bounded set.
    package func failed(_ kind: String, _ fields: @autoclosure () -> LogFields = [:]) {
        let report = limiter.withLock { $0.failed(kind, at: clock()) }
        if let report { write(report, fields()) }
    }

    /// Something worked. Costs little when it did before.
    package func recovered(_ kind: String) {
        let report = limiter.withLock { $0.recovered(kind, at: clock()) }
        if let report { write(report, [:]) }
    }

    /// Writes the counts that are due; called by a slow timer.
    package func writeDue() {
        let reports = limiter.withLock { $0.due(at: clock()) }
        for report in reports { write(report, [:]) }
    }

    private func write(_ report: OutageLimiter<String>.Report, _ fields: LogFields) {
        switch report {
        case .began(let kind):
            logger.warning(
                "failing; repeated failures are counted", ([.outage: .string(kind)] as LogFields).merged(with: fields))
        case .lasts(let kind, let repeated, let milliseconds):
            logger.warning(
                "still failing",
                ([.outage: .string(kind), .repeated: .int(repeated), .outageMilliseconds: .int(milliseconds)]
                    as LogFields).merged(with: fields))
        case .over(let kind, let failures, let milliseconds):
            logger.info(
                "back after an outage",
                [.outage: .string(kind), .failures: .int(failures), .outageMilliseconds: .int(milliseconds)])
        case .others(let count):
            logger.warning("more kinds of failures than are told apart", [.repeated: .int(count)])
        }
    }

}

/// Milliseconds of a clock that does not jump. Its zero means nothing.
package func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
