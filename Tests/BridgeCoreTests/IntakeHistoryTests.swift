import Testing

@testable import BridgeCore

@Suite("Intake histories", .timeLimit(.minutes(5)))
struct IntakeHistoryTests {
    @Test("Each source record stands in the intake topic once and in order, whatever fails")
    func once() {
        var counts: [String: Int] = [:]
        for seed in 0..<120 {
            let world = IntakeWorld(seed: UInt64(seed), replicas: 1 + seed % 3)
            world.run(steps: 1200)
            #expect(world.isFinished, "not all is moved, seed \(seed)")
            for (partition, offsets) in world.source {
                let found = world.intake.filter { $0.partition == partition }.map(\.offset)
                #expect(found == offsets, "partition \(partition), seed \(seed)")
            }
            counts.merge(world.counts) { $0 + $1 }
        }
        let wanted = [
            "rebalance", "thrown out", "crash", "broken", "given up", "fenced", "aborted", "lost and aborted",
            "committed without an answer", "committed", "unstable",
        ]
        for what in wanted { #expect(counts[what, default: 0] > 0, "\(what) never happened") }
    }
}
