internal import Synchronization

/// What a scrape asks for its lines.
protocol MetricSource: Sendable {
    var declarations: [MetricDeclaration] { get }
    func write(to text: inout MetricText)
}

/// All metrics of the process. Made once and passed on; asking twice for the same declaration gives the same
/// instrument, so that a part of the program that starts anew counts on.
///
/// The same name with another declaration, or a faulty declaration, traps: declarations are constants of the program.
/// Safe from any thread.
package final class MetricRegistry: Sendable {
    private struct State {
        var sources: [any MetricSource] = []
        var byName: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let overflow: MetricFamily<Counter>

    /// - Parameter prefix: of the registry's own metric, such as `campaign_bridge`.
    package init(prefix: String) {
        overflow = MetricFamily(Self.overflowDeclaration(prefix: prefix), overflow: nil)
        state.withLock { Self.add(overflow, to: &$0) }
    }

    /// The registry's own metric, for the reference page.
    package static func overflowDeclaration(prefix: String) -> MetricDeclaration {
        MetricDeclaration(
            "\(prefix)_metric_label_overflow_total", .counter, labels: [MetricLabel("metric", .bounded(1000))],
            help: "Look-ups of a label value that came after the metric's bound and is counted under \"other\".")
    }

    /// A counter without labels.
    package func counter(_ declaration: MetricDeclaration) -> Counter { family(declaration).labels() }

    /// A gauge without labels.
    package func gauge(_ declaration: MetricDeclaration) -> Gauge { family(declaration).labels() }

    /// A histogram without labels.
    package func histogram(_ declaration: MetricDeclaration) -> Histogram { family(declaration).labels() }

    /// Counters by label values.
    package func counters(_ declaration: MetricDeclaration) -> MetricFamily<Counter> { family(declaration) }

    /// Gauges by label values.
    package func gauges(_ declaration: MetricDeclaration) -> MetricFamily<Gauge> { family(declaration) }

    /// Histograms by label values.
    package func histograms(_ declaration: MetricDeclaration) -> MetricFamily<Histogram> { family(declaration) }

    /// Counters by the cases of the declaration's only label.
    package func counters<Label>(
        _ declaration: MetricDeclaration, by label: Label.Type
    ) -> ClosedFamily<Label, Counter> {
        ClosedFamily(family(declaration))
    }

    /// Gauges by the cases of the declaration's only label.
    package func gauges<Label>(_ declaration: MetricDeclaration, by label: Label.Type) -> ClosedFamily<Label, Gauge> {
        ClosedFamily(family(declaration))
    }

    /// Histograms by the cases of the declaration's only label.
    package func histograms<Label>(
        _ declaration: MetricDeclaration, by label: Label.Type
    ) -> ClosedFamily<Label, Histogram> {
        ClosedFamily(family(declaration))
    }

    /// Metrics whose values are read when they are asked for.
    ///
    /// - Parameter read: called at each scrape, on the scraping thread; must be quick. What it does not set is absent.
    package func collect(
        _ declarations: [MetricDeclaration], _ read: @escaping @Sendable (inout MetricReadings) -> Void
    ) {
        let collector = MetricCollector(declarations: declarations, read: read)
        state.withLock { state in
            for declaration in declarations {
                precondition(state.byName[declaration.name] == nil, "\(declaration.name) is declared twice")
            }
            Self.add(collector, to: &state)
        }
    }

    /// A gauge that is read when it is asked for. Nil: absent.
    package func gauge(_ declaration: MetricDeclaration, read: @escaping @Sendable () -> Double?) {
        collect([declaration]) { $0.set(declaration.name, read()) }
    }

    /// All metrics in the Prometheus text format, in the order of their first use.
    package func text() -> String {
        let sources = state.withLock { $0.sources }
        var text = MetricText()
        for source in sources { source.write(to: &text) }
        return text.text
    }

    /// What is registered, in order.
    package var declarations: [MetricDeclaration] {
        state.withLock { $0.sources }.flatMap(\.declarations)
    }

    private func family<Instrument: MetricInstrument>(_ declaration: MetricDeclaration) -> MetricFamily<Instrument> {
        precondition(Instrument.fits(declaration.kind), "\(declaration.name) is of another kind")
        return state.withLock { state in
            if let index = state.byName[declaration.name] {
                guard let known = state.sources[index] as? MetricFamily<Instrument>, known.declaration == declaration
                else { preconditionFailure("\(declaration.name) is declared twice, and differently") }
                return known
            }
            let counter = declaration.isClosed ? nil : overflow.labels(declaration.name)
            let made = MetricFamily<Instrument>(declaration, overflow: counter)
            Self.add(made, to: &state)
            return made
        }
    }

    private static func add(_ source: any MetricSource, to state: inout State) {
        for declaration in source.declarations {
            let faults = declaration.faults()
            precondition(faults.isEmpty, faults.joined(separator: "; "))
            for name in declaration.seriesNames {
                precondition(state.byName[name] == nil, "\(name) is declared twice")
                state.byName[name] = state.sources.count
            }
        }
        state.sources.append(source)
    }
}

/// What a collector reads.
package struct MetricReadings {
    fileprivate var values: [String: [(labels: [String], value: Double)]] = [:]

    /// Sets one series. Nil and what no number is are left out.
    ///
    /// - Parameter labels: in the order of the declaration.
    package mutating func set(_ name: String, _ value: Double?, labels: [String] = []) {
        guard let value, !value.isNaN else { return }
        values[name, default: []].append((labels, value))
    }
}

private struct MetricCollector: MetricSource {
    var declarations: [MetricDeclaration]
    var read: @Sendable (inout MetricReadings) -> Void

    func write(to text: inout MetricText) {
        var readings = MetricReadings()
        read(&readings)
        for declaration in declarations {
            guard let values = readings.values[declaration.name] else { continue }
            text.head(declaration)
            let names = declaration.labels.map(\.name)
            for (labels, value) in values {
                precondition(labels.count == names.count, "\(declaration.name) has \(names.count) labels")
                text.sample(declaration.name, MetricText.labels(names, labels), MetricText.number(value))
            }
        }
    }
}
