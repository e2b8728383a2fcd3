internal import Telemetry
internal import Terminal

/// A line on standard error that says how far something is, on a terminal and after two seconds only.
struct WaitLine {
    private let output = Output.standardError
    private var bar: ProgressBar
    private var painter: LivePainter
    private var isGone = false

    init(_ label: String, total: Int?) {
        bar = ProgressBar(label, total: total, startedAt: monotonicMilliseconds())
        painter = LivePainter(facts: output.facts)
    }

    mutating func show(done: Int) {
        guard output.facts.canRepaint, !isGone else { return }
        let width = TerminalFacts.of(2).width ?? 80
        guard let line = bar.line(done: done, now: monotonicMilliseconds(), width: width) else { return }
        write(painter.paint([line], width: width, height: 10))
    }

    /// Takes the line away and gives the cursor back.
    mutating func end() {
        guard output.facts.canRepaint, !isGone else { return }
        write(painter.paint([], width: TerminalFacts.of(2).width ?? 80, height: 10))
        write(painter.end())
    }

    private mutating func write(_ bytes: [UInt8]) {
        do throws(OutputError) {
            try output.write(bytes)
        } catch {
            // Nobody looks at it any more; what the command does goes on.
            isGone = true
        }
    }
}
