/// A table for people: columns as wide as their widest cell, the last one cut where the terminal ends.
package struct Table: Sendable {
    /// A column's head, and whether it holds numbers, which stand at the right.
    package struct Column: Sendable {
        package var head: String
        package var numbers: Bool

        package init(_ head: String, numbers: Bool = false) {
            self.head = head
            self.numbers = numbers
        }
    }

    private let columns: [Column]
    private var rows: [[StyledText]] = []

    package init(_ columns: [Column]) {
        self.columns = columns
    }

    package var isEmpty: Bool { rows.isEmpty }

    /// Adds a row. Another number of cells than columns traps.
    package mutating func add(_ cells: [StyledText]) {
        precondition(cells.count == columns.count, "a row has \(cells.count) cells for \(columns.count) columns")
        rows.append(cells)
    }

    /// The lines, with a line feed each; only the head when there is no row.
    ///
    /// - Parameter width: columns of the terminal; nil: nothing is cut.
    package func rendered(width: Int?, colour: Bool) -> String {
        let heads = columns.map { StyledText($0.head, .bold) }
        let widths = columns.indices.map { column in
            ([heads] + rows).map { $0[column].width }.max() ?? 0
        }
        var text = ""
        for row in [heads] + rows {
            var line = StyledText("")
            for (index, cell) in row.enumerated() {
                let column = columns[index]
                // No blanks behind the last cell of a line.
                let padded =
                    index == columns.count - 1 && !column.numbers
                    ? cell : cell.padded(to: widths[index], right: column.numbers)
                line = index == 0 ? padded : line + "  " + padded
            }
            text += (width.map { line.cut(to: $0) } ?? line).rendered(colour: colour) + "\n"
        }
        return text
    }
}
