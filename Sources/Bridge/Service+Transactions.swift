internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The driver of the transactional producer.

extension BridgeService {
    func transactionLoop() async {
        let encoder = settings.encoder(version: version)
        guard
            var driver = await TransactionDriver.begin(
                settings.transactionalId, properties: settings.producer, kind: "kafka-transaction", patience: patience,
                end: { [finishSink] in finishSink.yield($0) })
        else { return }
        await engine.producerReady(heldResults: heldResults())
        for await plan in engine.transactions {
            let (results, writes) = encoder.records(of: plan, at: clock().wall)
            let records = results + encoder.marks(of: plan, producer: settings.transactionalId)
            guard let group = await engine.group(ofAssignment: plan.assignment) else {
                // Of the assignment that holds nothing can be sent without it; the next one brings it.
                await engine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: true))
                continue
            }
            let work = TransactionalProducer.Work(
                records: records, offsets: offsets(of: plan), group: group, isFenceFirst: plan.isSettling)
            let began = clock().monotonic
            let engine = self.engine
            let result = await driver.producer.commit(work) { await engine.mayStillCommit(plan.id) }
            observer.transaction(
                milliseconds: clock().monotonic - began, writes: plan.writes.count, records: records.count, result)
            await engine.transactionEnded(plan.id, TransactionEnd(result) { writes[$0] })
            switch await driver.goOn(after: result) {
            case .same: break
            case .renewed: await engine.producerReady(heldResults: heldResults())
            case .over: return
            }
        }
        _ = await driver.producer.close(deadline: .seconds(5))
    }

    private func offsets(of plan: TransactionPlan) -> [(TopicPartition, GroupOffset)] {
        // Nobody reads that one; it takes the transaction to the partition that holds the group's offsets.
        if plan.isSettling { return [(TopicPartition(settings.topics.control, 0), GroupOffset(0))] }
        return plan.offsets.map { number, offset in
            let note = plan.ledgerEnds[number].map(LedgerNote.text) ?? ""
            return (TopicPartition(settings.ledgerSource, number), GroupOffset(offset, metadata: note))
        }
    }
}
