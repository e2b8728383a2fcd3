import Testing

@testable import Terminal

@Suite("Text on a terminal", .timeLimit(.minutes(5)))
struct TextTests {
    @Test(
        "Columns are counted as terminals count them",
        arguments: [
            ("", 0), ("abc", 3), ("äöü", 3), ("e\u{301}", 1), ("日本", 4), ("한", 2), ("🙂", 2), ("👩‍👩‍👧", 2), ("❤️", 2),
            ("…", 1), ("ｶ", 1), ("Ａ", 2),
        ])
    func width(text: String, columns: Int) {
        #expect(TextWidth.of(text) == columns)
    }

    @Test("A cut text takes no more than its columns and says that it was cut", arguments: 0...12)
    func cut(columns: Int) {
        for text in ["abcdefgh", "日本語日本", "a日b本c", "🙂🙂🙂🙂"] {
            let cut = TextWidth.cut(text, to: columns)
            #expect(TextWidth.of(cut) <= columns)
            #expect(cut == text || columns == 0 || cut.hasSuffix("…"))
            #expect(cut == text || TextWidth.of(text) > columns)
        }
    }

    @Test("What could harm a terminal is escaped, everything else stays")
    func visible() {
        #expect(VisibleText.of("a\u{1b}[2J\n\t\u{9b}\u{202e}é日\\") == "a\\u{1b}[2J\\n\\t\\u{9b}\\u{202e}é日\\")
        #expect(VisibleText.of([0x61, 0xff, 0x0a, 0xc3, 0xa9, 0xe2, 0x82]) == "a\\xff\\né\\xe2\\x82")
        #expect(VisibleText.of([0x00, 0xed, 0xa0, 0x80]) == "\\u{00}\\xed\\xa0\\x80")
        #expect(VisibleText.of([UInt8]()) == "")
    }

    @Test("Each byte value and each pair of bytes is shown without a control character")
    func allBytes() {
        for first in UInt8.min...UInt8.max {
            for second: UInt8 in [0, 0x1b, 0x41, 0x80, 0x9b, 0xbf, 0xc2, 0xff] {
                let shown = VisibleText.of([first, second])
                #expect(shown.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
            }
        }
    }

    @Test("Styled text measures, cuts and pads by what is seen")
    func styled() {
        let text = StyledText("ok", .good) + " " + StyledText("日本", .bold)
        #expect(text.width == 7)
        #expect(text.plain == "ok 日本")
        #expect(text.rendered(colour: true) == "\u{1b}[32mok\u{1b}[0m \u{1b}[1m日本\u{1b}[0m")
        #expect(text.cut(to: 7) == text)
        #expect(text.cut(to: 6).plain == "ok 日…")
        #expect(text.cut(to: 3).plain == "ok…")
        #expect(text.cut(to: 2).plain == "o…")
        #expect(text.padded(to: 9).plain == "ok 日本  ")
        #expect(text.padded(to: 9, right: true).plain == "  ok 日本")
        #expect(StyledText("a\u{1b}b").rendered(colour: true) == "a\\u{1b}b")
    }

    @Test("A table aligns its columns by width, numbers at the right, and leaves no blanks at the end")
    func table() {
        var table = Table([.init("topic"), .init("lag", numbers: true), .init("note")])
        table.add(["日本", "5", "x"])
        table.add(["requests", "1200", ""])
        #expect(
            table.rendered(width: nil, colour: false)
                == "topic      lag  note\n日本         5  x\nrequests  1200  \n")
        #expect(
            table.rendered(width: 12, colour: false) == "topic      …\n日本       …\nrequests  1…\n")
    }

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
