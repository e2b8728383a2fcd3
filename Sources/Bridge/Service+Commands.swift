internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// What the engine asks for is done here: questions to the broker, and the flow of records.

extension BridgeService {
    func commandLoop() async {
        var tailed: Set<Int32> = []
        await readLedgers(tailed)
        await withDiscardingTaskGroup { group in
            for await command in engine.commands {
                switch command {
                case .step(.readLedger(let partition, _)):
                    tailed.insert(partition)
                    await readLedgers(tailed, new: partition)
                case .step(.stop(let partition)):
                    guard tailed.remove(partition) != nil else { continue }
                    await readLedgers(tailed)
                case .step(.start): preconditionFailure("a start has its own command")
                case .start(let partition, let offset, let number):
                    await start(partition, at: offset, number: number)
                case .step(.committedOffset(let partition, let epoch)):
                    group.addTask { await self.fetchCommitted(partition, epoch) }
                case .step(.marks(let partition, let epoch)):
                    group.addTask { await self.fetchMarks(partition, epoch) }
                case .step(.readControl(let partition, let epoch)):
                    group.addTask { await self.fetchControlMark(partition, epoch) }
                case .doubtMark(let partition, let epoch):
                    group.addTask { await self.fetchDoubtMark(partition, epoch) }
                case .finishRevoke(let number): await consumer.finishRevoke(number)
                case .pause(let partitions): await flow(partitions, isPause: true)
                case .resume(let partitions): await flow(partitions, isPause: false)
                }
            }
            group.cancelAll()
        }
    }

    private func readLedgers(_ partitions: Set<Int32>, new: Int32? = nil) async {
        let number = tails.next(beginning: new)
        var wanted: [(TopicPartition, offset: Consumer.Offset)] = partitions.sorted().map {
            (TopicPartition(settings.topics.ledger, $0), offset: .beginning)
        }
        wanted.append((TopicPartition(settings.topics.control, 0), offset: .beginning))
        do {
            try await reader.assign(wanted, number: number)
        } catch {
            finishSink.yield(.failed("the ledger cannot be read: \(error)"))
        }
    }

    private func start(_ partition: Int32, at offset: Int64, number: Int) async {
        do {
            try await consumer.start(TopicPartition(settings.ledgerSource, partition), at: offset, number: number)
        } catch {
            outages.failed("kafka-start", [.error: .error(error), .partition: .int(partition)])
        }
    }

    private func flow(_ numbers: [Int32], isPause: Bool) async {
        let partitions = numbers.map { TopicPartition(settings.ledgerSource, $0) }
        do {
            if isPause { try await consumer.pause(partitions) } else { try await consumer.resume(partitions) }
        } catch {
            // A partition that was revoked meanwhile: its next assignment begins anew.
            logger.debug("flow not changed", [.error: .error(error)])
        }
    }

    private func persistently<T: Sendable>(
        _ kind: String, _ partition: Int32, _ ask: @Sendable () async throws(KafkaError) -> T
    ) async -> T? {
        await patience.persistently(kind, partition, nil, ask)
    }

    private func fetchCommitted(_ partition: Int32, _ epoch: Int) async {
        let source = TopicPartition(settings.ledgerSource, partition)
        let group = Right.readGroup(settings.group.id)
        let answer = await patience.persistently("kafka-committed", partition, group) { () async throws(KafkaError) in
            try await self.offsets.fetch([source])
        }
        guard let answer else { return }
        let own = answer[source] ?? nil
        if case .refused(let text) = await start(after: own?.offset, source) {
            await engine.takeOverFailed(partition: partition, epoch: epoch, text)
            await pause(.seconds(10))
            await engine.takeOverAgain(partition: partition, epoch: epoch)
            return
        }
        await engine.committedOffset(
            partition: partition, epoch: epoch, offset: own?.offset, ledgerEnd: own.flatMap(LedgerNote.end))
    }

    /// Where the source was read through the intake topic before, the ledger has its events in other partitions.
    private func start(after own: Int64?, _ source: TopicPartition) async -> SourceStart {
        guard let movedOffsets else { return .at(own) }
        let moved = await persistently("kafka-committed", source.partition) { () async throws(KafkaError) in
            do throws(KafkaError) {
                return try await movedOffsets.fetch([source])
            } catch {
                // Who may not read the group has never moved anything in it.
                guard error.code == .groupAuthorizationFailed else { throw error }
                return [:]
            }
        }
        return SourceStart(own: own, other: (moved?[source] ?? nil)?.offset, isIntake: false)
    }

    private func fetchMarks(_ partition: Int32, _ epoch: Int) async {
        let ledger = TopicPartition(settings.topics.ledger, partition)
        let source = TopicPartition(settings.ledgerSource, partition)
        let marks = await persistently("kafka-marks", partition) { () async throws(KafkaError) in
            (try await self.admin.watermarks(ledger), try await self.admin.watermarks(source))
        }
        guard let (ledgerMarks, sourceMarks) = marks else {
            await blocked(
                partition, epoch, until: [ledger, source],
                settings.source.isRekeyed
                    ? "there is no partition \(ledger), or none of the intake topic of that number: both need the same"
                        + " number of partitions, and none may be added: docs/intake.md says what to do"
                    : "there is no ledger partition \(ledger), or no source partition of that number: the ledger needs as"
                        + " many partitions as the source; run campaign-bridge topics --create")
            return
        }
        await engine.marks(
            partition: partition, epoch: epoch,
            PartitionMarks(
                ledgerLow: ledgerMarks.low, ledgerHigh: ledgerMarks.high, sourceLow: sourceMarks.low,
                sourceHigh: sourceMarks.high))
    }

    private func fetchControlMark(_ partition: Int32, _ epoch: Int) async {
        let control = TopicPartition(settings.topics.control, 0)
        let marks = await persistently("kafka-control", partition) { () async throws(KafkaError) in
            try await self.admin.watermarks(control)
        }
        guard let marks else {
            await blocked(
                partition, epoch, until: [control],
                "there is no control topic \(control.topic): run campaign-bridge topics --create")
            return
        }
        await engine.controlMark(partition: partition, epoch: epoch, high: marks.high)
    }

    /// Says what is missing, and takes over as soon as it is there (P4).
    private func blocked(_ partition: Int32, _ epoch: Int, until missing: [TopicPartition], _ text: String) async {
        await engine.takeOverFailed(partition: partition, epoch: epoch, text)
        while await engine.isBlocked(partition: partition, epoch: epoch), !Task.isCancelled {
            await pause(.seconds(1))
            let found = await persistently("kafka-marks", partition) { () async throws(KafkaError) in
                for wanted in missing { _ = try await self.admin.watermarks(wanted) }
                return true
            }
            if found == true { await engine.takeOverAgain(partition: partition, epoch: epoch) }
        }
    }

    private func fetchDoubtMark(_ partition: Int32, _ epoch: Int) async {
        let ledger = TopicPartition(settings.topics.ledger, partition)
        let marks = await persistently("kafka-marks", partition) { () async throws(KafkaError) in
            try await self.admin.watermarks(ledger)
        }
        // Without an answer the engine asks again at once.
        if marks == nil { await pause(.seconds(1)) }
        await engine.doubtMark(partition: partition, epoch: epoch, high: marks?.high)
    }
}
