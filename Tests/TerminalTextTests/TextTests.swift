import Testing

@testable import TerminalText

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
}
