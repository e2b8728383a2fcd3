import Bridge
import BridgeCore
import Configuration
import HTTPClient
import Kafka
import KoreSimulator
import Records
import Synchronization
import Telemetry

@testable import campaign_bridge

/// The tally of a run, for those who wait until it says something.
final class Watch: Sendable {
    private struct State {
        var tally = DemoTally()
        var records: [Record] = []
        var waiters: [(@Sendable (DemoTally) -> Bool, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var tally: DemoTally { state.withLock { $0.tally } }
    /// Everything on the result topics.
    var records: [Record] { state.withLock { $0.records } }

    func change(_ body: @Sendable (inout DemoTally) -> Void) {
        let ready = state.withLock { state in
            body(&state.tally)
            let ready = state.waiters.filter { $0.0(state.tally) }
            let tally = state.tally
            state.waiters.removeAll { $0.0(tally) }
            return ready.map(\.1)
        }
        for waiter in ready { waiter.resume() }
    }

    func result(_ record: Record) {
        state.withLock { $0.records.append(record) }
        change { $0.result(record) }
    }

    /// Returns once the tally is so; the test's time limit bounds it.
    func until(_ isSo: @escaping @Sendable (DemoTally) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if isSo(state.tally) { return true }
                state.waiters.append((isSo, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}

/// Log lines, kept.
final class MemorySink: LogSink {
    private let kept = Mutex<[UInt8]>([])

    func write(_ line: [UInt8]) -> Bool {
        kept.withLock { $0 += line }
        return true
    }

    var text: String { kept.withLock { String(decoding: $0, as: UTF8.self) } }
}

/// A whole service with its HTTP side, its API and readers of its results.
struct Rig: Sendable {
    let settings: BridgeSettings
    let simulator: KoreSimulator
    let watch: Watch
    let logs: MemorySink
    let port: UInt16

    /// Writes records to the source.
    func send(_ records: [OutgoingRecord]) async throws {
        let producer = try Producer(settings: settings.producer, timeout: .seconds(60)) { _ in }
        let errors = await producer.send(records)
        _ = await producer.close(deadline: .seconds(60))
        if let error = errors.compactMap({ $0 }).first { throw error }
    }

    func send(_ events: [DemoEvent]) async throws {
        watch.change { tally in
            for event in events {
                tally.sending(event)
                tally.sentOne()
            }
        }
        try await send(events.map(\.record))
    }

    /// The body of one of the service's own pages.
    func page(_ path: String) async throws -> String {
        let client = try HTTPClient(settings: HTTPClientSettings())
        let answer = await client.perform(
            HTTPExchange(
                method: .get, url: "http://127.0.0.1:\(port)\(path)", deadline: .seconds(60),
                connectTimeout: .seconds(60)))
        await client.close()
        guard case .answer(let page) = answer else { return "\(answer)" }
        return String(decoding: page.body, as: UTF8.self)
    }
}

/// Runs a service for as long as `body` does, then drains it.
///
/// - Returns: the service's exit code.
func withService(
    _ settings: BridgeSettings, _ simulator: KoreSimulator, watch: Watch = Watch(), logs: MemorySink = MemorySink(),
    level: Telemetry.LogLevel = .debug, _ body: @Sendable @escaping (Rig) async throws -> Void
) async throws -> Int32 {
    let (stop, stopSink) = AsyncStream<Int32>.makeStream()
    let (ports, portSink) = AsyncStream<UInt16>.makeStream()
    let results = try Consumer(settings: settings.reader, maximumBatch: 500)
    let places = [settings.topics.started, settings.topics.deadLetters].flatMap { topic in
        (0..<Int32(settings.topics.partitions)).map { (TopicPartition(topic, $0), offset: Consumer.Offset.beginning) }
    }
    try await results.assign(places)
    var runner = BridgeRunner(
        settings: settings,
        logger: Logger(
            output: LogOutput(formatter: LogFormatter(style: .json, redactor: Redactor()), sink: logs),
            level: level))
    runner.listeners = [
        { notes in
            let now = wallMilliseconds()
            watch.change { tally in for note in notes { tally.take(note, at: now) } }
        }
    ]
    runner.listening = { portSink.yield($0) }
    return try await withThrowingTaskGroup(of: Int32?.self) { [runner] group in
        group.addTask { await runner.run(stop: stop) }
        group.addTask {
            while true {
                let events = await results.events()
                if events.isEmpty { return nil }
                for case .records(let records) in events {
                    for record in records where !record.isMark { watch.result(record) }
                }
            }
        }
        group.addTask {
            guard let port = await ports.first(where: { _ in true }) else { return nil }
            let rig = Rig(settings: settings, simulator: simulator, watch: watch, logs: logs, port: port)
            do {
                try await body(rig)
            } catch {
                stopSink.yield(15)
                throw error
            }
            stopSink.yield(15)
            return nil
        }
        var code: Int32?
        while code == nil, let result = try await group.next() { code = result }
        // What was committed last is read before the test looks.
        let published = watch.tally.started + watch.tally.deadLetterCount
        await watch.until { $0.published >= published }
        _ = await results.close(deadline: .seconds(60))
        group.cancelAll()
        while try await group.next() != nil {}
        return code ?? -1
    }
}

/// Settings for a test on a mock cluster, and the cluster, which must outlive the service.
func mockSettings(_ simulator: KoreSimulator) throws -> (BridgeSettings, MockCluster) {
    let cluster = try MockCluster(brokers: 1)
    var settings = DemoSettings.bridge(bootstrapServers: cluster.bootstrapServers, baseURL: simulator.baseURL)
    patient(&settings)
    for topic in TopicPlan(settings).topics {
        try cluster.createTopic(topic.name, partitions: topic.partitions)
    }
    return (settings, cluster)
}

/// Deadlines that a busy machine keeps too: a call that misses its own is another outcome.
func patient(_ settings: inout BridgeSettings) {
    for index in settings.connections.indices {
        settings.connections[index].deadline = .seconds(12)
        settings.connections[index].connectTimeout = .seconds(12)
    }
}
