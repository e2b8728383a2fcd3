internal import BridgeCore
internal import Synchronization

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
        let found = Earliest(last: count - 1)
        await withDiscardingTaskGroup { group in
            for lane in 0..<lanes {
                group.addTask {
                    for index in stride(from: lane, to: count, by: lanes) {
                        if index > found.index { return }
                        let report = run(seed: first &+ UInt64(index), fault: fault)
                        guard !report.violations.isEmpty else { continue }
                        found.offer(index, report)
                    }
                }
            }
        }
        return (found.report, found.index + 1)
    }

    /// Runs `count` histories from `first` on, in `lanes` tasks at a time.
    /// - Returns: the sum, and the reports of histories with violations, by seed; at most `keep` of them.
    package static func run(
        first: UInt64, count: Int, lanes: Int, keep: Int = 20
    ) async -> SimulationSum {
        await withTaskGroup(of: SimulationSum.self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    var sum = SimulationSum()
                    for index in stride(from: lane, to: count, by: lanes) {
                        sum.add(run(seed: first &+ UInt64(index)), keep: keep)
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

/// The earliest of the histories that lanes have found.
private final class Earliest: Sendable {
    private let best: Mutex<(index: Int, report: HistoryReport?)>

    init(last: Int) { best = Mutex((last, nil)) }

    /// Its place; the last one of all until one is found.
    var index: Int { best.withLock { $0.index } }
    var report: HistoryReport? { best.withLock { $0.report } }

    func offer(_ index: Int, _ report: HistoryReport) {
        best.withLock { if index <= $0.index { $0 = (index, report) } }
    }
}
