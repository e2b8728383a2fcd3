internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The driver of the transactional producer.

extension BridgeService {
    func transactionLoop() async {
        let encoder = settings.encoder(version: version)
        guard var producer = await freshProducer(after: nil) else { return }
        var losses = 0
        for await plan in engine.transactions {
            let (results, writes) = encoder.records(of: plan, at: clock().wall)
            let records = results + encoder.marks(of: plan, producer: settings.transactionalId)
            guard let group = await engine.group(ofAssignment: plan.assignment) else {
                await engine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: false))
                continue
            }
            let work = TransactionalProducer.Work(records: records, offsets: offsets(of: plan), group: group)
            let began = clock().monotonic
            let engine = self.engine
            let result = await producer.commit(work) { await engine.mayStillCommit(plan.id) }
            observer.transaction(
                milliseconds: clock().monotonic - began, writes: plan.writes.count, records: records.count, result)
            switch result {
            case .committed:
                losses = 0
                outages.recovered("kafka-transaction")
                await engine.transactionEnded(plan.id, .committed)
            case .aborted(let error, let culprits):
                if let error { outages.failed("kafka-transaction", [.error: .error(error)]) }
                let isStale =
                    error.map {
                        [.illegalGeneration, .unknownMember, .fencedInstanceID].contains($0.code)
                    } ?? false
                await engine.transactionEnded(
                    plan.id, .aborted(culprits: Array(Set(culprits.map { writes[$0] })), groupIsStale: isStale))
                if error != nil && culprits.isEmpty { await pause(.milliseconds(200)) }
            case .lost(let error):
                losses += 1
                logger.warning(
                    "a transaction's outcome is not known: everything is taken over anew", [.error: .error(error)])
                if losses > 5 {
                    finishSink.yield(.failed("five transactions in a row were lost: \(error)"))
                    return
                }
                await engine.transactionEnded(plan.id, .lost)
                guard let next = await freshProducer(after: producer) else { return }
                producer = next
            }
        }
        _ = await producer.close(deadline: .seconds(5))
    }

    private func offsets(of plan: TransactionPlan) -> [(TopicPartition, offset: Int64)] {
        // Nobody reads that one; it takes the transaction to the partition that holds the group's offsets.
        if plan.settles > 0 { return [(TopicPartition(settings.topics.control, 0), offset: 0)] }
        return plan.offsets.map { (TopicPartition(settings.topics.source, $0.key), offset: $0.value) }
    }

    /// A producer that has taken the transactional id; asks until the broker lets it. nil: cancelled.
    private func freshProducer(after old: TransactionalProducer?) async -> TransactionalProducer? {
        if let old { _ = await old.close(deadline: .seconds(5)) }
        let log = KafkaLog(logger: logger, outages: outages)
        while !Task.isCancelled {
            do {
                let producer = try TransactionalProducer(
                    settings: settings.producer, transactionalID: settings.transactionalId,
                    timeouts: .init(
                        operation: settings.kafka.operationTimeout, transaction: settings.transactions.timeout,
                        watchdogMargin: settings.transactions.watchdogMargin)
                ) { log.take($0) }
                do {
                    try await producer.initialize()
                    outages.recovered("kafka-producer")
                    await engine.producerReady()
                    return producer
                } catch {
                    _ = await producer.close(deadline: .seconds(5))
                    throw error
                }
            } catch {
                outages.failed("kafka-producer", [.error: .error(error)])
                await pause(.milliseconds(500))
            }
        }
        return nil
    }
}
