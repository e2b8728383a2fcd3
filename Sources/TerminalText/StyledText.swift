/// Text in pieces of one look each. It escapes what must not reach a terminal, and measures itself without colours.
package struct StyledText: Equatable, Sendable, ExpressibleByStringInterpolation {
    /// A look. Always words as well: a colour never says something alone.
    package enum Style: String, Sendable {
        case plain = ""
        case bold = "\u{1b}[1m"
        case dim = "\u{1b}[2m"
        case good = "\u{1b}[32m"
        case warning = "\u{1b}[33m"
        case bad = "\u{1b}[31m"
        case accent = "\u{1b}[36m"
    }

    private struct Piece: Equatable, Sendable {
        var text: String
        var style: Style
    }

    private var pieces: [Piece]

    /// - Parameter text: from anywhere; control characters are escaped.
    package init(_ text: String, _ style: Style = .plain) {
        pieces = [Piece(text: VisibleText.of(text), style: style)]
    }

    package init(stringLiteral value: String) { self.init(value) }

    package static func + (left: StyledText, right: StyledText) -> StyledText {
        var result = left
        result.pieces += right.pieces
        return result
    }

    /// The words without colours.
    package var plain: String { pieces.map(\.text).joined() }

    /// The columns it takes.
    package var width: Int { pieces.reduce(0) { $0 + TextWidth.of($1.text) } }

    /// The text with its colours, or without any.
    package func rendered(colour: Bool) -> String {
        guard colour else { return plain }
        return pieces.map { $0.style == .plain ? $0.text : $0.style.rawValue + $0.text + "\u{1b}[0m" }.joined()
    }

    /// The text cut to so many columns.
    package func cut(to columns: Int) -> StyledText {
        guard width > columns else { return self }
        var result = StyledText("")
        var left = columns
        for piece in pieces where left > 0 {
            let width = TextWidth.of(piece.text)
            // Something follows or this piece is too long itself: leave a column for the mark.
            let text = width < left ? piece.text : TextWidth.cut(piece.text + "…", to: left)
            result.pieces.append(Piece(text: text, style: piece.style))
            left = width < left ? left - width : 0
        }
        return result
    }

    /// The text filled with blanks to so many columns; one that is longer stays as it is.
    package func padded(to columns: Int, right: Bool = false) -> StyledText {
        let blanks = StyledText(String(repeating: " ", count: max(0, columns - width)))
        return right ? blanks + self : self + blanks
    }
}
