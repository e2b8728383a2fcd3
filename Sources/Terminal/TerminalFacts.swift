#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What a file descriptor can show.
package struct TerminalFacts: Equatable, Sendable {
    /// Whether it is a terminal on which the cursor can be moved.
    package var canRepaint: Bool
    /// Whether colours are wanted and possible.
    package var colour: Bool
    /// Columns; nil where it is no terminal, or the terminal does not say.
    package var width: Int?
    /// Lines; nil as for the width.
    package var height: Int?

    package init(canRepaint: Bool, colour: Bool, width: Int? = nil, height: Int? = nil) {
        self.canRepaint = canRepaint
        self.colour = colour
        self.width = width
        self.height = height
    }

    /// What is no terminal: neither colours nor control codes.
    package static let plain = TerminalFacts(canRepaint: false, colour: false)

    /// The rules: `TERM=dumb` or none means no control codes at all; `NO_COLOR`, if not empty, no colours.
    package init(
        isTerminal: Bool, size: (width: Int, height: Int)?, environment: (String) -> String?
    ) {
        let term = environment("TERM") ?? ""
        let able = isTerminal && !term.isEmpty && term != "dumb"
        canRepaint = able
        colour = able && (environment("NO_COLOR") ?? "").isEmpty
        width = isTerminal ? size?.width ?? environment("COLUMNS").flatMap { Int($0) } : nil
        height = isTerminal ? size?.height ?? environment("LINES").flatMap { Int($0) } : nil
    }

    /// Asks the system about a descriptor. The size may change at any time: ask again for each frame.
    package static func of(_ descriptor: Int32) -> TerminalFacts {
        guard isatty(descriptor) == 1 else { return .plain }
        var window = winsize()
        let known = ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 0 && window.ws_row > 0
        return TerminalFacts(
            isTerminal: true, size: known ? (Int(window.ws_col), Int(window.ws_row)) : nil,
            environment: { name in getenv(name).map { String(cString: $0) } })
    }
}
