internal import Simulation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Runs seeded histories of the core and says what came up; a build that has deliberate faults then looks whether each is
/// noticed. HISTORIES, SEED and TRACE=1 come from the environment, and FAULT=name for one deliberate fault alone. The exit
/// code is 1 where a promise was broken, a kind of event never came up or a fault was not noticed, 2 for a wrong setting.
@main
struct Runner {
    static func main() async {
        let histories = Int(clamping: setting("HISTORIES") ?? 20_000)
        let seed = setting("SEED") ?? 1
        if setting("TRACE") ?? 0 != 0 {
            let fault = getenv("FAULT").map { String(cString: $0) }
            for number in 0..<histories {
                print("history of seed \(seed &+ UInt64(number))")
                let report = Simulation.run(seed: seed &+ UInt64(number), fault: fault) { print($0) }
                for text in report.violations { print("VIOLATION   \(text)") }
            }
            return
        }
        let only = getenv("FAULT").map { String(cString: $0) } ?? ""
        let isFine = only.isEmpty ? await runHistories(first: seed, count: histories) : true
        exit(await findFaults(only: only, first: seed, count: histories) && isFine ? 0 : 1)
    }

    private static func runHistories(first seed: UInt64, count histories: Int) async -> Bool {
        let sum = await Simulation.run(first: seed, count: histories, lanes: 2)
        print("histories   \(histories), seeds \(seed) to \(seed &+ UInt64(max(0, histories - 1)))")
        print("steps       \(sum.steps)")
        print("coverage")
        for kind in Happening.allCases {
            let name = "\(kind)"
            print("  \(name)\(String(repeating: " ", count: max(1, 26 - name.count)))\(sum.coverage[kind])")
        }
        // A few histories need not bring up everything.
        let missing = histories >= 20_000 ? sum.coverage.missing : []
        for kind in missing { print("never came up: \(kind)") }
        print("violations  \(sum.failed)")
        for report in sum.reports {
            for text in report.violations.prefix(3) { print("  seed \(report.seed): \(text)") }
        }
        if let first = sum.reports.first {
            print("the story of the first: make simulation HISTORIES=1 SEED=\(first.seed) TRACE=1")
        }
        return sum.failed == 0 && missing.isEmpty
    }

    /// With each rule broken in turn: whether the histories notice every one.
    private static func findFaults(only: String, first: UInt64, count: Int) async -> Bool {
        guard !Simulation.faults.isEmpty else { return true }
        var missed = 0
        for fault in Simulation.faults where only.isEmpty || only == fault {
            let (report, histories) = await Simulation.find(fault: fault, first: first, count: count, lanes: 2)
            let name = fault + String(repeating: " ", count: max(1, 30 - fault.count))
            if let report, let text = report.violations.first {
                print("\(name)found in history \(histories), seed \(report.seed): \(text)")
            } else {
                missed += 1
                print("\(name)NOT FOUND in \(histories) histories")
            }
        }
        print("deliberate faults not found: \(missed)")
        return missed == 0
    }

    private static func setting(_ name: String) -> UInt64? {
        guard let text = getenv(name).map({ String(cString: $0) }), !text.isEmpty else { return nil }
        guard let number = UInt64(text) else {
            print("\(name)=\(text) is not a whole number")
            exit(2)
        }
        return number
    }
}
