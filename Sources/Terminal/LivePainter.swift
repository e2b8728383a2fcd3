package import TerminalText

/// Makes the bytes of a view that repaints itself, with lines above it that stay. Pure: frames in, bytes out.
///
/// On a terminal the cursor is hidden and the view's lines are painted over the last ones; `end` leaves the last frame
/// standing and restores the cursor. The caller must write `end`'s bytes on every way out, after SIGINT and SIGTERM
/// too (`Signals`). Off a terminal only the lines that stay are written, and the last frame at the end.
package struct LivePainter: Sendable {
    private let facts: TerminalFacts
    private var frame: [StyledText] = []
    private var painted = 0
    private var paintedWidth = 0
    private var started = false
    private var ended = false

    package init(facts: TerminalFacts) {
        self.facts = facts
    }

    /// Paints a frame. Lines are cut to the width, and to the height from the end.
    ///
    /// - Parameters:
    ///   - width: the terminal's present columns.
    ///   - height: the terminal's present lines.
    package mutating func paint(_ lines: [StyledText], width: Int, height: Int) -> [UInt8] {
        guard !ended else { return [] }
        frame = lines
        guard facts.canRepaint else { return [] }
        return Array((erase(width: width) + body(width: width, height: height)).utf8)
    }

    /// Writes a line that stays, above the view.
    package mutating func note(_ line: StyledText, width: Int, height: Int) -> [UInt8] {
        guard !ended else { return [] }
        let text = line.rendered(colour: facts.colour)
        guard facts.canRepaint else { return Array((text + "\n").utf8) }
        return Array((erase(width: width) + text + "\n" + body(width: width, height: height)).utf8)
    }

    /// Leaves the last frame standing and gives the cursor back. A second call, and whatever is painted later, gives
    /// nothing.
    package mutating func end() -> [UInt8] {
        guard !ended else { return [] }
        ended = true
        guard facts.canRepaint else {
            return Array(frame.map { $0.rendered(colour: facts.colour) + "\n" }.joined().utf8)
        }
        return started ? Array("\u{1b}[0m\u{1b}[?25h".utf8) : []
    }

    /// Goes up to the view's first line and clears from there. A terminal that became narrower has wrapped the lines:
    /// each then takes as many rows as it needs, at most.
    private mutating func erase(width: Int) -> String {
        var bytes = started ? "" : "\u{1b}[?25l"
        started = true
        guard painted > 0 else { return bytes }
        let wraps = width > 0 && width < paintedWidth ? (paintedWidth + width - 1) / width : 1
        bytes += "\r\u{1b}[\(painted * wraps)A\u{1b}[J"
        painted = 0
        return bytes
    }

    private mutating func body(width: Int, height: Int) -> String {
        // The line below the view holds the cursor; a column stays free, so that no line wraps.
        let shown = frame.prefix(max(0, height - 1)).map { $0.cut(to: max(1, width - 1)) }
        painted = shown.count
        paintedWidth = shown.map(\.width).max() ?? 0
        return shown.map { $0.rendered(colour: facts.colour) + "\n" }.joined()
    }
}
