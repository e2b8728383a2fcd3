internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The drivers of the broker's side.

extension BridgeService {
    // MARK: - Source

    func sourceLoop() async {
        let decoder = settings.decoder
        do {
            try await consumer.subscribe([settings.topics.source])
        } catch {
            finishSink.yield(.failed("the source topic cannot be subscribed to: \(error)"))
            return
        }
        while true {
            let events = await consumer.events()
            if events.isEmpty { return }
            for event in events {
                switch event {
                case .records(let records): await admit(records, decoder)
                case .endOfPartition(let partition, let offset):
                    await engine.sourceEnd(partition: partition.partition, offset: offset)
                case .assigned(let number, let partitions, let group):
                    logger.info(
                        "partitions assigned",
                        [
                            .rebalance: .int(number), .partitions: .string(Self.list(partitions)),
                            .generation: .int(group?.generation ?? -1),
                        ])
                    await engine.assigned(number: number, partitions: partitions.map(\.partition), group: group)
                case .revoked(let number, let partitions, let lost):
                    logger.info(
                        "partitions revoked",
                        [.rebalance: .int(number), .partitions: .string(Self.list(partitions)), .lost: .bool(lost)])
                    await engine.revoked(number: number, partitions: partitions.map(\.partition), isLost: lost)
                case .fatal(let error): await ended(by: error)
                case .error(let error, let partition):
                    outages.failed(
                        "kafka-consumer",
                        [.error: .error(error), .topic: .string(partition?.topic ?? settings.topics.source)])
                    guard let partition else { continue }
                    if Self.placeIsGone.contains(error.code) {
                        await engine.sourceBroken(partition: partition.partition)
                    } else if error.code == .state {
                        // After a topic was removed and made anew the library may never fetch it again.
                        finishSink.yield(.failed("\(error); a new process can read it"))
                    }
                case .statistics(let statistics):
                    if !statistics.brokers.allSatisfy({ $0.state != "UP" }) { outages.recovered("kafka-consumer") }
                    observer.take(statistics)
                case .log(let level, let facility, let text):
                    KafkaLog(logger: logger, outages: outages).take(.log(level: level, facility: facility, text: text))
                case .started(let partition, let number):
                    await engine.sourceStarted(partition: partition.partition, number: number)
                case .assignedManually: break
                }
            }
        }
    }

    /// Records of one batch, by partition and in their order.
    private func admit(_ records: [Record], _ decoder: RequestDecoder) async {
        var start = records.startIndex
        while start < records.endIndex {
            let partition = records[start].partition
            let end = records[start...].firstIndex { $0.partition != partition } ?? records.endIndex
            await engine.admit(records[start..<end].map(decoder.decode), partition: partition)
            start = end
        }
    }

    /// What the consumer says where a topic was removed or made anew: it would go on at the old place, if at all.
    private static let placeIsGone: [KafkaError.Code] = [
        .unknownPartition, .unknownTopic, .unknownTopicOrPartition, .autoOffsetReset, .offsetOutOfRange,
    ]

    /// Looks now and then whether the source ends before the place that we have read to: then it is another topic of the
    /// same name, and the consumer need not notice.
    func sourceWatch() async {
        while !Task.isCancelled {
            await pause(settings.kafka.statisticsInterval)
            for partition in await engine.snapshot().partitions where partition.stage == .owned {
                let source = TopicPartition(settings.topics.source, partition.partition)
                do throws(KafkaError) {
                    let high = try await admin.watermarks(source).high
                    guard high < partition.position else { continue }
                    logger.error(
                        "the source ends before the place that was read to: the topic was made anew under its name",
                        [.partition: .int(partition.partition), .offset: .int(partition.position)])
                    await engine.sourceBroken(partition: partition.partition)
                } catch {
                    // The consumer meets the same fault and tells it.
                    logger.debug("the source's end cannot be had", [.error: .error(error)])
                }
            }
        }
    }

    /// Twins are told by the broker: a fenced instance id from either side. `_FENCED` of a producer proves none.
    private func ended(by error: KafkaError) async {
        if error.code == .fencedInstanceID {
            logger.error(
                "another process has this replica's name: give every replica its own replica.name",
                [.error: .error(error)])
            finishSink.yield(.twin("another process runs under the name \(settings.groupInstanceId ?? "")"))
        } else {
            logger.error("the group's consumer cannot go on", [.error: .error(error)])
            finishSink.yield(.failed("the group's consumer cannot go on: \(error)"))
        }
    }

    private static func list(_ partitions: [TopicPartition]) -> String {
        partitions.map { String($0.partition) }.joined(separator: ",")
    }

    // MARK: - Ledger and control topic

    func ledgerLoop() async {
        let control = TopicPartition(settings.topics.control, 0)
        var assignment = 0
        // A batch that was taken before a partition's ledger began to be read anew still tells of the tail before.
        func isStale(_ partition: Int32) -> Bool { tails.began(partition) > assignment }
        while true {
            let events = await reader.events()
            if events.isEmpty { return }
            for event in events {
                switch event {
                case .records(let records):
                    var start = records.startIndex
                    while start < records.endIndex {
                        let first = records[start]
                        let end =
                            records[start...].firstIndex {
                                $0.partition != first.partition || $0.topic != first.topic
                            } ?? records.endIndex
                        if first.topic == settings.topics.ledger && !isStale(first.partition) {
                            await engine.ledger(
                                partition: first.partition,
                                records[start..<end].map { LedgerWire.read(key: $0.key, value: $0.value) })
                        }
                        start = end
                    }
                case .endOfPartition(let partition, let offset):
                    if partition == control {
                        await engine.controlReadTo(offset)
                    } else if !isStale(partition.partition) {
                        await engine.ledgerEnd(partition: partition.partition, offset: offset)
                    }
                case .assignedManually(let number): assignment = number
                case .fatal(let error), .error(let error, _):
                    outages.failed("kafka-ledger", [.error: .error(error), .topic: .string(settings.topics.ledger)])
                case .log(let level, let facility, let text):
                    KafkaLog(logger: logger, outages: outages).take(.log(level: level, facility: facility, text: text))
                case .assigned, .revoked, .started, .statistics: break
                }
            }
        }
    }

    // MARK: - Commands

    func commandLoop() async {
        var tailed: Set<Int32> = []
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
            try await consumer.start(TopicPartition(settings.topics.source, partition), at: offset, number: number)
        } catch {
            outages.failed("kafka-start", [.error: .error(error), .partition: .int(partition)])
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

    /// Asks until there is an answer: a broker that is away delays a take-over and ends nothing.
    private func persistently<T: Sendable>(
        _ kind: String, _ partition: Int32, _ ask: @Sendable () async throws(KafkaError) -> T
    ) async -> T? {
        while !Task.isCancelled {
            do throws(KafkaError) {
                let answer = try await ask()
                outages.recovered(kind)
                return answer
            } catch {
                if error.code == .unknownPartition || error.code == .unknownTopic { return nil }
                outages.failed(kind, [.error: .error(error), .partition: .int(partition)])
                await pause(.milliseconds(500))
            }
        }
        return nil
    }

    private func fetchCommitted(_ partition: Int32, _ epoch: Int) async {
        let source = TopicPartition(settings.topics.source, partition)
        let group = settings.group.id
        let answer = await persistently("kafka-committed", partition) { () async throws(KafkaError) in
            try await self.admin.committedOffsets(group: group, [source])
        }
        guard let answer else { return }
        await engine.committedOffset(partition: partition, epoch: epoch, offset: answer[source] ?? nil)
    }

    private func fetchMarks(_ partition: Int32, _ epoch: Int) async {
        let ledger = TopicPartition(settings.topics.ledger, partition)
        let source = TopicPartition(settings.topics.source, partition)
        let marks = await persistently("kafka-marks", partition) { () async throws(KafkaError) in
            (try await self.admin.watermarks(ledger), try await self.admin.watermarks(source))
        }
        guard let (ledgerMarks, sourceMarks) = marks else {
            await blocked(
                partition, epoch, until: [ledger, source],
                "there is no ledger partition \(ledger), or no source partition of that number: the ledger needs as many"
                    + " partitions as the source; run campaign-bridge topics --create")
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

    // MARK: - Transactions

    func transactionLoop() async {
        let encoder = settings.encoder(version: version)
        guard var producer = await freshProducer(after: nil) else { return }
        var losses = 0
        for await plan in engine.transactions {
            let (records, writes) = encoder.records(of: plan, at: clock().wall)
            guard let group = await engine.group(ofAssignment: plan.assignment) else {
                await engine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: false))
                continue
            }
            let work = TransactionalProducer.Work(
                records: records,
                offsets: plan.offsets.map { (TopicPartition(settings.topics.source, $0.key), offset: $0.value) },
                group: group)
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

/// Lines of the Kafka library, at our levels; a broker that is away is one outage and not a line a second.
struct KafkaLog: Sendable {
    let logger: Logger
    let outages: OutageLog

    func take(_ event: ClientEvent) {
        switch event {
        case .log(let level, let facility, let text):
            if level <= 4 {
                outages.failed("librdkafka-\(facility)", [.detail: .string(text)])
            } else {
                logger.debug("librdkafka", [.facility: .string(facility), .detail: .string(text)])
            }
        case .error(let error): outages.failed("kafka-\(error.label)", [.error: .error(error)])
        case .statistics: break
        }
    }
}
