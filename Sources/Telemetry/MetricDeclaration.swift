/// What a metric is: the one place that says its name, help, unit and labels. The text format, the reference page and
/// the checks all read it.
package struct MetricDeclaration: Hashable, Sendable {
    /// How a metric behaves.
    package enum Kind: Hashable, Sendable {
        /// Only grows; its name ends with `_total`.
        case counter
        /// Goes up and down.
        case gauge
        /// Counts observations by size. The buckets' upper bounds are finite and ascend; the one without a bound is
        /// added.
        case histogram(buckets: [Double])
    }

    /// What its numbers count. Prometheus wants base units, and the unit in the name.
    package enum Unit: String, Hashable, Sendable {
        case none, seconds, bytes, ratio
    }

    package let name: String
    package let kind: Kind
    package let help: String
    package let unit: Unit
    package let labels: [MetricLabel]

    package init(
        _ name: String, _ kind: Kind, unit: Unit = .none, labels: [MetricLabel] = [], help: String
    ) {
        self.name = name
        self.kind = kind
        self.help = help
        self.unit = unit
        self.labels = labels
    }

    /// What is wrong with the declaration, empty when nothing is. A registry traps on a faulty one: declarations are
    /// constants of the program, and a test asks each of them.
    package func faults() -> [String] {
        var faults: [String] = []
        if !Self.isName(name) { faults.append("\(name) is no metric name: lower-case letters, digits and _ only") }
        if help.isEmpty { faults.append("\(name) has no help text") }
        if (kind == .counter) != name.hasSuffix("_total") {
            faults.append("\(name): a counter's name, and no other, ends with _total")
        }
        if unit != .none, !Self.base(of: name).hasSuffix("_" + unit.rawValue) {
            faults.append("\(name) does not carry its unit, \(unit.rawValue), at its end")
        }
        for suffix in ["_count", "_sum", "_bucket"] where name.hasSuffix(suffix) {
            faults.append("\(name) ends with \(suffix), which belongs to histograms' own series")
        }
        if Set(labels.map(\.name)).count < labels.count { faults.append("\(name) has a label twice") }
        for label in labels { faults += label.faults().map { "\(name): \($0)" } }
        if case .histogram(let buckets) = kind {
            let ascending = zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }
            if buckets.isEmpty || !ascending || !buckets.allSatisfy(\.isFinite) {
                faults.append("\(name): buckets must be finite and ascend")
            }
            if labels.contains(where: { $0.name == "le" }) { faults.append("\(name): le is the buckets' own label") }
        }
        return faults
    }

    /// The names that its series have in the text format. No two declarations may share one.
    var seriesNames: [String] {
        if case .histogram = kind { return [name, name + "_bucket", name + "_sum", name + "_count"] }
        return [name]
    }

    /// Whether the label sets are known before anything happens.
    var isClosed: Bool {
        labels.allSatisfy { $0.closedValues != nil }
    }

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first < UInt8(ascii: "0") || first > UInt8(ascii: "9") else { return false }
        return !name.hasPrefix("_") && !name.contains("__")
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func base(of name: String) -> String {
        name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
    }
}

/// The values of a label that has a fixed set of them: an enum of texts.
package protocol MetricLabelValue: CaseIterable, Hashable, Sendable, RawRepresentable<String> {}

/// A label: its name and which values it may have.
package struct MetricLabel: Hashable, Sendable {
    /// Which values a label may have.
    package enum Domain: Hashable, Sendable {
        /// These and no others. Each series exists, at 0, from the first scrape on.
        case closed([String])
        /// At most so many distinct ones; what comes later is counted under `other`.
        case bounded(Int)
    }

    /// The value that stands for all that found no place under a bounded label.
    package static let other = "other"

    package let name: String
    package let domain: Domain

    package init(_ name: String, _ domain: Domain) {
        self.name = name
        self.domain = domain
    }

    /// A closed label whose values are the cases of an enum.
    package init<Value: MetricLabelValue>(_ name: String, _ type: Value.Type) {
        self.init(name, .closed(type.allCases.map(\.rawValue)))
    }

    var closedValues: [String]? {
        if case .closed(let values) = domain { values } else { nil }
    }

    fileprivate func faults() -> [String] {
        var faults: [String] = []
        if !MetricDeclaration.isName(name) { faults.append("\(name) is no label name") }
        switch domain {
        case .closed(let values):
            if values.isEmpty { faults.append("the label \(name) has no value") }
            if Set(values).count < values.count { faults.append("the label \(name) has a value twice") }
        case .bounded(let most):
            if most < 1 { faults.append("the label \(name) allows no value") }
        }
        return faults
    }
}
