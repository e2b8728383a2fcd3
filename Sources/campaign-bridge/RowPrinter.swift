internal import Terminal
internal import TerminalText

/// Writes a table of any length: the first rows say how wide the columns are, those that follow are written as they
/// come.
struct RowPrinter {
    private static let sample = 200
    private let heads: [String]
    private let output: Output
    private var rows: [[StyledText]] = []
    private var widths: [Int]?

    init(_ heads: [String], output: Output = .standardOutput) {
        self.heads = heads
        self.output = output
    }

    /// Whether the next row makes it write.
    var writesWithNext: Bool { rows.count + 1 >= Self.sample }

    mutating func add(_ cells: [StyledText]) throws(OutputError) {
        let isFull = writesWithNext
        rows.append(cells)
        if isFull { try flush() }
    }

    /// Writes what is held; the head too, where there was a row.
    mutating func flush() throws(OutputError) {
        guard !rows.isEmpty else { return }
        var text = ""
        let widths: [Int]
        if let known = self.widths {
            widths = known
        } else {
            let head = heads.map { StyledText($0, .bold) }
            widths = heads.indices.map { column in ([head] + rows).map { $0[column].width }.max() ?? 0 }
            self.widths = widths
            text += line(head, widths)
        }
        for row in rows { text += line(row, widths) }
        rows = []
        try output.write(Array(text.utf8))
    }

    private func line(_ cells: [StyledText], _ widths: [Int]) -> String {
        var line = cells[0].padded(to: widths[0])
        for column in cells.indices.dropFirst() {
            let isLast = column == cells.count - 1
            line = line + "  " + (isLast ? cells[column] : cells[column].padded(to: widths[column]))
        }
        let cut = output.facts.width.map { line.cut(to: $0) } ?? line
        return cut.rendered(colour: output.facts.colour) + "\n"
    }
}

/// Writes a JSON object whose first member is an array of any length, element by element.
struct JSONListPrinter {
    private let name: String
    private var buffer: [UInt8] = []
    private var isFirst = true

    init(_ name: String) { self.name = name }

    /// - Parameter element: one JSON value.
    mutating func add(_ element: [UInt8]) throws(OutputError) {
        buffer += isFirst ? Array("{\"\(name)\":[\n".utf8) : Array(",\n".utf8)
        isFirst = false
        buffer += element
        if buffer.count > 32_768 { try flush() }
    }

    mutating func flush() throws(OutputError) {
        try Output.standardOutput.write(buffer)
        buffer = []
    }

    /// - Parameter object: a JSON object whose members, at least one, follow the array.
    mutating func end(_ object: [UInt8]) throws(OutputError) {
        buffer += isFirst ? Array("{\"\(name)\":[".utf8) : Array("\n".utf8)
        buffer += Array("],".utf8) + object.dropFirst() + [10]
        try flush()
    }
}
