package import TerminalText

/// A line that says how far something is. Pure: time is an argument.
package struct ProgressBar: Sendable {
    private let label: String
    private let total: Int?
    private let startedAt: Int64
    /// Milliseconds during which nothing is shown: what is quick needs no bar.
    private let patience: Int64

    /// - Parameters:
    ///   - total: how many steps there are, or nil where nobody knows.
    ///   - startedAt: milliseconds of a clock that does not jump.
    package init(_ label: String, total: Int?, startedAt: Int64, patience: Int64 = 2000) {
        self.label = VisibleText.of(label)
        self.total = total
        self.startedAt = startedAt
        self.patience = patience
    }

    /// The line, or nil as long as nothing is to be shown.
    package func line(done: Int, now: Int64, width: Int) -> StyledText? {
        let elapsed = now - startedAt
        guard elapsed >= patience else { return nil }
        guard let total, total > 0 else {
            return StyledText("\(label)  \(done)  \(Self.duration(elapsed))").cut(to: width - 1)
        }
        let share = min(1, max(0, Double(done) / Double(total)))
        let left =
            share > 0 && share < 1 ? "  " + Self.duration(Int64(Double(elapsed) / share) - elapsed) + " left" : ""
        let numbers = "\(Int(share * 100))%  \(done)/\(total)\(left)"
        let room = width - 1 - TextWidth.of(label) - numbers.utf8.count - 6
        guard room >= 10 else { return StyledText("\(label)  \(numbers)").cut(to: width - 1) }
        let length = min(40, room)
        let filled = Int(share * Double(length))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: length - filled)
        return StyledText("\(label)  [\(bar)]  \(numbers)").cut(to: width - 1)
    }

    private static func duration(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds) / 1000
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(seconds % 60)s" }
        return "\(seconds / 3600)h\(seconds / 60 % 60)m"
    }
}
