internal import Configuration
internal import Synchronization
internal import Telemetry
internal import Terminal
internal import TerminalText

/// Writes a demonstration's view to standard error: repainted on a terminal, else one line for each event.
final class DemoPainter: LogSink {
    private struct State {
        var painter: LivePainter
        var logLines: [StyledText] = []
        var isGone = false
    }

    private let output = Output.standardError
    private let isLive: Bool
    private let showsLines: Bool
    private let state: Mutex<State>

    /// - Parameter showsLines: whether off a terminal each event is written as a line.
    init(facts: TerminalFacts, isLive: Bool, showsLines: Bool) {
        self.isLive = isLive
        self.showsLines = showsLines
        state = Mutex(State(painter: LivePainter(facts: facts)))
    }

    /// Nobody reads any more.
    var isGone: Bool { state.withLock { $0.isGone } }

    /// A logger whose lines stand above the view and do not tear it.
    func logger(_ settings: BridgeSettings, level: String) -> Logger {
        guard isLive else { return Process.logger(settings, level: level) }
        return Logger(
            output: LogOutput(formatter: LogFormatter(style: .text(colour: false), redactor: Redactor()), sink: self),
            level: Telemetry.LogLevel(rawValue: level) ?? .error)
    }

    func write(_ line: [UInt8]) -> Bool {
        state.withLock { state in
            guard state.logLines.count < 100 else { return false }
            let text = line.last == 10 ? line.dropLast() : line[...]
            state.logLines.append(StyledText(String(decoding: text, as: UTF8.self)))
            return true
        }
    }

    func paint(_ view: DemoView, _ board: DemoBoard) {
        let (tally, fresh) = board.with { ($0, $0.takeFresh()) }
        let size = TerminalFacts.of(2)
        let width = size.width ?? 100
        let height = size.height ?? 40
        let bytes = state.withLock { state -> [UInt8] in
            guard isLive else {
                return showsLines
                    ? fresh.flatMap { state.painter.note(view.text(of: $0), width: width, height: height) } : []
            }
            let notes = state.logLines
            state.logLines = []
            return notes.flatMap { state.painter.note($0, width: width, height: height) }
                + state.painter.paint(view.frame(tally), width: width, height: height)
        }
        write(all: bytes)
    }

    func end() {
        write(all: state.withLock { $0.painter.end() })
    }

    private func write(all bytes: [UInt8]) {
        guard !bytes.isEmpty, !isGone else { return }
        do throws(OutputError) {
            try output.write(bytes)
        } catch {
            // The reader has gone: the demonstration ends, and its summary still goes to standard output.
            state.withLock { $0.isGone = true }
        }
    }
}
