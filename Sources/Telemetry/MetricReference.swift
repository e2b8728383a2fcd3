/// The reference page of metrics, in Markdown, made from the declarations.
///
/// - Parameter declarations: in the order that the page shows.
package func metricReferencePage(_ declarations: [MetricDeclaration]) -> String {
    var page = "| Metric | Type | Unit | Labels | Meaning |\n|---|---|---|---|---|\n"
    for declaration in declarations {
        let labels = declaration.labels.map(describe).joined(separator: "; ")
        let unit = declaration.unit == .none ? "" : declaration.unit.rawValue
        page += "| `\(declaration.name)` | \(describe(declaration.kind)) | \(unit) | \(labels) "
        page += "| \(inCell(declaration.help)) |\n"
    }
    return page
}

private func describe(_ label: MetricLabel) -> String {
    switch label.domain {
    case .closed(let values): "`\(label.name)`: " + values.map { "`\($0)`" }.joined(separator: ", ")
    case .bounded(let most): "`\(label.name)`: up to \(most) values, then `\(MetricLabel.other)`"
    }
}

private func describe(_ kind: MetricDeclaration.Kind) -> String {
    switch kind {
    case .counter: "counter"
    case .gauge: "gauge"
    case .histogram(let buckets): "histogram, up to " + buckets.map(MetricText.number).joined(separator: ", ")
    }
}

/// A bar would end the cell, and a line feed the row.
private func inCell(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
        .split(separator: "\n").joined(separator: " ")
}
