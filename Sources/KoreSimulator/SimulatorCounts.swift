internal import JSON

/// What has been counted since the start or the last reset.
package struct SimulatorCounts: Sendable, Equatable {
    /// Calls by their operation.
    package var operations: [String: Int] = [:]
    /// Calls by what was decided.
    package var decisions: [String: Int] = [:]
    /// Refused calls by the kind of reason.
    package var refusals: [String: Int] = [:]
    /// Faults by kind.
    package var faults: [String: Int] = [:]
    /// Instances started, by campaign.
    package var starts: [String: Int] = [:]
    /// Answers that were given to the network, and exchanges that ended without.
    package var answered = 0
    package var unanswered = 0

    /// Nothing counted.
    package init() {}

    /// All instances started.
    package var started: Int { decisions[JournalEntry.Decision.started.rawValue, default: 0] }

    /// All calls.
    package var calls: Int { operations.values.reduce(0, +) }

    mutating func add(_ entry: JournalEntry) {
        operations[entry.operation, default: 0] += 1
        decisions[entry.decision.rawValue, default: 0] += 1
        if let reason = entry.reason { refusals[reason, default: 0] += 1 }
        if let fault = entry.fault { faults[fault, default: 0] += 1 }
        if entry.decision == .started { starts[entry.campaign, default: 0] += 1 }
    }

    var json: [UInt8] {
        var writer = JSONWriter()
        func table(_ name: String, _ values: [String: Int], _ w: inout JSONWriter) {
            w.key(name)
            w.object { w in for (key, value) in values.sorted(by: { $0.key < $1.key }) { w.member(key, value) } }
        }
        writer.object { w in
            w.member("calls", calls)
            w.member("started", started)
            w.member("campaignsStartedTwice", starts.values.count { $0 > 1 })
            w.member("answered", answered)
            w.member("unanswered", unanswered)
            table("operations", operations, &w)
            table("decisions", decisions, &w)
            table("refusals", refusals, &w)
            table("faults", faults, &w)
            table("starts", starts, &w)
        }
        return writer.bytes
    }
}
