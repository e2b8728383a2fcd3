import Testing

@testable import Simulation

@Suite("The core in a simulated world", .timeLimit(.minutes(5)))
struct SimulationTests {
    // The same with 20 000 histories, in which every kind must come up, is a part of its own in scripts/test.
    @Test("No history breaks a promise, and nearly every kind of event comes up")
    func promises() async {
        let sum = await Simulation.run(first: 1, count: 1000, lanes: 2)
        for report in sum.reports {
            Issue.record("make simulation HISTORIES=1 SEED=\(report.seed) TRACE=1: \(report.violations)")
        }
        #expect(sum.failed == 0)
        #expect(sum.coverage.missing.count < 10, "never came up: \(sum.coverage.missing)")
    }

    @Test("The same seed tells the same story", arguments: [3, 17, 51, 960])
    func repeatable(seed: UInt64) {
        var stories: [[String]] = [[], []]
        for index in stories.indices { _ = Simulation.run(seed: seed) { stories[index].append($0) } }
        #expect(!stories[0].isEmpty)
        #expect(stories[0] == stories[1])
    }

    @Test("Seeds that have found something stay fine", arguments: Self.found)
    func regressions(seed: UInt64) {
        #expect(Simulation.run(seed: seed).violations.isEmpty)
    }

    /// Histories that broke a promise once. Their course changes with the world; what they found is in the core's tests.
    private static let found: [UInt64] = [
        51, 95, 128, 164, 634, 960, 1567, 4752, 8956, 14_376, 14_573, 17, 42, 80, 95, 889, 1850, 3767, 7001,
    ]

    #if DELIBERATE_FAULTS
        @Test("Each rule that is broken on purpose is found", arguments: Simulation.faults)
        func deliberate(fault: String) async {
            let found = await Simulation.find(fault: fault, first: 1, count: 20_000, lanes: 2)
            #expect(found.report != nil)
        }
    #else
        @Test("An ordinary build has no deliberate fault to switch on")
        func noFaults() {
            #expect(Simulation.faults.isEmpty)
        }
    #endif
}
