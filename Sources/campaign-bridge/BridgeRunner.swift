internal import Bridge
internal import BridgeCore
internal import Configuration
internal import HTTPServer
internal import Kafka
internal import Telemetry
internal import Terminal

/// Builds the service and runs it with its HTTP side.
struct BridgeRunner {
    let settings: BridgeSettings
    let logger: Logger
    var listeners: [@Sendable ([Note]) -> Void] = []
    /// Told the port of health and metrics once it listens.
    var listening: @Sendable (UInt16) -> Void = { _ in }

    func run(stop: AsyncStream<Int32>) async -> Int32 {
        logger.info(
            "campaign-bridge starts",
            [
                .version: .string(Process.version), .librdkafka: .string(LibraryVersion.string),
                .replica: .string(settings.replica.name ?? ""),
            ])
        for text in LibraryVersion.limitations() { logger.warning("librdkafka's limits", [.limit: .string(text)]) }
        let registry = MetricRegistry(prefix: "campaign_bridge")
        let metrics = BridgeMetrics(registry: registry, mostConnections: settings.metrics.maximumAccounts)
        ProcessMetrics.install(
            in: registry, prefix: "campaign_bridge",
            build: [("version", Process.version), ("librdkafka", LibraryVersion.string)])
        let outages = OutageLog(logger: logger)
        let stops = StopRequest()
        let starting = StartingState()
        let server: HTTPServer
        do {
            // Listening comes before anything else: probes get an answer while Kafka is away.
            server = try HTTPServer(
                settings: settings.server.http { text in logger.warning("http server", [.limit: .string(text)]) },
                respond: { starting.router(registry).respond(to: $0) })
        } catch {
            logger.error("the HTTP listener cannot be opened", [.error: .error(error)])
            return ExitCode.unreachable.rawValue
        }
        logger.info("listening", [.port: .int(server.port)])
        listening(server.port)
        return await withTaskGroup(of: Int32?.self, returning: Int32.self) { group in
            group.addTask {
                await server.run(); return nil
            }
            group.addTask {
                for await _ in stop { stops.request() }
                return nil
            }
            group.addTask { await self.serve(registry, metrics, outages, starting, stops) }
            var code: Int32 = 0
            for await result in group {
                guard let result else { continue }
                code = result
                break
            }
            await server.stop(deadline: .seconds(2))
            group.cancelAll()
            return code
        }
    }

    private func serve(
        _ registry: MetricRegistry, _ metrics: BridgeMetrics, _ outages: OutageLog, _ starting: StartingState,
        _ stops: StopRequest
    ) async -> Int32 {
        var joinedAt: ContinuousClock.Instant?
        var fences = Fences()
        while true {
            do {
                guard let partitions = try await sourcePartitions(outages, starting, stops) else { return 0 }
                let service = try BridgeService(
                    settings: settings, client: settings.campaignClient(version: Process.version),
                    sourcePartitions: partitions, version: Process.version,
                    seed: UInt64.random(in: .min ... .max), logger: logger, outages: outages, metrics: metrics,
                    listeners: listeners)
                starting.set(service.health)
                let end = await service.run(stop: stops)
                guard case .joinAnew(let text, let isFence) = end else { return await exitCode(of: end) }
                let now = ContinuousClock.now
                if isFence {
                    if fences.areByAnother(at: now) { return await exitCode(of: .twin(text)) }
                } else {
                    if let joinedAt, now - joinedAt < settings.replica.joinAnewInterval {
                        return await exitCode(of: .failed(text))
                    }
                    joinedAt = now
                }
                logger.warning("the replica joins anew, with new Kafka clients", [.limit: .string(text)])
            } catch {
                let advice = KafkaDiagnosis.advice(refused: "\(error)")
                logger.error("campaign-bridge cannot start", [.error: .error(error), .limit: .string(advice)])
                return ExitCode.usage.rawValue
            }
        }
    }

    private func exitCode(of end: ServiceEnd) async -> Int32 {
        switch end {
        case .drained: return ExitCode.fine.rawValue
        case .drainDeadline: return ExitCode.partly.rawValue
        case .twin(let text):
            logger.error("twin", [.limit: .string(text)])
            // Two replicas of one name must not fence each other as quickly as they can restart.
            await wait(settings.replica.twinExitDelay)
            return RunCommand.twin
        case .failed(let text), .joinAnew(let text, _):
            logger.error("campaign-bridge ends", [.limit: .string(text)])
            return RunCommand.failed
        }
    }

    /// As `SourcePartitions.count`; nil: told to stop.
    private func sourcePartitions(
        _ outages: OutageLog, _ starting: StartingState, _ stops: StopRequest
    ) async throws -> Int? {
        let partitions = SourcePartitions(settings: settings, outages: outages) { starting.waits(for: $0) }
        return try await withThrowingTaskGroup(of: Int?.self, returning: Int?.self) { group in
            group.addTask { try await partitions.count() }
            group.addTask {
                await stops.wait()
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func wait(_ duration: Duration) async {
        do { try await Task.sleep(for: duration) } catch { return }
    }
}

extension LogKey {
    static let version = LogKey("version")
    static let librdkafka = LogKey("librdkafka")
    static let replica = LogKey("replica")
    static let limit = LogKey("detail")
    static let port = LogKey("port")
}
