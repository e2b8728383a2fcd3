internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Records
internal import Synchronization
internal import Telemetry

/// The drivers that move the source's records to the intake topic, each one loop. None decides anything;
/// `IntakeMachine` does. The bridge itself then reads the intake topic as its source.
final class IntakeService: Sendable {
    let settings: BridgeSettings
    let logger: Logger
    let outages: OutageLog
    let observer: Observer
    let clock: @Sendable () -> Moment
    let engine: IntakeEngine
    let consumer: Consumer
    let admin: Admin
    /// Committed offsets of the mover's group, and of the group that reads the source where records are not moved.
    let ownOffsets: CommittedOffsets
    let directOffsets: CommittedOffsets
    /// For the ends that readers of committed records see; the bridge closes it.
    let ends: CommittedOffsets
    let patience: BrokerPatience
    /// Told why going on would help nothing.
    let end: @Sendable (ServiceEnd) -> Void
    private let waitsFor = Mutex<String?>(nil)

    /// - Throws: what the Kafka library does not take of the configuration.
    init(
        settings: BridgeSettings, logger: Logger, outages: OutageLog, denials: Denials, observer: Observer,
        clock: @escaping @Sendable () -> Moment, ends: CommittedOffsets,
        end: @escaping @Sendable (ServiceEnd) -> Void
    ) throws {
        self.settings = settings
        self.logger = logger
        self.outages = outages
        self.observer = observer
        self.clock = clock
        self.ends = ends
        self.end = end
        patience = BrokerPatience(settings: settings, logger: logger, outages: outages, denials: denials)
        consumer = try Consumer(settings: settings.intakeConsumer, maximumBatch: 2000)
        let log = KafkaLog(logger: logger, outages: outages)
        admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) { log.take($0) }
        let timeout = settings.kafka.operationTimeout
        ownOffsets = try CommittedOffsets(settings: settings.commonKafka, group: settings.intakeGroup, timeout: timeout)
        {
            log.take($0)
        }
        directOffsets = try CommittedOffsets(settings: settings.commonKafka, group: settings.group.id, timeout: timeout)
        {
            log.take($0)
        }
        engine = IntakeEngine(
            settings: settings.intakeMachine, revokeDeadline: settings.group.revokeDeadline.milliseconds, clock: clock
        ) { notes in
            for note in notes { observer.take(note) }
        }
    }

    /// Moves records until `stop`, or until the task is cancelled.
    func run() async {
        guard let partitions = await partitionCount() else { return }
        let mover = IntakeMover(topic: settings.topics.intake, partitions: partitions, decoder: settings.decoder)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.sourceLoop(mover) }
            group.addTask { await self.commandLoop() }
            group.addTask { await self.transactionLoop(mover) }
            group.addTask { await self.sourceWatch() }
            group.addTask { await self.intakeWatch() }
            group.addTask {
                while !Task.isCancelled {
                    await self.engine.tick()
                    await self.patience.pause(.milliseconds(200))
                }
            }
            // The consumer's end is the end of all.
            await group.next()
            group.cancelAll()
        }
    }

    /// Ends the open transaction, and leaves the group.
    func stop() async {
        await engine.beginDrain()
        let deadline = ContinuousClock.now.advanced(by: settings.transactions.timeout)
        while await !engine.isQuiet, !Task.isCancelled, ContinuousClock.now < deadline {
            await patience.pause(.milliseconds(10))
        }
        await engine.finish()
        _ = await consumer.close(deadline: .seconds(5))
        _ = await admin.close(deadline: .seconds(5))
        _ = await ownOffsets.close(deadline: .seconds(5))
        _ = await directOffsets.close(deadline: .seconds(5))
    }

    /// What keeps records from being moved, for people.
    func reasons() async -> [String] {
        let waiting = waitsFor.withLock { $0 }
        return (waiting.map { [$0] } ?? [])
            + (await engine.blocked).map { "source partition \($0) is not moved to the intake topic: see the log" }
    }

    /// The intake topic's partitions, as many as the ledger's; asks until they are. nil: cancelled.
    private func partitionCount() async -> Int? {
        let (intake, ledger) = (settings.topics.intake, settings.topics.ledger)
        while !Task.isCancelled {
            let found = await patience.persistently("kafka-intake", 0) { () async throws(KafkaError) in
                try await self.admin.topics([intake, ledger])
            }
            let counts = [intake, ledger].map { found?[$0]?.partitions.count ?? 0 }
            if counts[0] > 0, counts[0] == counts[1] {
                waitsFor.withLock { $0 = nil }
                outages.recovered("intake-topics")
                return counts[0]
            }
            let advice =
                counts.contains(0)
                ? "run campaign-bridge topics --create" : "docs/intake.md says what to do, \"Topics and rights\""
            let text =
                "topic \(intake) has \(counts[0]) partitions and \(ledger) \(counts[1]): both must exist with the same"
                + " number; \(advice)"
            waitsFor.withLock { $0 = text }
            outages.failed("intake-topics", [.detail: .string(text)])
            await patience.pause(.seconds(1))
        }
        return nil
    }

    // MARK: - Source

    private func sourceLoop(_ mover: IntakeMover) async {
        do {
            try await consumer.subscribe([settings.topics.source])
        } catch {
            end(.failed("the source topic cannot be subscribed to: \(error)"))
            return
        }
        while true {
            let events = await consumer.events()
            if events.isEmpty { return }
            for event in events { await take(event, mover) }
        }
    }

    private func take(_ event: Consumer.Event, _ mover: IntakeMover) async {
        switch event {
        case .records(let records):
            patience.denials.granted(.read(topic: settings.topics.source))
            await admit(records, mover)
        case .endOfPartition(let partition, let offset):
            patience.denials.granted(.read(topic: settings.topics.source))
            await engine.sourceEnd(partition: partition.partition, offset: offset)
        case .assigned(let number, let partitions, let group):
            patience.denials.granted(.readGroup(settings.intakeGroup))
            await engine.assigned(number: number, partitions: partitions.map(\.partition), group: group)
            if group == nil { end(.assignmentWithoutGroup) }
        case .revoked(let number, let partitions, let lost):
            await engine.revoked(number: number, partitions: partitions.map(\.partition), isLost: lost)
        case .fatal(let error):
            end(ServiceEnd.ended(by: error, of: settings))
        case .error(let error, let partition):
            outages.failed(
                "kafka-intake-consumer",
                [.error: .error(error), .topic: .string(partition?.topic ?? settings.topics.source)])
            let isOfGroup = error.code == .groupAuthorizationFailed
            patience.denials.met(
                error, isOfGroup ? .readGroup(settings.intakeGroup) : .read(topic: settings.topics.source))
            guard let partition else { return }
            if BridgeService.placeIsGone.contains(error.code) {
                await engine.sourceBroken(partition: partition.partition)
            } else if error.code == .state {
                end(.joinAnew("\(error)"))
            }
        case .statistics(let statistics):
            if statistics.reachesABroker { outages.recovered("kafka-intake-consumer") }
            observer.takeIntake(statistics, positions: await engine.positions)
        case .log(let level, let facility, let text):
            KafkaLog(logger: logger, outages: outages).take(.log(level: level, facility: facility, text: text))
        case .started(let partition, let number):
            await engine.sourceStarted(partition: partition.partition, number: number)
        case .assignedManually: break
        }
    }

    private func admit(_ records: [Record], _ mover: IntakeMover) async {
        for run in records.runs {
            await engine.admit(run.map(mover.move), partition: run[run.startIndex].partition)
        }
    }

    /// As `BridgeService.sourceWatch`: a source that was made anew under its name may end before our place.
    private func sourceWatch() async {
        while !Task.isCancelled {
            await patience.pause(settings.kafka.statisticsInterval)
            for (number, position) in await engine.positions {
                let source = TopicPartition(settings.topics.source, number)
                if await patience.isMadeAnew(source, readTo: position, admin: admin) {
                    await engine.sourceBroken(partition: number)
                }
            }
        }
    }
}
