import Bridge
import BridgeCore
import Configuration
import Foundation
import JSON
import Kafka
import KoreSimulator
import Records
import Synchronization
import Testing

@testable import campaign_bridge

@Suite("The whole service in process", .serialized)
struct ServiceTests {
    @Test(
        "every event of every kind has exactly one outcome, and no campaign is started twice", .timeLimit(.minutes(5)))
    func mixed() async throws {
        try await withKoreSimulator(DemoSettings.simulator) { simulator in
            let (settings, cluster) = try mockSettings(simulator)
            let watch = Watch()
            let count = DemoKind.order.count * 2
            let events = (0..<count).map { DemoEvent(number: $0, topic: settings.topics.source) }
            let code = try await withService(settings, simulator, watch: watch) { rig in
                try await rig.send(events)
                await rig.watch.until { $0.missing == 0 }
            }
            withExtendedLifetime(cluster) {}
            #expect(code == 0)
            let tally = watch.tally
            #expect(tally.doubled == 0)
            #expect(tally.suppressed == 2)
            #expect(tally.deadLetters == [.rejected: 2, .outcomeUnknown: 2, .invalidData: 2, .invalidJSON: 2])
            #expect(tally.started == count - 2 - 8)
            let starts = simulator.counts.starts
            #expect(starts.values.allSatisfy { $0 == 1 })
            // Those whose answer was lost were started too, and nobody can know.
            #expect(starts.count == tally.started + 2)
        }
    }

    @Test("a dead letter holds the record byte for byte, and the reason", .timeLimit(.minutes(5)))
    func deadLetter() async throws {
        try await withKoreSimulator { simulator in
            let (settings, cluster) = try mockSettings(simulator)
            let watch = Watch()
            let value: [UInt8] = [0xFF, 0x00, 0x7B]
            let headers = [Header(name: [0xFE], value: nil), Header("x", "1"), Header("x", "2")]
            _ = try await withService(settings, simulator, watch: watch) { rig in
                try await rig.send([
                    OutgoingRecord(
                        topic: settings.topics.source, key: [0, 1], value: value, headers: headers)
                ])
                await rig.watch.until { $0.published == 1 }
            }
            withExtendedLifetime(cluster) {}
            let letter = try #require(watch.records.first)
            #expect(letter.topic == settings.topics.deadLetters)
            #expect(letter.key == [0, 1])
            #expect(letter.value == value)
            #expect(Array(letter.headers.prefix(3)) == headers)
            #expect(letter.headers.contains(Header("campaign-bridge-reason", "invalid-json")))
        }
    }

    @Test("nothing secret and no payload stands in log, metrics, health or results", .timeLimit(.minutes(5)))
    func secrets() async throws {
        var platform = DemoSettings.simulator
        platform.apps = [
            SimulatorApp(clientId: SimulatorSettings.demoApp.clientId, key: "planted-client-secret")
        ]
        try await withKoreSimulator(platform) { simulator in
            var (settings, cluster) = try mockSettings(simulator)
            for index in settings.connections.indices {
                settings.connections[index].clientSecret = Secret("planted-client-secret")
            }
            settings.kafka.security.password = Secret("planted-kafka-password")
            settings.kafka.security.username = "planted-user"
            let watch = Watch()
            let logs = MemorySink()
            let pages = Pages()
            let plain = settings
            let code = try await withService(plain, simulator, watch: watch, logs: logs, level: .trace) { rig in
                let events = (0..<16).map { DemoEvent(number: $0, topic: plain.topics.source) }
                try await rig.send(events)
                try await rig.send([
                    OutgoingRecord(
                        topic: plain.topics.source, key: Array("with-payload".utf8),
                        value: Array(
                            #"{"streamId":"st-demo-sales","campaignId":"cd-p","metadata":{"phone":"planted-payload"}}"#
                                .utf8),
                        headers: [Header("authorization", "planted-header")])
                ])
                await rig.watch.until { $0.missing == 0 && $0.published == 16 }
                for path in ["/metrics", "/health/ready", "/health/live"] { pages.add(try await rig.page(path)) }
            }
            withExtendedLifetime(cluster) {}
            #expect(code == 0)
            #expect(logs.text.contains("campaign started"))
            // Of a dead letter, key, value and headers of the source are the point; all else is the bridge's.
            let results = watch.records.filter { $0.topic == settings.topics.started }.map { record in
                String(decoding: record.value ?? [], as: UTF8.self)
                    + record.headers.map { String(decoding: $0.value ?? [], as: UTF8.self) }.joined()
            }
            #expect(results.count > 8)
            let all = logs.text + pages.text + results.joined()
            for planted in [
                "planted-client-secret", "planted-admin-token", "planted-kafka-password", "planted-payload",
                "planted-header",
            ] {
                #expect(!all.contains(planted), "\(planted) came out")
            }
            // Every token begins so.
            #expect(!all.contains("eyJ"))
        }
    }

    @Test(
        "promtool takes the metrics, and every closed label value is there from the first scrape",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")), .timeLimit(.minutes(5)))
    func metrics() async throws {
        try await withKoreSimulator { simulator in
            let (settings, cluster) = try mockSettings(simulator)
            let pages = Pages()
            _ = try await withService(settings, simulator) { rig in
                pages.add(try await rig.page("/metrics"))
                try await rig.send((0..<4).map { DemoEvent(number: $0, topic: settings.topics.source) })
                // Metrics count what is committed; a mock topic shows a record before that.
                await rig.watch.until { $0.started == 4 }
                pages.add(try await rig.page("/metrics"))
            }
            withExtendedLifetime(cluster) {}
            let first = try #require(pages.all.first)
            for reason in DeadLetterReason.allCases {
                #expect(first.contains("campaign_bridge_dead_letters_total{reason=\"\(reason.rawValue)\"} 0"))
            }
            let last = try #require(pages.all.last)
            #expect(last.contains("campaign_bridge_started_total{evidence=\"answer\"} 4"))
            let (code, output) = try promtool(last)
            #expect(code == 0, "\(output)")
            #expect(output.isEmpty, "\(output)")
        }
    }

    private func promtool(_ metrics: String) throws -> (Int32, String) {
        let process = Foundation.Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
        process.arguments = ["check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(metrics.utf8))
        try input.fileHandleForWriting.close()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}

/// Pages that were fetched, kept.
final class Pages: Sendable {
    private let kept = Mutex<[String]>([])

    func add(_ page: String) { kept.withLock { $0.append(page) } }
    var all: [String] { kept.withLock { $0 } }
    var text: String { all.joined() }
}
