import TerminalText
import Testing

@testable import Terminal

@Suite("Progress", .timeLimit(.minutes(5)))
struct ProgressTests {
    @Test("Progress is silent at first, then a bar, then a bar that is full")
    func progress() {
        let bar = ProgressBar("reading", total: 200, startedAt: 1000)
        #expect(bar.line(done: 10, now: 2999, width: 80) == nil)
        #expect(
            bar.line(done: 50, now: 5000, width: 80)?.plain
                == "reading  [##########------------------------------]  25%  50/200  12s left")
        #expect(
            bar.line(done: 250, now: 5000, width: 80)?.plain
                == "reading  [########################################]  100%  250/200")
        #expect(
            bar.line(done: 50, now: 5000, width: 30)?.plain
                == "reading  25%  50/200  12s le…")
        #expect(
            ProgressBar("reading", total: nil, startedAt: 0).line(done: 7, now: 65_000, width: 80)?.plain
                == "reading  7  1m5s")
        for width in 0...100 {
            #expect((bar.line(done: 50, now: 5000, width: width)?.width ?? 0) <= max(0, width - 1))
        }
    }
}

@Suite("What a terminal can do", .timeLimit(.minutes(5)))
struct TerminalFactsTests {
    @Test(
        "Colours and repainting follow the terminal, TERM and NO_COLOR",
        arguments: [
            (true, ["TERM": "xterm"], true, true), (true, ["TERM": "dumb"], false, false), (true, [:], false, false),
            (true, ["TERM": "xterm", "NO_COLOR": "1"], true, false),
            (true, ["TERM": "xterm", "NO_COLOR": ""], true, true), (false, ["TERM": "xterm"], false, false),
        ] as [(Bool, [String: String], Bool, Bool)])
    func rules(isTerminal: Bool, environment: [String: String], repaints: Bool, colour: Bool) {
        let facts = TerminalFacts(isTerminal: isTerminal, size: (100, 30)) { environment[$0] }
        #expect(facts.canRepaint == repaints && facts.colour == colour)
        #expect(facts.width == (isTerminal ? 100 : nil))
    }

    @Test("A terminal that does not say its size is asked by the environment")
    func size() {
        let facts = TerminalFacts(isTerminal: true, size: nil) { ["COLUMNS": "90", "LINES": "x"][$0] }
        #expect(facts.width == 90 && facts.height == nil)
    }
}

@Suite("A live view", .timeLimit(.minutes(5)))
struct LivePainterTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("Frames are painted over each other, lines that stay go above, and the end gives the cursor back")
    func terminal() {
        var painter = LivePainter(facts: TerminalFacts(canRepaint: true, colour: false))
        #expect(text(painter.paint(["a", "b"], width: 80, height: 24)) == "\u{1b}[?25la\nb\n")
        #expect(text(painter.paint(["c"], width: 80, height: 24)) == "\r\u{1b}[2A\u{1b}[Jc\n")
        #expect(text(painter.note("n", width: 80, height: 24)) == "\r\u{1b}[1A\u{1b}[Jn\nc\n")
        #expect(text(painter.end()) == "\u{1b}[0m\u{1b}[?25h")
        #expect(painter.end() == [] && painter.paint(["d"], width: 80, height: 24) == [])
    }

    @Test("A frame never takes more lines or columns than the terminal has")
    func bounded() {
        var painter = LivePainter(facts: TerminalFacts(canRepaint: true, colour: false))
        let lines = (0..<50).map { StyledText("line \($0) is long") }
        let painted = text(painter.paint(lines, width: 9, height: 5)).dropFirst(6)
        #expect(painted == "line 0 …\nline 1 …\nline 2 …\nline 3 …\n")
        #expect(text(painter.paint([], width: 9, height: 5)) == "\r\u{1b}[4A\u{1b}[J")
    }

    @Test("Off a terminal there are no control codes: lines that stay, and the last frame at the end")
    func plain() {
        var painter = LivePainter(facts: .plain)
        #expect(painter.paint(["a"], width: 80, height: 24) == [])
        #expect(text(painter.note("n", width: 80, height: 24)) == "n\n")
        #expect(painter.paint(["b", "c"], width: 80, height: 24) == [])
        #expect(text(painter.end()) == "b\nc\n")
    }

    @Test("A view that never painted leaves the terminal alone")
    func nothing() {
        var painter = LivePainter(facts: TerminalFacts(canRepaint: true, colour: true))
        #expect(painter.end() == [])
    }
}
