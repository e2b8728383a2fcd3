package import BridgeCore
internal import Kafka
internal import Synchronization
package import Telemetry

/// What became of a record when it was met.
package enum RecordClass: String, MetricLabelValue {
    case admitted, suppressed
    case finishedBefore = "finished_before"
}

/// The classes of the design's section 3.
package enum CallClass: String, MetricLabelValue {
    case started
    case notSent = "not_sent"
    case refused, rejected, unknown
}

package enum TransactionClass: String, MetricLabelValue { case committed, aborted, lost }

extension DeadLetterReason: MetricLabelValue {}
extension Outcome.Evidence: MetricLabelValue {}
extension ReplicaSnapshot.Stage: MetricLabelValue {}

/// The bridge's metrics: each made once, and each declared in `declarations` alone.
package final class BridgeMetrics: Sendable {
    private static let prefix = "campaign_bridge"
    private static let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

    private static func counter(_ name: String, _ labels: [MetricLabel] = [], _ help: String) -> MetricDeclaration {
        MetricDeclaration("\(prefix)_\(name)_total", .counter, labels: labels, help: help)
    }

    private static func gauge(
        _ name: String, unit: MetricDeclaration.Unit = .none, labels: [MetricLabel] = [], _ help: String
    ) -> MetricDeclaration {
        MetricDeclaration("\(prefix)_\(name)", .gauge, unit: unit, labels: labels, help: help)
    }

    private static func duration(_ name: String, _ help: String) -> MetricDeclaration {
        MetricDeclaration("\(prefix)_\(name)_seconds", .histogram(buckets: seconds), unit: .seconds, help: help)
    }

    private let recordFamily: ClosedFamily<RecordClass, Counter>
    private let callFamily: ClosedFamily<CallClass, Counter>
    private let startedFamily: ClosedFamily<Outcome.Evidence, Counter>
    private let deadLetterFamily: ClosedFamily<DeadLetterReason, Counter>
    private let transactionFamily: ClosedFamily<TransactionClass, Counter>
    let weakIdentities: Counter
    let doubts: Counter
    let missed: Counter
    let unkeyed: Counter
    let moved: Counter
    let intakeSeconds: Histogram
    private let intakeFamily: ClosedFamily<TransactionClass, Counter>
    let callSeconds: Histogram
    let eventSeconds: Histogram
    let transactionSeconds: Histogram
    let transactionEntries: Histogram
    let takeOverSeconds: Histogram
    private let skewFamily: MetricFamily<Gauge>
    private let latest = Latest()

    /// What was told last, which a scrape reads.
    private final class Latest: Sendable {
        let snapshot = Mutex<ReplicaSnapshot?>(nil)
        /// Where each partition of the ledger's source ends for a reader of what is committed.
        let ends = Mutex<[Int32: Int64]>([:])
        let intakeLag = Mutex<[Int32: Int64]>([:])
    }

    /// - Parameter mostConnections: distinct values of the connection label; what comes later counts as `other`.
    package init(registry: MetricRegistry, mostConnections: Int) {
        let connection = MetricLabel("connection", .bounded(max(1, mostConnections)))
        recordFamily = registry.counters(
            Self.counter(
                "records", [MetricLabel("class", RecordClass.self)], "Source records by what they were when met."),
            by: RecordClass.self)
        callFamily = registry.counters(
            Self.counter("calls", [MetricLabel("class", CallClass.self)], "Start calls that ended, by class."),
            by: CallClass.self)
        startedFamily = registry.counters(
            Self.counter(
                "started", [MetricLabel("evidence", Outcome.Evidence.self)],
                "Events that ended as started, by evidence."),
            by: Outcome.Evidence.self)
        deadLetterFamily = registry.counters(
            Self.counter(
                "dead_letters", [MetricLabel("reason", DeadLetterReason.self)], "Events that ended as dead letters."),
            by: DeadLetterReason.self)
        transactionFamily = registry.counters(
            Self.counter("transactions", [MetricLabel("result", TransactionClass.self)], "Transactions by their end."),
            by: TransactionClass.self)
        weakIdentities = registry.counter(
            Self.counter("weak_identities", [], "Records that have no identity but their place."))
        doubts = registry.counter(Self.counter("doubts", [], "Attempts whose outcome was in doubt."))
        missed = registry.counter(
            Self.counter(
                "source_records_missed", [], "Offsets that were removed from the source before they were read."))
        unkeyed = registry.counter(
            Self.counter(
                "records_unkeyed", [],
                "Source records without a key, counted without source.rekey: a repeat may be in another partition, unseen."
            ))
        moved = registry.counter(
            Self.counter("intake_moved", [], "Records moved from the source to the intake topic, by source.rekey."))
        intakeFamily = registry.counters(
            Self.counter(
                "intake_transactions", [MetricLabel("result", TransactionClass.self)],
                "Transactions that move records, by their end."),
            by: TransactionClass.self)
        intakeSeconds = registry.histogram(
            Self.duration("intake_transaction", "Time of a transaction that moves records."))
        callSeconds = registry.histogram(Self.duration("call", "Time of a start call."))
        eventSeconds = registry.histogram(Self.duration("event", "From meeting a record to its outcome's commit."))
        transactionSeconds = registry.histogram(Self.duration("transaction", "Time of a transaction."))
        transactionEntries = registry.histogram(
            MetricDeclaration(
                "\(Self.prefix)_transaction_entries", .histogram(buckets: [1, 3, 10, 30, 100, 300, 1000, 3000]),
                help: "Ledger entries in one transaction."))
        takeOverSeconds = registry.histogram(Self.duration("take_over", "Time to take over a partition."))
        skewFamily = registry.gauges(
            Self.gauge(
                "clock_skew_seconds", unit: .seconds, labels: [connection], "The API's clock minus ours, whole seconds."
            ))
        let inFlight = Self.gauge("calls_in_flight", "Start calls under way.")
        let ready = Self.gauge("intents_ready", "Intents committed and not yet called.")
        let inDoubt = Self.gauge("in_doubt", "Attempts in doubt now.")
        let oldest = Self.gauge("oldest_doubt_seconds", unit: .seconds, "Age of the oldest attempt in doubt; 0: none.")
        let waiting = Self.gauge("waiting", labels: [connection], "Events that wait for their account.")
        let open = Self.gauge("circuit_open", labels: [connection], "1 while calls to the connection are kept back.")
        let partitions = Self.gauge(
            "partitions", labels: [MetricLabel("stage", ReplicaSnapshot.Stage.self)], "Assigned partitions by stage.")
        let entries = Self.gauge("ledger_entries", "Identities in the ledger's index.")
        let bytes = Self.gauge("ledger_index_bytes", unit: .bytes, "Memory of the ledger's index.")
        let window = Self.gauge("window_bytes", unit: .bytes, "Memory of records that wait for their outcome.")
        let holds = Self.gauge("holds", "Holds in force for this replica.")
        let lease = Self.gauge("hold_lease", "1 while the replica may act on the holds that it knows.")
        let unfinished = Self.gauge("unfinished_records", "Records met and without an outcome.")
        let partition = MetricLabel("partition", .bounded(1000))
        let lag = Self.gauge(
            "lag", labels: [partition],
            "Offsets of the source, or with source.rekey of the intake topic, without a committed outcome, by partition."
        )
        let intakeLag = Self.gauge(
            "intake_lag", labels: [partition], "Offsets of the source that are not moved yet, by partition.")
        registry.collect(
            [
                inFlight, ready, inDoubt, oldest, waiting, open, partitions, entries, bytes, window, unfinished, holds,
                lease, lag, intakeLag,
            ]
        ) { [latest] readings in
            for (partition, lag) in latest.intakeLag.withLock({ $0 }).sorted(by: { $0.key < $1.key }).prefix(1000) {
                readings.set(intakeLag.name, Double(lag), labels: [String(partition)])
            }
            guard let now = latest.snapshot.withLock({ $0 }) else { return }
            readings.set(inFlight.name, Double(now.callsInFlight))
            readings.set(ready.name, Double(now.intentsReady))
            readings.set(inDoubt.name, Double(now.inDoubt))
            readings.set(oldest.name, Double(now.oldestDoubt ?? 0) / 1000)
            for account in now.accounts.prefix(mostConnections) {
                readings.set(waiting.name, Double(account.waiting), labels: [account.connection])
                readings.set(open.name, account.isCircuitOpen ? 1 : 0, labels: [account.connection])
            }
            for stage in ReplicaSnapshot.Stage.allCases {
                readings.set(
                    partitions.name, Double(now.partitions.count { $0.stage == stage }), labels: [stage.rawValue])
            }
            readings.set(entries.name, Double(now.partitions.reduce(0) { $0 + $1.ledgerEntries }))
            readings.set(bytes.name, Double(now.partitions.reduce(0) { $0 + $1.ledgerBytes }))
            readings.set(window.name, Double(now.windowBytes))
            readings.set(holds.name, Double(now.holds.count))
            readings.set(lease.name, now.hasLease ? 1 : 0)
            readings.set(unfinished.name, Double(now.partitions.reduce(0) { $0 + $1.unfinished }))
            let ends = latest.ends.withLock { $0 }
            for partition in now.partitions.prefix(1000) where partition.stage == .owned {
                guard let end = ends[partition.partition] else { continue }
                // Of a group that has committed nothing yet, what has been met counts.
                let met = partition.position - Int64(partition.unfinished)
                let done = partition.committed < 0 ? met : partition.committed
                readings.set(lag.name, Double(max(0, end - done)), labels: [String(partition.partition)])
            }
        }
    }

    func records(_ label: RecordClass) -> Counter { recordFamily[label] }
    func calls(_ label: CallClass) -> Counter { callFamily[label] }
    func started(_ label: Outcome.Evidence) -> Counter { startedFamily[label] }
    func deadLetters(_ label: DeadLetterReason) -> Counter { deadLetterFamily[label] }
    func transactions(_ label: TransactionClass) -> Counter { transactionFamily[label] }

    func intakeTransactions(_ label: TransactionClass) -> Counter { intakeFamily[label] }

    func skew(_ connection: String, serverTime: Int64) {
        skewFamily.labels(connection).set(Double((serverTime - wallMilliseconds()) / 1000))
    }

    func take(_ new: ReplicaSnapshot) { latest.snapshot.withLock { $0 = new } }

    // The library's own lag counts from offsets that its consumer has committed: ours are committed by a producer.

    func take(_ statistics: Statistics) { latest.ends.withLock { $0 = statistics.stableEnds } }

    /// - Parameter positions: to where the mover has read each partition that it owns.
    func takeIntake(_ statistics: Statistics, positions: [(partition: Int32, offset: Int64)]) {
        let ends = statistics.stableEnds
        let lags = positions.compactMap { position in
            ends[position.partition].map { (position.partition, max(0, $0 - position.offset)) }
        }
        latest.intakeLag.withLock { $0 = Dictionary(lags) { first, _ in first } }
    }
}

extension Statistics {
    /// Where the partitions of a consumer's one topic ended at its last fetch, behind no open transaction.
    fileprivate var stableEnds: [Int32: Int64] {
        let ends = partitions.compactMap { partition in
            partition.lastStableOffset.flatMap { $0 >= 0 ? (partition.partition, $0) : nil }
        }
        return Dictionary(ends) { first, _ in first }
    }
}
