import Configuration
import Foundation
import JSON
import Records
import Testing

@testable import Bridge
@testable import BridgeCore

@Suite("Records as the contracts describe them", .timeLimit(.minutes(5)))
struct SampleTests {
    /// With CONTRACT_SAMPLES=FOLDER the test leaves there what `test_contracts.py` validates.
    @Test("There is a sample of every kind of record, and the ledger's are read back as what they were")
    func samples() throws {
        let samples = Samples.all()
        let kinds = Set(samples.map { "\($0.value ?? "") \($0.headers ?? "")" })
        #expect(kinds.count == 8)
        for reason in DeadLetterReason.allCases {
            #expect(samples.contains { $0.record.headers.text("campaign-bridge-reason") == reason.rawValue })
        }
        for sample in samples where sample.record.topic == Samples.topics.ledger {
            #expect(LedgerWire.read(key: sample.record.key, value: sample.record.value) != .other, "\(sample.name)")
        }
        guard let folder = ProcessInfo.processInfo.environment["CONTRACT_SAMPLES"] else { return }
        let directory = URL(fileURLWithPath: folder)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(written(samples)).write(to: directory.appendingPathComponent("samples.json"))
        try Data(topics()).write(to: directory.appendingPathComponent("topics.json"))
    }

    /// Bytes as hexadecimal digits: keys, values and headers need not be text.
    private func written(_ samples: [Sample]) -> [UInt8] {
        var out = JSONWriter(capacity: 1 << 20)
        func bytes(_ out: inout JSONWriter, _ bytes: [UInt8]?) {
            if let bytes { out.string(hex(bytes)) } else { out.null() }
        }
        out.array { out in
            for sample in samples {
                out.object { out in
                    out.member("name", sample.name)
                    out.member("topic", sample.record.topic)
                    for (name, schema) in [
                        ("valueSchema", sample.value), ("headersSchema", sample.headers), ("keySchema", sample.key),
                    ] {
                        if let schema { out.member(name, schema) }
                    }
                    out.key("key")
                    bytes(&out, sample.record.key)
                    out.key("value")
                    bytes(&out, sample.record.value)
                    out.key("headers")
                    out.array { out in
                        for header in sample.record.headers {
                            out.array { out in
                                bytes(&out, header.name)
                                bytes(&out, header.value)
                            }
                        }
                    }
                }
            }
        }
        return out.bytes
    }

    /// The topics that `campaign-bridge topics --create` makes by default, with `topics.failed` set.
    private func topics() throws -> [UInt8] {
        let loaded = BridgeSettings.load(
            text: [], fileName: "",
            environment: [
                "CAMPAIGN_BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
                "CAMPAIGN_BRIDGE_TOPICS_FAILED": "campaign-start-failed",
                "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_BASE_URL": "https://platform.example.com",
                "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_STREAMS": "*",
                "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_ACCOUNT_ID": "65f1c2a4b7e8d90012345678",
                "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_CLIENT_ID": "cs-1",
                "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_CLIENT_SECRET": "secret",
            ],
            hostName: "host-1", readFile: { _ throws(FileReadError) in throw FileReadError("no files here") })
        let settings = try #require(loaded.settings, "\(loaded.problems)")
        var out = JSONWriter(capacity: 4096)
        out.array { out in
            for topic in TopicPlan(settings).topics {
                out.object { out in
                    out.member("name", topic.name)
                    out.member("partitions", topic.partitions)
                    out.member("replicas", topic.replicationFactor)
                    out.key("configuration")
                    out.object { out in
                        for (name, value) in topic.configuration.sorted(by: { $0.key < $1.key }) {
                            out.member(name, value)
                        }
                    }
                }
            }
        }
        return out.bytes
    }

    @Test("Both formats of a result hold the same data and attributes")
    func formats() throws {
        for (name, event) in Samples.requests + [("gone", Samples.gone)] {
            for answer in Samples.answers {
                let write = Samples.write(event, .started(answer, evidence: .answer))
                let structured = Samples.records([write], .structured)[0]
                let binary = Samples.records([write], .binary)[0]
                let root = try JSONReader.parse(try #require(structured.value))
                let data = try JSONReader.parse(try #require(binary.value))
                #expect(root["data"] == data, "\(name)")
                #expect(structured.key == binary.key)
                for member in root.object ?? [] where member.name != "data" && member.name != "datacontenttype" {
                    #expect(binary.headers.text("ce_" + member.name) == member.value.string, "\(name) \(member.name)")
                }
                #expect(binary.headers.count == (root.object?.count ?? 0) - 1)
                #expect(binary.headers.text("content-type") == root["datacontenttype"]?.string)
                #expect(structured.headers == [Header("content-type", "application/cloudevents+json; charset=UTF-8")])
            }
        }
    }

    @Test("A dead letter has the record's key, value and headers byte for byte, without those of an earlier one")
    func deadLetterKeepsTheRecord() throws {
        for (name, event) in Samples.requests + Samples.faulty {
            let outcome = Outcome.deadLetter(.rejected, message: "no", nonce: 1)
            let letter = Samples.records([Samples.write(event, outcome)], .structured)[0]
            let prefixes = ["campaign-bridge-", "__connect.errors.", "kafka_dlt-"].map { Array($0.utf8) }
            let kept = event.record.headers.filter { header in !prefixes.contains { header.name.starts(with: $0) } }
            #expect(letter.key == event.record.key && letter.value == event.record.value, "\(name)")
            #expect(Array(letter.headers.prefix(kept.count)) == kept, "\(name)")
            let added = letter.headers.dropFirst(kept.count).map(\.name)
            #expect(Set(added).count == added.count, "\(name): no header is added twice")
            #expect(added.allSatisfy { name in prefixes.contains { name.starts(with: $0) } })
        }
    }

    @Test("The names that Kafka Connect's and Spring's tools read say the same as the bridge's own")
    func foreignNames() throws {
        let event = Samples.requests[0].event
        let outcome = Outcome.deadLetter(.rejected, message: "no", nonce: 1)
        let headers = Samples.records([Samples.write(event, outcome)], .structured)[0].headers
        for name in ["topic", "partition", "offset"] {
            #expect(headers.text("campaign-bridge-source-" + name) == headers.text("__connect.errors." + name))
        }
        func number(_ name: String) -> Int64? {
            headers[name].map { $0.reduce(0) { $0 << 8 | Int64($1) } }
        }
        #expect(number("kafka_dlt-original-partition") == 3 && headers["kafka_dlt-original-partition"]?.count == 4)
        #expect(number("kafka_dlt-original-offset") == 1042 && headers["kafka_dlt-original-offset"]?.count == 8)
        #expect(number("kafka_dlt-original-timestamp") == Samples.now)
        #expect(headers.text("campaign-bridge-source-timestamp") == String(Samples.now))
    }
}
