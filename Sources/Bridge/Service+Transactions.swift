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
                await engine.transactionEnded(plan.id, TransactionEnd(result) { writes[$0] })
                if error != nil && culprits.isEmpty { await pause(.milliseconds(200)) }
            case .lost(let error):
                losses += 1
                suspectSince.store(clock().monotonic, ordering: .relaxed)
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
        if plan.isSettling { return [(TopicPartition(settings.topics.control, 0), offset: 0)] }
        return plan.offsets.map { (TopicPartition(settings.ledgerSource, $0.key), offset: $0.value) }
    }

    private func freshProducer(after old: TransactionalProducer?) async -> TransactionalProducer? {
        let producer = await patience.producer(
            settings.transactionalId, properties: settings.producer, kind: "kafka-producer", after: old)
        if producer != nil { await engine.producerReady() }
        return producer
    }
}
