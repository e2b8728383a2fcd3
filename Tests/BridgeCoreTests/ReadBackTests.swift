import Testing

@testable import BridgeCore

@Suite("What a read-back proves")
struct ReadBackTests {
    private static let old = "2025-12-08T07:20:43.340Z"
    private static let new = "2025-12-08T07:21:43.340Z"

    /// One case of the table: everything that speaks for a decision is there unless the case takes it away.
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var before: CampaignState? = CampaignState(status: "Ready", marker: ReadBackTests.old)
        var after: StatusReport.Result
        var afterLease = true
        var isExclusive = true
        var markerWasSeenToMove = true
        var expiredTokenIsRefused = true
        var decision: ReadBackDecision

        var testDescription: String { name }
    }

    private static func state(_ status: String?, _ marker: String?) -> CampaignState {
        CampaignState(status: status, marker: marker)
    }

    private static func seen(_ status: String?, _ marker: String?) -> StatusReport.Result {
        .seen(state(status, marker))
    }

    /// Row 1: moved and Active, on an exclusive connection.
    private static let started: [Row] = [
        Row(name: "moved and Active", after: seen("Active", new), decision: .started),
        Row(
            name: "moved and Active, after a stopped run", before: state("Stopped", old), after: seen("Active", new),
            decision: .started),
        Row(
            name: "moved and Active, after a completed run", before: state("Completed", old),
            after: seen("Active", new), decision: .started),
        Row(
            name: "row 1 needs neither of row 2's conditions", after: seen("Active", new), markerWasSeenToMove: false,
            expiredTokenIsRefused: false, decision: .started),
        Row(
            name: "markers that are no times are compared as texts", before: state("Ready", "7"),
            after: seen("Active", "8"), decision: .started),
        Row(name: "somebody else may have", after: seen("Active", new), isExclusive: false, decision: .unknown),
        Row(name: "Active and unmoved", after: seen("Active", old), decision: .unknown),
        Row(name: "Active and moved back", after: seen("Active", "2025-12-08T07:19:43.340Z"), decision: .unknown),
        Row(
            name: "the same time otherwise written", after: seen("Active", "2025-12-08T07:20:43.34Z"),
            decision: .unknown),
        Row(name: "Active in other letters", after: seen("active", new), decision: .unknown),
        Row(name: "Active, no marker", after: seen("Active", nil), decision: .unknown),
        Row(name: "no marker before", before: state("Ready", nil), after: seen("Active", new), decision: .unknown),
        Row(name: "Active before", before: state("Active", old), after: seen("Active", new), decision: .unknown),
        Row(
            name: "it had a schedule of its own", before: state("Scheduled", old), after: seen("Active", new),
            decision: .unknown),
        Row(name: "it was paused", before: state("Paused", old), after: seen("Active", new), decision: .unknown),
        Row(name: "it was prepared", before: state("Preparing", old), after: seen("Active", new), decision: .unknown),
        Row(name: "no status before", before: state(nil, old), after: seen("Active", new), decision: .unknown),
        Row(name: "nothing seen before", before: nil, after: seen("Active", new), decision: .unknown),
    ]

    /// Row 2: unmoved and the same status, where markers move and expired tokens are refused.
    private static let notStarted: [Row] = [
        Row(name: "unmoved", after: seen("Ready", old), decision: .notStarted),
        Row(
            name: "unmoved, after a stopped run", before: state("Stopped", old), after: seen("Stopped", old),
            decision: .notStarted),
        Row(
            name: "unmoved, after a completed run", before: state("Completed", old), after: seen("Completed", old),
            decision: .notStarted),
        Row(
            name: "row 2 needs no exclusive connection", after: seen("Ready", old), isExclusive: false,
            decision: .notStarted),
        Row(
            name: "the marker was never seen to move", after: seen("Ready", old), markerWasSeenToMove: false,
            decision: .unknown),
        Row(
            name: "expired tokens may be taken", after: seen("Ready", old), expiredTokenIsRefused: false,
            decision: .unknown),
        Row(name: "another status", after: seen("Stopped", old), decision: .unknown),
        Row(name: "moved, the same status", after: seen("Ready", new), decision: .unknown),
        Row(
            name: "run and ended", before: state("Completed", old), after: seen("Completed", new), decision: .unknown),
        Row(name: "run and stopped", after: seen("Stopped", new), decision: .unknown),
        Row(name: "no marker", after: seen("Ready", nil), decision: .unknown),
        Row(
            name: "no marker, before neither", before: state("Ready", nil), after: seen("Ready", nil),
            decision: .unknown),
        Row(name: "no status", after: seen(nil, old), decision: .unknown),
        Row(
            name: "scheduled all the time", before: state("Scheduled", old), after: seen("Scheduled", old),
            decision: .unknown),
        Row(name: "paused all the time", before: state("Paused", old), after: seen("Paused", old), decision: .unknown),
        Row(
            name: "a status that nobody documents", before: state("System_Stopped", old),
            after: seen("System_Stopped", old), decision: .unknown),
        Row(name: "nothing seen before, unmoved", before: nil, after: seen("Ready", old), decision: .unknown),
    ]

    /// Row 3, and what is not in the table.
    private static let others: [Row] = [
        Row(name: "no answer", after: .noAnswer(cause: "timeout"), decision: .undecided),
        Row(name: "no answer, too early", after: .noAnswer(cause: "timeout"), afterLease: false, decision: .undecided),
        Row(
            name: "no answer, and none could decide", before: nil, after: .noAnswer(cause: "timeout"),
            decision: .unknown),
        Row(name: "an answer that is of no use", after: .unusable(cause: "not_listed"), decision: .unknown),
        Row(
            name: "started, and still in the lease", after: seen("Active", new), afterLease: false,
            decision: .undecided),
        Row(
            name: "unmoved, and still in the lease", after: seen("Ready", old), afterLease: false,
            decision: .undecided),
    ]

    @Test("Every row of the table", arguments: started + notStarted + others)
    func table(row: Row) {
        let report = StatusReport(result: row.after, requests: 2, duration: .zero)
        let decision = ReadBackDecision.decide(
            before: row.before, after: report, afterLease: row.afterLease, isExclusive: row.isExclusive,
            markerWasSeenToMove: row.markerWasSeenToMove, expiredTokenIsRefused: row.expiredTokenIsRefused)
        #expect(decision == row.decision)
    }

    @Test("Nothing but rows 1 and 2 decides, whatever else holds")
    func exhaustive() {
        let statuses: [String?] = [nil, "Ready", "Stopped", "Completed", "Active", "Paused", "Scheduled", "x"]
        let markers: [String?] = [nil, Self.old, Self.new]
        var counts: [ReadBackDecision: Int] = [:]
        for old in statuses {
            for new in statuses {
                for oldMarker in markers {
                    for newMarker in markers {
                        for flags in 0..<16 {
                            let decision = ReadBackDecision.decide(
                                before: Self.state(old, oldMarker),
                                after: StatusReport(result: Self.seen(new, newMarker), requests: 2, duration: .zero),
                                afterLease: flags & 1 != 0, isExclusive: flags & 2 != 0,
                                markerWasSeenToMove: flags & 4 != 0,
                                expiredTokenIsRefused: flags & 8 != 0)
                            counts[decision, default: 0] += 1
                        }
                    }
                }
            }
        }
        // Row 1: three statuses before, one pair of markers that moves on, two free conditions.
        #expect(counts[.started] == 3 * 1 * 4)
        // Row 2: three statuses, two markers that stay, one free condition.
        #expect(counts[.notStarted] == 3 * 2 * 2)
    }
}
