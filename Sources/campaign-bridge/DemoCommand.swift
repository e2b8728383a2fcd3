internal import Bridge
internal import Configuration
internal import Kafka
internal import KoreSimulator
internal import Records
internal import Synchronization
internal import Telemetry
internal import Terminal

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// `demo`: mock broker, simulated API, bridge and a stream of events in one process.
struct DemoCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        let stop = Signals.stream([SIGINT, SIGTERM, SIGHUP])
        do {
            let cluster = try MockCluster(brokers: 1)
            let simulator = try KoreSimulator(settings: DemoSettings.simulator)
            let settings = DemoSettings.bridge(
                bootstrapServers: cluster.bootstrapServers, baseURL: simulator.baseURL)
            for topic in TopicPlan(settings).topics {
                try cluster.createTopic(topic.name, partitions: topic.partitions)
            }
            let demo = try Demo(command: command, settings: settings, simulator: simulator)
            let code = await demo.run(stop: stop)
            withExtendedLifetime(cluster) {}
            return code
        } catch {
            Process.complain("campaign-bridge demo: \(error)")
            return ExitCode.unreachable.rawValue
        }
    }
}

/// A running demonstration: its tasks, its view and its end.
private final class Demo: Sendable {
    private let settings: BridgeSettings
    private let simulator: KoreSimulator
    private let producer: Producer
    private let results: Consumer
    private let board = DemoBoard()
    private let isJSON: Bool
    private let logLevel: String?
    /// So many events and then the end; nil: until a signal or the end of `time`.
    private let once: Int?
    private let rate: Int
    private let time: Duration?
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    private struct State {
        var signals = 0
        var port: UInt16 = 0
        var bridgeCode: Int32?
        var isProduced = false
        var fault: String?
    }

    init(command: ParsedCommand, settings: BridgeSettings, simulator: KoreSimulator) throws {
        self.settings = settings
        self.simulator = simulator
        isJSON = command.text("output") == OutputFormat.json.rawValue
        logLevel = command.text("log-level")
        once = command.integer("once")
        rate = command.integer("rate") ?? 2
        time = command.duration("for")
        producer = try Producer(settings: settings.producer, timeout: .seconds(10)) { _ in }
        results = try Consumer(settings: settings.reader, maximumBatch: 500)
    }

    func run(stop: AsyncStream<Int32>) async -> Int32 {
        let (bridgeStop, bridgeStopSink) = AsyncStream<Int32>.makeStream()
        let facts = Output.standardError.facts
        let isLive = facts.canRepaint && once == nil
        let painter = DemoPainter(facts: facts, isLive: isLive, showsLines: once == nil)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.simulator.run() }
            group.addTask { await self.runBridge(bridgeStop, painter) }
            group.addTask { await self.readResults() }
            group.addTask { await self.produce() }
            group.addTask {
                for await _ in stop { self.state.withLock { $0.signals += 1 } }
            }
            while !isOver() {
                painter.paint(view(), board)
                if painter.isGone { break }
                await pause(.milliseconds(200))
            }
            bridgeStopSink.yield(SIGTERM)
            while state.withLock({ $0.bridgeCode == nil }) {
                painter.paint(view(), board)
                if state.withLock({ $0.signals > 1 }) {
                    // The second signal does not wait for calls under way.
                    painter.end()
                    _exit(report())
                }
                await pause(.milliseconds(50))
            }
            await readRest()
            painter.paint(view(), board)
            painter.end()
            group.cancelAll()
            _ = await results.close(deadline: .seconds(2))
            _ = await producer.close(deadline: .seconds(2))
            await simulator.stop()
        }
        return report()
    }

    // MARK: - Tasks

    private func runBridge(_ stop: AsyncStream<Int32>, _ painter: DemoPainter) async {
        var runner = BridgeRunner(settings: settings, logger: painter.logger(settings, level: logLevel ?? "error"))
        runner.listeners = [
            { notes in
                let now = wallMilliseconds()
                self.board.with { tally in for note in notes { tally.take(note, at: now) } }
            }
        ]
        runner.listening = { port in self.state.withLock { $0.port = port } }
        let code = await runner.run(stop: stop)
        state.withLock { $0.bridgeCode = code }
    }

    /// Sends events: all at once with `--once`, else at the rate.
    private func produce() async {
        var number = 0
        while !Task.isCancelled && !isStopping() {
            if let once, number >= once { break }
            let due: Int
            if let once {
                due = min(once, number + 100)
            } else {
                let (seconds, attoseconds) = began.duration(to: .now).components
                let elapsed = Double(seconds) + Double(attoseconds) / 1e18
                due = min(number + 1000, Int(elapsed * Double(rate)))
            }
            if due <= number {
                await pause(.milliseconds(20))
                continue
            }
            let events = (number..<due).map { DemoEvent(number: $0, topic: settings.topics.source) }
            board.with { tally in for event in events { tally.sending(event) } }
            let errors = await producer.send(events.map(\.record))
            if let error = errors.compactMap({ $0 }).first {
                state.withLock { $0.fault = "events could not be sent: \(error)" }
                return
            }
            board.with { tally in for _ in events { tally.sentOne() } }
            number = due
        }
        state.withLock { $0.isProduced = true }
    }

    private func readResults() async {
        let topics = [settings.topics.started, settings.topics.deadLetters]
        let partitions = topics.flatMap { topic in
            (0..<Int32(DemoSettings.partitions)).map { (TopicPartition(topic, $0), offset: Consumer.Offset.beginning) }
        }
        do {
            try await results.assign(partitions)
        } catch {
            state.withLock { $0.fault = "the result topics cannot be read: \(error)" }
            return
        }
        while true {
            let events = await results.events()
            if events.isEmpty { return }
            for case .records(let records) in events {
                board.with { tally in for record in records where !record.isMark { tally.result(record) } }
            }
        }
    }

    /// What the bridge has committed is read before the last count.
    private func readRest() async {
        let end = ContinuousClock.now.advanced(by: .seconds(3))
        while ContinuousClock.now < end,
            board.with({ $0.published < $0.started + $0.deadLetterCount })
        {
            await pause(.milliseconds(20))
        }
    }

    // MARK: - End

    private func isStopping() -> Bool {
        state.withLock { $0.signals > 0 || $0.bridgeCode != nil || $0.fault != nil }
            || time.map { began.duration(to: .now) >= $0 } ?? false
    }

    private func isOver() -> Bool {
        if isStopping() { return true }
        guard let once else { return false }
        if began.duration(to: .now) >= .seconds(60) + .milliseconds(50) * once { return true }
        return state.withLock { $0.isProduced } && board.with { $0.missing == 0 }
    }

    private func view() -> DemoView {
        let counts = simulator.counts
        let port = state.withLock { $0.port }
        return DemoView(
            seconds: began.duration(to: .now).components.seconds,
            rate: board.with { $0.rate(at: wallMilliseconds()) },
            metrics: port == 0 ? "" : "http://127.0.0.1:\(port)/metrics",
            startedTwice: counts.starts.values.count { $0 > 1 }, starts: counts.started)
    }

    private func report() -> Int32 {
        let view = view()
        let tally = board.with { $0 }
        let (bridgeCode, fault) = state.withLock { ($0.bridgeCode, $0.fault) }
        if let fault { Process.complain("campaign-bridge demo: \(fault)") }
        let written = Process.quietly { () throws(OutputError) in
            let waiting = once == nil ? ": a bridge on a real cluster goes on with them at its next start" : ""
            try Output.standardOutput.write(
                isJSON ? view.json(tally) : Array(view.summary(tally, waiting: waiting).utf8))
        }
        if fault != nil || view.startedTwice > 0 || tally.doubled > 0 { return ExitCode.found.rawValue }
        if let once, tally.missing > 0 || tally.sent < once { return ExitCode.found.rawValue }
        if let bridgeCode, bridgeCode != 0, bridgeCode != ExitCode.partly.rawValue { return bridgeCode }
        return written
    }

    private func pause(_ duration: Duration) async {
        do { try await Task.sleep(for: duration) } catch { return }
    }
}
