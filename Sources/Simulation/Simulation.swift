internal import BridgeCore

/// What one history came to.
package struct HistoryReport: Sendable {
    package var seed: UInt64
    package var steps: Int
    package var coverage: Coverage
    /// Broken promises; empty: none.
    package var violations: [String]
}

/// The sum of many histories.
package struct SimulationSum: Sendable {
    package var steps = 0
    package var coverage = Coverage()
    /// Histories with violations.
    package var failed = 0
    /// Reports of some of them.
    package var reports: [HistoryReport] = []

    mutating func add(_ report: HistoryReport, keep: Int) {
        steps += report.steps
        coverage.add(report.coverage)
        guard !report.violations.isEmpty else { return }
        failed += 1
        if reports.count < keep { reports.append(report) }
    }
}

/// Seeded histories of the real core in a simulated world.
package enum Simulation {
    /// Runs one history. The same seed gives the same history, in every process and on every machine.
    /// - Parameters:
    ///   - fault: the rule that the core breaks, one of `faults`; nil: none.
    ///   - tell: gets the history's story, line by line.
    package static func run(seed: UInt64, fault: String? = nil, tell: ((String) -> Void)? = nil) -> HistoryReport {
        let world = World(seed: seed, fault: fault, tell: tell)
        let violations = world.run()
        return HistoryReport(seed: seed, steps: world.steps, coverage: world.coverage, violations: violations)
    }

    /// The rules that this build can break on purpose; empty but in a build with `-DDELIBERATE_FAULTS`.
    package static var faults: [String] {
        #if DELIBERATE_FAULTS
            DeliberateFault.allCases.map(\.rawValue)
        #else
            []
        #endif
    }

    /// Runs histories from `first` on with the fault switched on, in `lanes` tasks at a time, until one breaks a promise.
    /// - Returns: the first such history, nil where none of `count` did, and its number from 1.
    package static func find(
        fault: String, first: UInt64, count: Int, lanes: Int
    ) async -> (report: HistoryReport?, histories: Int) {
        // A few at a time: what runs beyond the first that is found is done for nothing.
        for start in stride(from: 0, to: count, by: 32) {
            let sum = await run(
                first: first &+ UInt64(start), count: min(32, count - start), lanes: lanes, fault: fault, keep: 1)
            if let report = sum.reports.first { return (report, Int(report.seed &- first) + 1) }
        }
        return (nil, count)
    }

    /// Runs `count` histories from `first` on, in `lanes` tasks at a time.
    /// - Returns: the sum, and the reports of histories with violations, by seed; at most `keep` of them.
    package static func run(
        first: UInt64, count: Int, lanes: Int, fault: String? = nil, keep: Int = 20
    ) async -> SimulationSum {
        await withTaskGroup(of: SimulationSum.self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    var sum = SimulationSum()
                    for index in stride(from: lane, to: count, by: lanes) {
                        sum.add(run(seed: first &+ UInt64(index), fault: fault), keep: keep)
                    }
                    return sum
                }
            }
            var all = SimulationSum()
            for await sum in group {
                all.steps += sum.steps
                all.coverage.add(sum.coverage)
                all.failed += sum.failed
                all.reports += sum.reports
            }
            all.reports.sort { $0.seed < $1.seed }
            all.reports = Array(all.reports.prefix(keep))
            return all
        }
    }
}
