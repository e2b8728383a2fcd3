internal import Bridge
internal import BridgeCore
internal import JSON
internal import Terminal
internal import TerminalText

/// What a demonstration shows of its tally: a frame of the live view, the summary, and the same as JSON. Pure.
struct DemoView {
    var seconds: Int64
    var rate: Double
    var metrics: String
    var startedTwice: Int
    var starts: Int

    func frame(_ tally: DemoTally) -> [StyledText] {
        var lines = [
            StyledText("CampaignBridge", .bold)
                + StyledText("  demo: mock Kafka, simulated Kore.ai API, \(clock(seconds))", .dim),
            StyledText(""),
        ]
        func row(_ name: String, _ count: Int, _ detail: String = "", _ style: StyledText.Style = .plain) {
            let number = StyledText(String(count), style).padded(to: 8, right: true)
            lines.append(StyledText("  " + name).padded(to: 16) + number + StyledText("   " + detail, .dim))
        }
        row("events in", tally.sent, "\(tally.met) read by the bridge")
        row("calls", tally.callCount, parts(CallClass.allCases.map { ($0.rawValue, tally.calls[$0] ?? 0) }))
        row("started", tally.started, oneDecimal(rate) + " outcomes a second", .good)
        row(
            "dead letters", tally.deadLetterCount,
            parts(DeadLetterReason.allCases.map { ($0.rawValue, tally.deadLetters[$0] ?? 0) }),
            tally.deadLetterCount > 0 ? .warning : .plain)
        row("duplicates", tally.suppressed, "suppressed: never called again")
        row(
            "in doubt", tally.inDoubt, "\(tally.doubts) so far: request sent, answer lost",
            tally.inDoubt > 0 ? .warning : .plain)
        row(
            "started twice", startedTwice, "of \(starts) starts in the API's own journal",
            startedTwice > 0 ? .bad : .plain)
        lines.append(StyledText(""))
        for line in tally.lines { lines.append(text(of: line)) }
        lines.append(StyledText(""))
        lines.append(StyledText(metrics.isEmpty ? "Ctrl-C ends" : "Ctrl-C ends   metrics: \(metrics)", .dim))
        return lines
    }

    func text(of line: DemoTally.Line) -> StyledText {
        let time = RFC3339.format(line.time).dropFirst(11).prefix(12)
        return StyledText("  \(time)  ", .dim) + StyledText(line.label).padded(to: 24)
            + StyledText("  " + line.outcome, line.isGood ? .good : .warning)
    }

    func summary(_ tally: DemoTally, waiting: String) -> String {
        var text = "\(tally.sent) events in \(clock(seconds)), \(tally.callCount) calls: "
        text += "\(tally.started) started, \(tally.deadLetterCount) dead letters, "
        text += "\(tally.suppressed) duplicates suppressed, \(tally.inDoubt) in doubt.\n"
        let reasons = parts(DeadLetterReason.allCases.map { ($0.rawValue, tally.deadLetters[$0] ?? 0) })
        if !reasons.isEmpty { text += "Dead letters by reason: \(reasons).\n" }
        text +=
            "The API's journal: \(starts) campaigns started, \(startedTwice) of them twice. "
            + "Outcomes on the topics: \(tally.published), \(tally.doubled) of them twice.\n"
        if tally.missing > 0 {
            text += "\(tally.missing) \(tally.missing == 1 ? "event has" : "events have") no outcome yet\(waiting).\n"
        }
        return text
    }

    func json(_ tally: DemoTally) -> [UInt8] {
        var out = JSONWriter()
        out.object { out in
            out.member("events", tally.sent)
            out.member("calls", tally.callCount)
            out.key("callsByClass")
            out.object { out in
                for kind in CallClass.allCases { out.member(kind.rawValue, tally.calls[kind] ?? 0) }
            }
            out.member("started", tally.started)
            out.member("deadLetters", tally.deadLetterCount)
            out.key("deadLettersByReason")
            out.object { out in
                for reason in DeadLetterReason.allCases {
                    if let count = tally.deadLetters[reason] { out.member(reason.rawValue, count) }
                }
            }
            out.member("suppressed", tally.suppressed)
            out.member("inDoubt", tally.inDoubt)
            out.member("doubts", tally.doubts)
            out.member("published", tally.published)
            out.member("publishedTwice", tally.doubled)
            out.member("missing", tally.missing)
            out.member("apiStarts", starts)
            out.member("apiStartedTwice", startedTwice)
            out.member("seconds", seconds)
        }
        return out.bytes + [10]
    }

    private func parts(_ counts: [(String, Int)]) -> String {
        counts.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }

    private func oneDecimal(_ value: Double) -> String {
        let tenths = Int(value * 10 + 0.5)
        return "\(tenths / 10).\(tenths % 10)"
    }

    private func clock(_ seconds: Int64) -> String {
        "\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)"
    }
}
