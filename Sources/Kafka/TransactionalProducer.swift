internal import CRDKafka
internal import NativeThread
package import Records
internal import Synchronization

/// Writes records and consumer offsets in transactions, one at a time.
///
/// It has a thread of its own, since librdkafka's transaction calls block, and some are known to hang past their own
/// timeout while the group's coordinator is away. A watchdog outside the thread then declares the transaction lost; the
/// stuck handle is never destroyed.
package actor TransactionalProducer {
    /// What one transaction holds.
    package struct Work: Sendable {
        package var records: [OutgoingRecord]
        package var offsets: [(TopicPartition, GroupOffset)]
        package var group: GroupMetadata
        /// Whether the offsets go first: where the group refuses them, no record has been written, and the abort ends nothing
        /// in the partitions of the records.
        package var isFenceFirst: Bool

        package init(
            records: [OutgoingRecord], offsets: [(TopicPartition, GroupOffset)], group: GroupMetadata,
            isFenceFirst: Bool = false
        ) {
            self.records = records
            self.offsets = offsets
            self.group = group
            self.isFenceFirst = isFenceFirst
        }
    }

    /// How a transaction ended.
    package enum Result: Sendable {
        case committed
        /// Nothing of it is visible and this producer can go on. Culprits: numbers of the records that no topic would
        /// take. Without an error `mayStillCommit` said no.
        case aborted(KafkaError?, culprits: [Int])
        /// It is not known whether it was committed, and this producer cannot go on: make a new one.
        case lost(KafkaError)
    }

    package struct Timeouts: Sendable {
        /// One blocking call of the library.
        package var operation: Duration
        /// All calls of one transaction; after `watchdogMargin` more it is declared lost.
        package var transaction: Duration
        package var watchdogMargin: Duration

        package init(operation: Duration, transaction: Duration, watchdogMargin: Duration) {
            self.operation = operation
            self.transaction = transaction
            self.watchdogMargin = watchdogMargin
        }
    }

    private nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private nonisolated let timeouts: Timeouts
    /// Set by the watchdog: whatever the thread still does, it must not commit.
    private nonisolated let isLost = Atomic(false)
    private nonisolated let leaders: Leaders
    private var native: NativeProducer?

    /// - Parameter topics: that its transactions write to.
    /// - Throws: a property that librdkafka does not take.
    package init(
        settings: ClientSettings, transactionalID: String, topics: [String], timeouts: Timeouts,
        observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-txn")
        self.timeouts = timeouts
        leaders = Leaders(topics: Set(topics + ["__consumer_offsets"]))
        let native = try NativeProducer(
            settings,
            defaults: [
                // The flush before the offsets sends what waits, so lingering would only delay.
                "linger.ms": "1", "compression.type": "lz4", "partitioner": "murmur2_random",
            ],
            forced: [
                "transactional.id": transactionalID, "enable.idempotence": "true", "acks": "all",
                "transaction.timeout.ms": String(timeouts.transaction.milliseconds),
            ],
            observer: observer)
        self.native = native
    }

    /// Takes the transactional id: fences an older producer of it and ends what that one left open. Waits until the broker
    /// has answered, at most the operation's timeout, twice; where the library hangs past it, this producer is lost.
    package nonisolated func initialize() async throws(KafkaError) {
        let hanging = KafkaError(.timedOut, "taking the transactional id hangs in the library past every timeout")
        let failure: KafkaError? = await bounded(
            by: timeouts.operation * 2 + timeouts.watchdogMargin,
            late: {
                self.isLost.store(true, ordering: .sequentiallyConsistent)
                return hanging
            },
            { await self.takeID() })
        if let failure { throw failure }
    }

    private func takeID() -> KafkaError? {
        do throws(KafkaError) {
            try initializeNative()
            return nil
        } catch {
            return error
        }
    }

    private func initializeNative() throws(KafkaError) {
        guard let native else { throw KafkaError(.destroyed) }
        try leaders.wait(native.client, until: .now.advanced(by: timeouts.operation))
        if let error = KafkaError.take(
            rd_kafka_init_transactions(native.client.pointer, timeouts.operation.milliseconds))
        {
            throw error
        }
    }

    /// Writes all of `work`, or nothing.
    ///
    /// - Parameter mayStillCommit: asked before the offsets are sent; no ends the transaction.
    package nonisolated func commit(
        _ work: Work, mayStillCommit: @escaping @Sendable () async -> Bool
    ) async -> Result {
        await bounded(
            by: timeouts.transaction + timeouts.watchdogMargin,
            late: {
                self.isLost.store(true, ordering: .sequentiallyConsistent)
                return .lost(KafkaError(.timedOut, "the transaction hangs in the library past every timeout"))
            },
            { await self.run(work, mayStillCommit) })
    }

    /// Writes the records in a transaction that is aborted, to learn whether they could be written: no `read_committed`
    /// consumer ever sees them. nil: they could.
    package nonisolated func rehearse(_ records: [OutgoingRecord]) async -> KafkaError? {
        await bounded(
            by: timeouts.transaction + timeouts.watchdogMargin,
            late: {
                self.isLost.store(true, ordering: .sequentiallyConsistent)
                return KafkaError(.timedOut, "the transaction hangs in the library past every timeout")
            },
            { await self.writeAndAbort(records) })
    }

    /// Ends the client. Returns false where the deadline passed; the thread then goes on alone.
    package nonisolated func close(deadline: Duration) async -> Bool {
        if isLost.load(ordering: .sequentiallyConsistent) { return false }
        return await bounded(by: deadline, late: { false }) { await self.destroy() }
    }

    private func destroy() -> Bool {
        native?.destroy()
        native = nil
        return true
    }

    // MARK: - On the thread

    private func writeAndAbort(_ records: [OutgoingRecord]) -> KafkaError? {
        let end = ContinuousClock.now.advanced(by: timeouts.transaction)
        switch begin(until: end) ?? write(records, until: end) ?? abort(nil, until: end) {
        case .committed: return nil
        case .aborted(let error, _): return error
        case .lost(let error): return error
        }
    }

    private func run(_ work: Work, _ mayStillCommit: @Sendable () async -> Bool) async -> Result {
        // L2: the offsets are the fence; without any there is none.
        guard !work.offsets.isEmpty else {
            return .aborted(KafkaError(.invalidArgument, "a transaction without offsets is not fenced"), culprits: [])
        }
        let end = ContinuousClock.now.advanced(by: timeouts.transaction)
        if let failure = begin(until: end) { return failure }
        if !work.isFenceFirst, let failure = write(work.records, until: end) { return failure }
        guard await mayStillCommit(), !isLost.load(ordering: .sequentiallyConsistent) else {
            return abort(nil, until: end)
        }
        if let failure = sendOffsets(work, until: end) { return failure }
        // The offsets may have hung past the watchdog: then the work is somebody else's by now.
        guard !isLost.load(ordering: .sequentiallyConsistent) else {
            return .lost(KafkaError(.timedOut, "the transaction was given up while its offsets were sent"))
        }
        if work.isFenceFirst, let failure = write(work.records, until: end) { return failure }
        return finish(until: end)
    }

    /// `_CONFLICT` means that an abort is unfinished: it is called again until it ends.
    private func begin(until end: ContinuousClock.Instant) -> Result? {
        guard let native else { return .lost(KafkaError(.destroyed)) }
        for _ in 0..<2 {
            guard let error = KafkaError.take(rd_kafka_begin_transaction(native.client.pointer)) else { return nil }
            guard error.code == .conflict || error.code == .state, !error.isFatal else { return .lost(error) }
            if case .lost(let error) = abort(error, until: end) { return .lost(error) }
        }
        return .lost(KafkaError(.conflict, "an earlier transaction cannot be ended"))
    }

    private func write(_ records: [OutgoingRecord], until end: ContinuousClock.Instant) -> Result? {
        guard let native else { return .lost(KafkaError(.destroyed)) }
        native.reports.begin()
        let tooLarge = records.indices.filter { NativeProducer.size(of: records[$0]) > native.maximumBytes }
        guard tooLarge.isEmpty else {
            return abort(
                KafkaError(.messageTooLarge, "a record is larger than message.max.bytes"), tooLarge, until: end)
        }
        for (index, record) in records.enumerated() {
            while true {
                do throws(KafkaError) {
                    try native.produce(record, index: index)
                    break
                } catch {
                    if error.code == .queueFull, ContinuousClock.now < end {
                        rd_kafka_poll(native.client.pointer, 10)
                        continue
                    }
                    return abort(error, isSize(error) ? [index] : [], until: end)
                }
            }
        }
        if let error = native.flush(timeout: remaining(until: end)) { return abort(error, until: end) }
        let failed = native.reports.take()
        guard let first = failed.first else { return nil }
        // A broker refuses a whole batch for its size. The largest record is to blame; if it was not alone, the next
        // transaction shows it.
        let sized = failed.filter { isSize($0.error) }
        let culprit = sized.max {
            NativeProducer.size(of: records[$0.index]) < NativeProducer.size(of: records[$1.index])
        }
        return abort(culprit?.error ?? first.error, culprit.map { [$0.index] } ?? [], until: end)
    }

    private func isSize(_ error: KafkaError) -> Bool {
        error.code == .messageTooLarge || error.code == .recordListTooLarge
    }

    /// L2: only a success here lets the transaction be committed.
    private func sendOffsets(_ work: Work, until end: ContinuousClock.Instant) -> Result? {
        guard let client = native?.client.pointer else { return .lost(KafkaError(.destroyed)) }
        while true {
            guard let error = Self.send(work, client, timeout: remaining(until: end)) else { return nil }
            if error.isFatal { return .lost(error) }
            if error.isRetriable && !error.isAbortable && ContinuousClock.now < end
                && !isLost.load(ordering: .sequentiallyConsistent)
            {
                continue
            }
            return abort(error, until: end)
        }
    }

    private static func send(_ work: Work, _ client: OpaquePointer, timeout: Duration) -> KafkaError? {
        let offsets = PartitionList(work.offsets)
        do throws(KafkaError) {
            return try work.group.withNative { group in
                KafkaError.take(
                    rd_kafka_send_offsets_to_transaction(client, offsets.pointer, group, timeout.milliseconds))
            }
        } catch {
            return error
        }
    }

    private func finish(until end: ContinuousClock.Instant) -> Result {
        guard let native else { return .lost(KafkaError(.destroyed)) }
        // A commit that was asked for is asked for again: it may not be taken back by an abort.
        while true {
            guard
                let error = KafkaError.take(
                    rd_kafka_commit_transaction(native.client.pointer, remaining(until: end).milliseconds))
            else { return .committed }
            if error.isFatal { return .lost(error) }
            // Whatever became of the commit: the broker takes the abort only where it has not committed, else it
            // answers with a fatal error (INVALID_TXN_STATE).
            if error.isAbortable { return abort(error, until: end) }
            guard error.isRetriable, ContinuousClock.now < end else { return .lost(error) }
        }
    }

    private func abort(
        _ cause: KafkaError?, _ culprits: [Int] = [], until end: ContinuousClock.Instant
    ) -> Result {
        guard let native else { return .lost(KafkaError(.destroyed)) }
        if let cause, cause.isFatal { return .lost(cause) }
        do throws(KafkaError) {
            try leaders.wait(native.client, until: .now.advanced(by: timeouts.operation))
        } catch {
            return .lost(error)
        }
        guard !isLost.load(ordering: .sequentiallyConsistent) else {
            return .lost(KafkaError(.timedOut, "the transaction was given up before it was aborted"))
        }
        while true {
            let error = KafkaError.take(
                rd_kafka_abort_transaction(native.client.pointer, timeouts.operation.milliseconds))
            guard let error, error.code != .state else { return .aborted(cause, culprits: culprits) }
            // Not aborted is not known to be aborted; what follows a lost transaction covers it.
            guard error.isRetriable, !error.isFatal, ContinuousClock.now < end.advanced(by: timeouts.operation)
            else { return .lost(error) }
        }
    }

    private func remaining(until end: ContinuousClock.Instant) -> Duration {
        max(.milliseconds(1), min(timeouts.operation, ContinuousClock.now.duration(to: end)))
    }
}
