import Bridge
import BridgeCore
import Checks
import Configuration
import Foundation
import Kafka
import KoreSimulator
import Testing

@testable import campaign_bridge

private let servers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""

@Suite("The whole service on a real broker", .serialized, .enabled(if: !servers.isEmpty))
struct RealBrokerTests {
    @Test("a second run of the same replica suppresses every repeat of the first", .timeLimit(.minutes(5)))
    func restart() async throws {
        try await withKoreSimulator(DemoSettings.simulator) { simulator in
            let settings = ownSettings(simulator)
            try await withTopics(settings) {
                let count = DemoKind.order.count
                let events = (0..<count).map { DemoEvent(number: $0, topic: settings.topics.source) }
                let first = Watch()
                let code = try await withService(settings, simulator, watch: first) { rig in
                    try await rig.send(events)
                    await rig.watch.until { $0.missing == 0 }
                }
                #expect(code == 0)
                #expect(first.tally.doubled == 0)
                let starts = simulator.counts.started
                // A record without an identity of its own is another event each time.
                let repeats = events.filter { $0.kind != .malformed }
                let second = Watch()
                let again = try await withService(settings, simulator, watch: second) { rig in
                    try await rig.send(repeats)
                    await rig.watch.until { $0.suppressed == repeats.count }
                }
                #expect(again == 0)
                #expect(simulator.counts.started == starts)
                #expect(second.tally.callCount == 0)
                #expect(second.tally.doubled == 0)
            }
        }
    }

    @Test("check finds nothing to correct, and names what was spoilt", .timeLimit(.minutes(5)))
    func checks() async throws {
        try await withKoreSimulator(DemoSettings.simulator) { simulator in
            let settings = ownSettings(simulator)
            try await withTopics(settings) {
                expectFine(await Self.check(settings), settings)
            }
            // Other names: its topics do not exist.
            var spoilt = ownSettings(simulator)
            spoilt.connections[0].clientSecret = Secret("wrong")
            expectSpoilt(await Self.check(spoilt), spoilt)
        }
    }

    private func expectFine(_ lines: [CheckLine], _ settings: BridgeSettings) {
        #expect(lines.filter { $0.state == .failed } == [])
        #expect(lines.contains { $0.name == "topic " + settings.topics.ledger && $0.text == "it can be written to" })
        #expect(CheckCommand.code(lines) == nil)
    }

    private func expectSpoilt(_ lines: [CheckLine], _ settings: BridgeSettings) {
        let failed = lines.filter { $0.state == .failed }
        #expect(failed.contains { $0.name == "topic " + settings.topics.source && $0.text.contains("not exist") })
        #expect(failed.contains { $0.name == "connection sales" && $0.text.contains("refuses the credentials") })
        #expect(failed.allSatisfy { $0.advice != nil })
        #expect(CheckCommand.code(lines) == 1)
    }

    private static func check(_ settings: BridgeSettings) async -> [CheckLine] {
        let (stream, sink) = AsyncStream<CheckLine>.makeStream()
        await BridgeCheck(
            settings: settings, client: { try settings.campaignClient(version: "test") },
            options: .init(timeout: .seconds(40), isOffline: false, triesWrites: true)
        ).run { sink.yield($0) }
        sink.finish()
        var lines: [CheckLine] = []
        for await line in stream { lines.append(line) }
        return lines
    }

    /// Names of their own for each run, so that runs side by side do not meet.
    private func ownSettings(_ simulator: KoreSimulator) -> BridgeSettings {
        var settings = DemoSettings.bridge(bootstrapServers: servers, baseURL: simulator.baseURL)
        patient(&settings)
        let name = "service-test-\(UInt64.random(in: .min ... .max))"
        settings.kafka.bootstrapServers = servers.split(separator: ",").map(String.init)
        settings.group.id = name
        settings.replica.isStatic = true
        settings.topics.source = name + "-source"
        settings.topics.started = name + "-started"
        settings.topics.deadLetters = name + "-dead"
        settings.topics.ledger = name + "-ledger"
        settings.topics.control = name + "-control"
        return settings
    }

    private func withTopics(_ settings: BridgeSettings, _ body: @Sendable () async throws -> Void) async throws {
        let admin = try Admin(settings: settings.commonKafka, timeout: .seconds(60)) { _ in }
        let topics = TopicPlan(settings).topics
        let failures = try await admin.createTopics(topics)
        #expect(failures.isEmpty)
        // A broker tells of a new topic a moment after it was made; each question takes a round trip.
        while try await admin.topics(topics.map(\.name)).count < topics.count {}
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        _ = try await admin.deleteTopics(topics.map(\.name))
        _ = await admin.close(deadline: .seconds(60))
        try result.get()
    }
}
