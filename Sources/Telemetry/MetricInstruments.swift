internal import Synchronization

/// A single series that something can be counted on.
package protocol MetricInstrument: AnyObject, Sendable {
    init(_ kind: MetricDeclaration.Kind)
    /// The series' present lines.
    ///
    /// - Parameter labels: `a="x",b="y"`, or empty.
    func write(name: String, labels: String, to text: inout MetricText)
    static func fits(_ kind: MetricDeclaration.Kind) -> Bool
}

/// A number that only grows. One atomic addition; safe from any thread.
package final class Counter: MetricInstrument {
    private let count = Atomic<UInt64>(0)

    package init(_ kind: MetricDeclaration.Kind = .counter) {}

    package func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    /// How much was added since the start.
    package var value: UInt64 { count.load(ordering: .relaxed) }

    package func write(name: String, labels: String, to text: inout MetricText) {
        text.sample(name, labels, String(value))
    }

    package static func fits(_ kind: MetricDeclaration.Kind) -> Bool { kind == .counter }
}

/// A number that goes up and down. Safe from any thread.
package final class Gauge: MetricInstrument {
    private let bits = Atomic<UInt64>(0)

    package init(_ kind: MetricDeclaration.Kind = .gauge) {}

    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    package func set(_ value: some BinaryInteger) { set(Double(value)) }

    package func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, present) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = present
        }
    }

    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    package func write(name: String, labels: String, to text: inout MetricText) {
        text.sample(name, labels, MetricText.number(value))
    }

    package static func fits(_ kind: MetricDeclaration.Kind) -> Bool { kind == .gauge }
}

/// Counts observations by size. Sum and counts always belong together. Safe from any thread.
package final class Histogram: MetricInstrument {
    private struct State {
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    /// Traps on a kind that is no histogram.
    package init(_ kind: MetricDeclaration.Kind) {
        guard case .histogram(let buckets) = kind else { preconditionFailure("a histogram needs buckets") }
        bounds = buckets
        state = Mutex(State(counts: Array(repeating: 0, count: buckets.count + 1)))
    }

    /// Counts one observation, in the metric's unit. What is not a number is not counted: it would spoil the sum for
    /// ever.
    package func observe(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    package func write(name: String, labels: String, to text: inout MetricText) {
        let now = state.withLock { $0 }
        let prefix = labels.isEmpty ? "" : labels + ","
        var below: UInt64 = 0
        for (bound, count) in zip(bounds, now.counts) {
            below += count
            text.sample(name + "_bucket", prefix + "le=\"\(MetricText.number(bound))\"", String(below))
        }
        below += now.counts[bounds.count]
        text.sample(name + "_bucket", prefix + "le=\"+Inf\"", String(below))
        text.sample(name + "_sum", labels, MetricText.number(now.sum))
        text.sample(name + "_count", labels, String(below))
    }

    package static func fits(_ kind: MetricDeclaration.Kind) -> Bool {
        if case .histogram = kind { true } else { false }
    }
}
