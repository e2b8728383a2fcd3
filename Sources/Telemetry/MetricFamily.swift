internal import Synchronization

/// All series of one metric, told apart by label values. Safe from any thread.
///
/// Looking a series up takes a lock and a hash: keep the instrument where the values are known beforehand, or use a
/// `ClosedFamily`.
package final class MetricFamily<Instrument: MetricInstrument>: Sendable {
    private struct State {
        var series: [[String]: Instrument] = [:]
        /// The distinct values seen, for each bounded label by its place.
        var seen: [Int: Set<String>] = [:]
    }

    /// A label value longer than this many bytes is cut: it comes from outside and is kept for the life of the process.
    package static var longestValue: Int { 128 }

    let declaration: MetricDeclaration
    private let overflow: Counter?
    private let state = Mutex(State())

    init(_ declaration: MetricDeclaration, overflow: Counter?) {
        self.declaration = declaration
        self.overflow = overflow
        if declaration.isClosed { state.withLock { add(to: &$0, bounded: [:]) } }
    }

    /// The series with these label values, in the order of the declaration.
    ///
    /// A new value of a bounded label brings with it the series of all closed values, at 0. A value past the bound is
    /// counted under `other`. The wrong number of values, or one that a closed label does not have, traps.
    package func labels(_ values: String...) -> Instrument { series(values) }

    /// As `labels`.
    package func series(_ values: [String]) -> Instrument {
        let declared = declaration.labels
        precondition(values.count == declared.count, "\(declaration.name) has \(declared.count) labels")
        return state.withLock { state in
            if let known = state.series[values] { return known }
            var admitted = values
            var bounded: [Int: String] = [:]
            for (place, label) in declared.enumerated() {
                switch label.domain {
                case .closed(let allowed):
                    precondition(
                        allowed.contains(values[place]),
                        "\(declaration.name): \(values[place]) is no value of the label \(label.name)")
                case .bounded(let most):
                    admitted[place] = admit(values[place], place, most: most, &state)
                    bounded[place] = admitted[place]
                }
            }
            if let known = state.series[admitted] { return known }
            add(to: &state, bounded: bounded)
            guard let made = state.series[admitted] else { preconditionFailure("a series was not made") }
            return made
        }
    }

    /// Forgets the series whose label has this value, such as a partition that was given away, and makes room for
    /// another value. Only for gauges: a counter that vanishes and comes back looks like a restart.
    package func remove(_ label: String, _ value: String) where Instrument == Gauge {
        guard let place = declaration.labels.firstIndex(where: { $0.name == label }),
            declaration.labels[place].closedValues == nil
        else { preconditionFailure("\(declaration.name) has no bounded label \(label)") }
        let cut = Self.cut(value)
        state.withLock { state in
            state.seen[place]?.remove(cut)
            state.series = state.series.filter { $0.key[place] != cut }
        }
    }

    private func admit(_ value: String, _ place: Int, most: Int, _ state: inout State) -> String {
        let value = Self.cut(value)
        if value == MetricLabel.other || state.seen[place, default: []].contains(value) { return value }
        guard state.seen[place, default: []].count < most else {
            overflow?.add()
            return MetricLabel.other
        }
        state.seen[place, default: []].insert(value)
        return value
    }

    /// Makes the series of all closed values beside these bounded ones.
    private func add(to state: inout State, bounded: [Int: String]) {
        var sets: [[String]] = [[]]
        for (place, label) in declaration.labels.enumerated() {
            let values = label.closedValues ?? [bounded[place] ?? MetricLabel.other]
            sets = sets.flatMap { set in values.map { set + [$0] } }
        }
        for set in sets where state.series[set] == nil { state.series[set] = Instrument(declaration.kind) }
    }

    private static func cut(_ value: String) -> String {
        guard value.utf8.count > longestValue else { return value }
        var result = ""
        for character in value.unicodeScalars {
            guard result.utf8.count + UTF8.width(character) <= longestValue else { break }
            result.unicodeScalars.append(character)
        }
        return result
    }
}

extension MetricFamily: MetricSource {
    var declarations: [MetricDeclaration] { [declaration] }

    func write(to text: inout MetricText) {
        let series = state.withLock { $0.series }
        guard !series.isEmpty else { return }
        text.head(declaration)
        let names = declaration.labels.map(\.name)
        for (values, instrument) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            instrument.write(name: declaration.name, labels: MetricText.labels(names, values), to: &text)
        }
    }
}

/// Instruments by the cases of an enum, for the hot path: no lock, no text.
package struct ClosedFamily<Label: MetricLabelValue, Instrument: MetricInstrument>: Sendable {
    private let series: [Label: Instrument]

    init(_ family: MetricFamily<Instrument>) {
        series = Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, family.labels($0.rawValue)) })
    }

    package subscript(_ label: Label) -> Instrument {
        guard let found = series[label] else { preconditionFailure("allCases does not name \(label)") }
        return found
    }
}

extension UTF8 {
    fileprivate static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x80: 1
        case 0x80..<0x800: 2
        case 0x800..<0x1_0000: 3
        default: 4
        }
    }
}
