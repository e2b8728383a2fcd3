package import BridgeCore
package import Configuration
internal import Kafka
internal import Records
package import Telemetry

/// The running bridge: the engine and its drivers. Build it, then `run`.
///
/// The path of a record: source consumer -> decoder -> engine -> transactions (intent) -> calls -> engine ->
/// transactions (outcome). Each driver below is one loop; none decides anything.
package final class BridgeService: Sendable {
    let settings: BridgeSettings
    let version: String
    let logger: Logger
    let outages: OutageLog
    let clock: @Sendable () -> Moment
    let client: any CampaignAPI
    package let engine: Engine
    package let health: Health
    let consumer: Consumer
    let reader: Consumer
    let admin: Admin
    let offsets: CommittedOffsets
    /// For the ends that readers of committed records see: a question to `offsets` may wait for long, and for a transaction
    /// that is settled only when these are known.
    let ends: CommittedOffsets
    let plain: Producer
    let observer: Observer
    let tails = LedgerTails()
    let patience: BrokerPatience
    let denials: Denials
    /// Of the mover's group; nil where records are moved.
    let movedOffsets: CommittedOffsets?
    /// Moves the source's records; nil where they are taken from the source itself.
    let intake: IntakeService?
    let finish: AsyncStream<ServiceEnd>
    let finishSink: AsyncStream<ServiceEnd>.Continuation

    /// - Parameters:
    ///   - client: the bridge closes it at its end.
    ///   - sourcePartitions: of the topic that the ledger belongs to.
    ///   - seed: randomness for the whole run.
    /// - Throws: what the Kafka library does not take of the configuration.
    package init(
        settings: BridgeSettings, client: any CampaignAPI, sourcePartitions: Int, version: String, seed: UInt64,
        logger: Logger, outages: OutageLog, metrics: BridgeMetrics, listeners: [@Sendable ([Note]) -> Void] = [],
        clock: @escaping @Sendable () -> Moment = currentMoment
    ) throws {
        self.settings = settings
        self.version = version
        self.logger = logger
        self.outages = outages
        self.clock = clock
        let kafkaLog = KafkaLog(logger: logger, outages: outages)
        self.client = client
        consumer = try Consumer(settings: settings.consumer, maximumBatch: 1000)
        reader = try Consumer(settings: settings.reader, maximumBatch: 5000)
        admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) {
            kafkaLog.take($0)
        }
        func asking(_ group: String) throws(KafkaError) -> CommittedOffsets {
            try CommittedOffsets(
                settings: settings.commonKafka, group: group, timeout: settings.kafka.operationTimeout
            ) { kafkaLog.take($0) }
        }
        offsets = try asking(settings.group.id)
        ends = try asking(settings.group.id)
        movedOffsets = settings.source.isRekeyed ? nil : try asking(settings.intakeGroup)
        plain = try Producer(settings: settings.producer, timeout: settings.kafka.operationTimeout) {
            kafkaLog.take($0)
        }
        var random = SeededRandom(seed: seed)
        let core = settings.core(sourcePartitions: sourcePartitions, run: random.hex(bytes: 8))
        let observer = Observer(logger: logger, metrics: metrics, connections: settings.connections.map(\.name))
        self.observer = observer
        engine = Engine(
            settings: core, seed: random.next(), revokeDeadline: settings.group.revokeDeadline.milliseconds,
            clock: clock
        ) { notes in
            observer.take(notes)
            for listener in listeners { listener(notes) }
        }
        (finish, finishSink) = AsyncStream.makeStream()
        let denials = Denials(settings: settings, logger: logger)
        self.denials = denials
        patience = BrokerPatience(settings: settings, logger: logger, outages: outages, denials: denials)
        let finishSink = self.finishSink
        intake =
            settings.source.isRekeyed
            ? try IntakeService(
                settings: settings, logger: logger, outages: outages, denials: denials, observer: observer,
                clock: clock, ends: ends
            ) { finishSink.yield($0) } : nil
        health = Health(engine: engine, intake: intake, denials: denials)
    }

    /// Runs until `stop` is requested, or until going on would help nothing. Drains first: no further intent, calls
    /// under way end, their outcomes are committed.
    package func run(stop: StopRequest) async -> ServiceEnd {
        let end = await withTaskGroup(of: ServiceEnd?.self, returning: ServiceEnd.self) { group in
            group.addTask {
                await self.sourceLoop(); return nil
            }
            group.addTask {
                await self.ledgerLoop(); return nil
            }
            group.addTask {
                await self.commandLoop(); return nil
            }
            group.addTask {
                await self.transactionLoop(); return nil
            }
            group.addTask {
                await self.callLoop(); return nil
            }
            group.addTask {
                await self.readLoop(); return nil
            }
            group.addTask {
                await self.lateLoop(); return nil
            }
            group.addTask {
                await self.leaseLoop(); return nil
            }
            group.addTask {
                await self.tickLoop(); return nil
            }
            group.addTask {
                await self.sourceWatch(); return nil
            }
            group.addTask {
                await self.resultWatch(); return nil
            }
            group.addTask {
                await self.readerWatch(); return nil
            }
            group.addTask {
                await self.intake?.run(); return nil
            }
            group.addTask {
                await stop.wait()
                return stop.isRequested ? .drained : nil
            }
            group.addTask {
                for await end in self.finish { return end }; return nil
            }
            var end = ServiceEnd.drained
            for await result in group {
                guard let result else { continue }
                if result == .drained {
                    end = await self.drain()
                } else {
                    // What is known of the calls goes to the next owner, which would have to call it unknown.
                    await self.engine.abandon()
                    _ = await self.drain()
                    end = result
                }
                break
            }
            self.health.ended()
            await self.close()
            group.cancelAll()
            return end
        }
        return end
    }

    private func drain() async -> ServiceEnd {
        logger.info("draining: no further calls begin, calls under way end")
        let deadline = ContinuousClock.now.advanced(by: settings.shutdown.drainDeadline)
        await engine.beginDrain()
        await intake?.stop()
        while !Task.isCancelled, ContinuousClock.now < deadline {
            if await engine.isDrained {
                logger.info("drained")
                return .drained
            }
            await pause(.milliseconds(20))
        }
        logger.warning("the drain's deadline passed; the ledger tells the next owner what was under way")
        return .drainDeadline
    }

    private func close() async {
        let limit = Duration.seconds(5)
        _ = await consumer.close(deadline: limit)
        await engine.finish()
        await endLease()
        _ = await reader.close(deadline: limit)
        _ = await plain.close(deadline: limit)
        _ = await admin.close(deadline: limit)
        _ = await offsets.close(deadline: limit)
        _ = await ends.close(deadline: limit)
        _ = await movedOffsets?.close(deadline: limit)
        await client.close()
    }

    func pause(_ duration: Duration) async { await patience.pause(duration) }

    // MARK: - Time

    /// The engine's timers, to within `resolution`.
    private func tickLoop() async {
        var watch = TakeOverWatch(limit: settings.ledger.progressWarning.milliseconds)
        let resolution: Int64 = 25
        var reported: Int64 = .min
        while !Task.isCancelled {
            let wait = await engine.tick()
            let now = clock().monotonic
            if reported == .min || now - reported >= 1000 {
                reported = now
                let snapshot = await engine.snapshot()
                observer.take(snapshot)
                for (partition, text) in watch.standing(snapshot, at: now) {
                    logger.warning(
                        "ledger-blocked: a take-over waits", [.partition: .int(partition), .detail: .string(text)])
                }
                outages.writeDue()
            }
            await pause(.milliseconds(max(1, min(wait, resolution))))
        }
    }

    // MARK: - Calls

    private func callLoop() async {
        let clock = self.clock
        await withDiscardingTaskGroup { group in
            for await order in engine.calls {
                group.addTask {
                    let report = await self.client.start(order.call, now: clock)
                    await self.engine.callEnded(order, report)
                }
            }
        }
    }

    private func readLoop() async {
        let now: @Sendable () -> Int64 = { [clock] in clock().wall }
        await withDiscardingTaskGroup { group in
            for await order in engine.reads {
                group.addTask {
                    let report = await self.client.read(order.read, now: now)
                    var expired: ExpiredToken?
                    if order.triesExpiredToken {
                        expired = .unseen(cause: "no_state")
                        // A refusal says something only where the same credentials are taken with a living token.
                        if case .seen = report.result {
                            expired = await self.tryExpiredToken(order, report.serverTime, now)
                        }
                    }
                    await self.engine.readEnded(order, report, expired: expired)
                }
            }
        }
    }

    /// One that expired by the clock leeway, by the API's own clock.
    private func tryExpiredToken(
        _ order: ReadOrder, _ serverTime: Int64?, _ now: @Sendable () -> Int64
    ) async -> ExpiredToken {
        guard let serverTime else { return .unseen(cause: "no_date") }
        let leeway = settings.connections[order.connection].clockLeeway.milliseconds
        var read = order.read
        read.tokenExpiry = (serverTime - leeway) / 1000 - 1
        read.issuedAt = read.tokenExpiry - 60
        read.tokenID += "-x"
        return await client.tryExpiredToken(read, now: now).result
    }

    /// L3: late answers are tried until they are written; an idempotent producer keeps each from standing there twice.
    private func lateLoop() async {
        let encoder = settings.encoder(version: version)
        for await late in engine.lates {
            while !Task.isCancelled {
                guard let error = await plain.send([encoder.record(of: late)])[0] else {
                    outages.recovered("late-answer")
                    break
                }
                outages.failed("late-answer", [.error: .error(error)])
                await pause(.seconds(1))
            }
            await engine.lateWritten(late)
        }
    }
}
