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
                case .step(.sight(let transaction, let partitions)):
                    group.addTask { await self.sight(transaction, partitions) }
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
        await engine.committedOffsets(
            partition: partition, epoch: epoch, own: answer.0?.offset, direct: answer.1?.offset)
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

    /// What stands open there may be other replicas' too: each ends within the time of a transaction.
    private func sight(_ transaction: Int, _ partitions: [Int32]) async {
        let places = partitions.map { TopicPartition(settings.topics.intake, $0) }
        let last = await patience.persistently("kafka-intake-sight", partitions[0]) { () async throws(KafkaError) in
            try await self.admin.ends(places)
        }
        var wait: Duration = .milliseconds(2)
        while let last, !Task.isCancelled, await engine.awaitsSight(of: transaction) {
            let stable = await patience.persistently("kafka-intake-sight", partitions[0]) {
                () async throws(KafkaError) in
                try await self.ends.stableEnds(places)
            }
            guard let stable else { break }
            if last.allSatisfy({ stable[$0.key] ?? 0 >= $0.value }) { break }
            await patience.pause(wait)
            wait = min(wait * 2, .milliseconds(200))
        }
        await engine.sighted(transaction: transaction)
    }

    /// Where the take-over has failed: looks again, as a person may have done what was asked for.
    private func again(_ partition: Int32, _ epoch: Int) async {
        guard await engine.isBlocked(partition: partition, epoch: epoch) else { return }
        await patience.pause(.seconds(10))
        await engine.takeOverAgain(partition: partition, epoch: epoch)
    }

    // MARK: - Transactions

    func transactionLoop(_ mover: IntakeMover) async {
        guard
            var driver = await TransactionDriver.begin(
                settings.intakeTransactionalId, properties: settings.intakeProducer, kind: "kafka-intake-transaction",
                patience: patience, end: end)
        else { return }
        await engine.producerReady(settling: mover.partitions)
        for await plan in engine.transactions {
            guard let group = await engine.group(ofAssignment: plan.assignment) else {
                // As in `BridgeService.transactionLoop`.
                await engine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: true))
                continue
            }
            let work = TransactionalProducer.Work(
                records: plan.records.map(\.outgoing) + mover.marks(of: plan), offsets: offsets(of: plan), group: group,
                isFenceFirst: true)
            let began = clock().monotonic
            let engine = self.engine
            let result = await driver.producer.commit(work) { await engine.mayStillCommit(plan.id) }
            observer.moved(records: plan.records.count, milliseconds: clock().monotonic - began, result)
            await engine.transactionEnded(plan.id, TransactionEnd(result) { $0 })
            switch await driver.goOn(after: result) {
            case .same: break
            case .renewed: await engine.producerReady(settling: mover.partitions)
            case .over: return
            }
        }
        _ = await driver.producer.close(deadline: .seconds(5))
    }

    /// The broker may leave a transaction of this mover open, and events that were moved with it would wait.
    func intakeWatch() async {
        let topic = OpenEnds(topics: [settings.topics.intake], admin: admin, ends: ends)
        await topic.watch(patience, clock: clock) { _ in
            await engine.readersAreHeldUp()
        }
    }

    private func offsets(of plan: IntakePlan) -> [(TopicPartition, GroupOffset)] {
        // Nobody reads that one; it takes the transaction to the partition that holds the group's offsets.
        if plan.settles > 0 { return [(TopicPartition(settings.topics.control, 0), GroupOffset(0))] }
        return plan.offsets.map { (TopicPartition(settings.topics.source, $0.key), GroupOffset($0.value)) }
    }
}
