internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Records
internal import Telemetry

// What the mover's machine asks for, carried out.

extension IntakeService {
    func commandLoop() async {
        await withDiscardingTaskGroup { group in
            for await command in engine.commands {
                switch command {
                case .step(.start): preconditionFailure("a start has its own command")
                case .start(let partition, let offset, let number):
                    await start(partition, at: offset, number: number)
                case .step(.committedOffsets(let partition, let epoch)):
                    group.addTask { await self.fetchCommitted(partition, epoch) }
                case .step(.ends(let partition, let epoch)):
                    group.addTask { await self.fetchEnds(partition, epoch) }
                case .finishRevoke(let number): await consumer.finishRevoke(number)
                case .pause(let partitions): await flow(partitions, isPause: true)
                case .resume(let partitions): await flow(partitions, isPause: false)
                }
            }
            group.cancelAll()
        }
    }

    private func start(_ partition: Int32, at offset: Int64, number: Int) async {
        do {
            try await consumer.start(TopicPartition(settings.topics.source, partition), at: offset, number: number)
        } catch {
            outages.failed("kafka-intake-start", [.error: .error(error), .partition: .int(partition)])
        }
    }

    private func flow(_ numbers: [Int32], isPause: Bool) async {
        let partitions = numbers.map { TopicPartition(settings.topics.source, $0) }
        do {
            if isPause { try await consumer.pause(partitions) } else { try await consumer.resume(partitions) }
        } catch {
            // A partition that was revoked meanwhile: its next assignment begins anew.
            logger.debug("flow not changed", [.error: .error(error)])
        }
    }

    private func fetchCommitted(_ partition: Int32, _ epoch: Int) async {
        let source = TopicPartition(settings.topics.source, partition)
        let answer = await patience.persistently("kafka-intake-committed", partition) { () async throws(KafkaError) in
            (
                try await self.ownOffsets.fetch([source])[source] ?? nil,
                try await self.directOffsets.fetch([source])[source] ?? nil
            )
        }
        guard let answer else { return }
        await engine.committedOffsets(partition: partition, epoch: epoch, own: answer.0, direct: answer.1)
        await again(partition, epoch)
    }

    private func fetchEnds(_ partition: Int32, _ epoch: Int) async {
        let source = TopicPartition(settings.topics.source, partition)
        let ends = await patience.persistently("kafka-intake-ends", partition) { () async throws(KafkaError) in
            try await self.admin.watermarks(source)
        }
        if let ends {
            await engine.ends(partition: partition, epoch: epoch, low: ends.low, high: ends.high)
        } else {
            await engine.takeOverFailed(partition: partition, epoch: epoch, "there is no source partition \(source)")
        }
        await again(partition, epoch)
    }

    /// Where the take-over has failed: looks again, as a person may have done what was asked for.
    private func again(_ partition: Int32, _ epoch: Int) async {
        guard await engine.isBlocked(partition: partition, epoch: epoch) else { return }
        await patience.pause(.seconds(10))
        await engine.takeOverAgain(partition: partition, epoch: epoch)
    }

    // MARK: - Transactions

    func transactionLoop(_ mover: IntakeMover) async {
        guard var producer = await freshProducer(after: nil, mover) else { return }
        var losses = 0
        for await plan in engine.transactions {
            guard let group = await engine.group(ofAssignment: plan.assignment) else {
                await engine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: false))
                continue
            }
            let work = TransactionalProducer.Work(
                records: plan.records.map(\.outgoing) + mover.marks(of: plan), offsets: offsets(of: plan), group: group)
            let began = clock().monotonic
            let engine = self.engine
            let result = await producer.commit(work) { await engine.mayStillCommit(plan.id) }
            observer.moved(records: plan.records.count, milliseconds: clock().monotonic - began, result)
            await engine.transactionEnded(plan.id, TransactionEnd(result) { $0 })
            switch result {
            case .committed:
                losses = 0
                outages.recovered("kafka-intake-transaction")
            case .aborted(let error, let culprits):
                guard let error else { continue }
                outages.failed("kafka-intake-transaction", [.error: .error(error)])
                if culprits.isEmpty { await patience.pause(.milliseconds(200)) }
            case .lost(let error):
                losses += 1
                logger.warning(
                    "a mover's transaction is not known to be committed: it begins anew", [.error: .error(error)])
                if losses > 5 {
                    failed(.failed("five transactions of the mover in a row were lost: \(error)"))
                    return
                }
                guard let next = await freshProducer(after: producer, mover) else { return }
                producer = next
            }
        }
        _ = await producer.close(deadline: .seconds(5))
    }

    private func offsets(of plan: IntakePlan) -> [(TopicPartition, offset: Int64)] {
        // Nobody reads that one; it takes the transaction to the partition that holds the group's offsets.
        if plan.settles > 0 { return [(TopicPartition(settings.topics.control, 0), offset: 0)] }
        return plan.offsets.map { (TopicPartition(settings.topics.source, $0.key), offset: $0.value) }
    }

    private func freshProducer(after old: TransactionalProducer?, _ mover: IntakeMover) async -> TransactionalProducer?
    {
        let producer = await patience.producer(
            settings.intakeTransactionalId, properties: settings.intakeProducer, kind: "kafka-intake-producer",
            after: old)
        if producer != nil { await engine.producerReady(settling: mover.partitions) }
        return producer
    }
}
