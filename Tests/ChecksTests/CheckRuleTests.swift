import BridgeCore
import Configuration
import Records
import Testing

@testable import Bridge
@testable import Checks
@testable import Kafka
@testable import KoreAPI

@Suite("What check says of topics")
struct CheckTopicTests {
    private static let fine: [String: String] = [
        "cleanup.policy": "delete", "retention.ms": "694800000", "retention.bytes": "-1",
        "min.insync.replicas": "2", "message.timestamp.type": "LogAppendTime", "max.message.bytes": "2000000",
        "unclean.leader.election.enable": "false",
    ]

    private func lines(
        _ name: String, _ changes: [String: String] = [:], count: Int = 8, copies: Int = 3, inSync: Int = 3,
        leader: Int32 = 1
    ) -> [CheckLine] {
        let rules = CheckTopics(settings: BridgeSettings(), ledgerPartitions: 8, brokers: 3)
        var configuration = Self.fine
        if name == "campaign-start-ledger" { configuration["cleanup.policy"] = "compact,delete" }
        if name == "campaign-start-control" { configuration["cleanup.policy"] = "compact" }
        configuration.merge(changes) { _, new in new }
        return rules.lines(
            name,
            TopicFacts(
                description: TopicDescription(
                    partitions: (0..<Int32(count)).map {
                        .init(id: $0, leader: leader, replicas: copies, inSync: inSync)
                    }), configuration: configuration))
    }

    @Test(
        "topics as `topics --create` makes them are fine",
        arguments: [
            "campaign-start-requests", "campaign-start-ledger", "campaign-started", "campaign-start-dead-letters",
        ])
    func fine(name: String) {
        #expect(lines(name).map(\.state) == [.fine])
        #expect(lines("campaign-start-control", count: 1).map(\.state) == [.fine])
    }

    @Test(
        "each fault has its line with what to do",
        arguments: [
            ("campaign-start-ledger", "cleanup.policy", "delete", CheckLine.State.failed),
            ("campaign-start-ledger", "cleanup.policy", "compact", .warning),
            ("campaign-start-ledger", "retention.ms", "604800000", .failed),
            ("campaign-start-ledger", "retention.bytes", "1000000", .failed),
            ("campaign-start-ledger", "message.timestamp.type", "CreateTime", .warning),
            ("campaign-start-ledger", "min.insync.replicas", "1", .warning),
            ("campaign-start-ledger", "min.insync.replicas", "4", .failed),
            ("campaign-start-ledger", "unclean.leader.election.enable", "true", .warning),
            ("campaign-start-requests", "message.timestamp.type", "CreateTime", .warning),
            ("campaign-start-requests", "retention.ms", "3600000", .warning),
            ("campaign-start-requests", "retention.ms", "-1", .warning),
            ("campaign-start-requests", "cleanup.policy", "compact", .failed),
            ("campaign-start-dead-letters", "cleanup.policy", "compact,delete", .failed),
            ("campaign-start-dead-letters", "retention.ms", "86400000", .warning),
            ("campaign-start-dead-letters", "max.message.bytes", "900000", .warning),
            ("campaign-start-ledger", "max.message.bytes", "900000", .warning),
            ("campaign-started", "max.message.bytes", "900000", .warning),
        ])
    func faults(name: String, key: String, value: String, state: CheckLine.State) throws {
        let found = lines(name, [key: value])
        let line = try #require(found.first)
        #expect(found.count == 1)
        #expect(line.state == state)
        #expect(line.text.contains(key))
        #expect(line.advice?.contains(key) == true)
    }

    @Test("partitions, copies and leaders are looked at")
    func partitions() {
        let short = lines("campaign-start-ledger", count: 6)
        #expect(short.map(\.state) == [.failed])
        #expect(short.first?.advice?.contains("topics --create") == true)
        #expect(lines("campaign-start-ledger", count: 9).map(\.state) == [.warning])
        #expect(lines("campaign-start-control").contains { $0.state == .failed && $0.text.contains("exactly one") })
        #expect(lines("campaign-started", copies: 1, inSync: 1).contains { $0.state == .warning })
        #expect(lines("campaign-started", inSync: 1).contains { $0.state == .failed && $0.isUnreachable })
        #expect(lines("campaign-started", leader: -1).contains { $0.state == .failed && $0.isUnreachable })
    }

    @Test("what cannot be read is said")
    func unreadable() {
        let rules = CheckTopics(settings: BridgeSettings(), ledgerPartitions: 8, brokers: 3)
        let found = rules.lines(
            "campaign-started", TopicFacts(description: TopicDescription(partitions: []), configuration: nil))
        #expect(found.map(\.state) == [.warning])
        #expect(found[0].advice?.contains("DescribeConfigs") == true)
    }

    @Test("brokers' settings that do not fit are named with the key to change")
    func brokers() {
        let check = CheckCluster(settings: BridgeSettings())
        #expect(check.lines(["offsets.retention.minutes": "10080"]).map(\.state) == [.fine])
        #expect(check.lines(["offsets.retention.minutes": "1440"]).map(\.state) == [.warning])
        #expect(check.lines(["transaction.max.timeout.ms": "5000"]).map(\.state) == [.failed])
        #expect(check.lines(["group.min.session.timeout.ms": "10000"]).map(\.state) == [.failed])
        #expect(check.lines(["group.max.session.timeout.ms": "1000"]).map(\.state) == [.failed])
    }
}

@Suite("What check makes of the Kafka library's lines")
struct KafkaDiagnosisTests {
    private func diagnosis(
        _ lines: [String], mechanism: SASLMechanism? = nil, version: Int32 = 0x0208_00ff,
        isForAnotherName: Bool = false
    ) -> KafkaDiagnosis {
        var settings = BridgeSettings()
        settings.kafka.security.mechanism = mechanism
        settings.kafka.security.securityProtocol = mechanism == nil ? .plaintext : .saslSSL
        return KafkaDiagnosis(
            lines: lines, fallback: "no answer", settings: settings, libraryVersion: version,
            isForAnotherName: isForAnotherName)
    }

    @Test(
        "each kind of fault names the setting to look at",
        arguments: [
            (
                "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password",
                "kafka.security.username", false
            ),
            (
                "sasl_ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
                "kafka.security.caFile", false
            ),
            (
                "b:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration",
                "kafka.security.protocol", false
            ),
            ("sasl_ssl://b:1/bootstrap: error:0A000126:SSL routines::unexpected eof while reading", "protocol", false),
            ("sasl_ssl://b:1/bootstrap: Broker: Unsupported SASL mechanism", "kafka.security.mechanism", false),
            ("b:1/bootstrap: Failed to resolve 'b:1': Name or service not known", "name servers", true),
            ("b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused", "kafka.bootstrapServers", true),
            (
                "ssl://b:1/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication",
                "sasl_ssl", false
            ),
            (
                "ssl://b:1/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate",
                "kafka.security.certificateFile", false
            ),
            ("something new", "kafka.bootstrapServers", true),
        ])
    func kinds(line: String, advice: String, isUnreachable: Bool) {
        let found = diagnosis(["[thrd:x]: " + line + " (after 3ms in state CONNECT)"])
        #expect(found.advice.contains(advice), "\(found.advice)")
        #expect(found.isUnreachable == isUnreachable)
        #expect(!found.text.contains("thrd"))
        #expect(!found.text.contains("after 3ms"))
    }

    @Test("a certificate for another name is told from one that is not trusted")
    func names() {
        let line = "sasl_ssl://b:1/bootstrap: error:0A000086:SSL routines::certificate verify failed"
        #expect(
            diagnosis([line], isForAnotherName: true).text.hasPrefix("the broker's certificate is for another name"))
        #expect(diagnosis([line]).text.contains("not trusted, or is for another name"))
    }

    @Test("what the library does not take is traced to its key")
    func refused() {
        let key = KafkaDiagnosis.advice(refused: "ssl.key.location failed: error:0A080009:SSL routines::PEM lib")
        #expect(key.contains("kafka.security.keyFile and keyPassword"))
        #expect(KafkaDiagnosis.advice(refused: "something else").contains("property"))
    }

    @Test("SCRAM that an old library cannot do against Kafka 4 is said, and only then")
    func scram() {
        let line = "sasl_ssl://b:1/bootstrap: SASL authentication error: invalid credentials with SASL mechanism SCRAM"
        #expect(diagnosis([line], mechanism: .scramSHA512, version: 0x0200_02ff).advice.contains("2.6.1"))
        #expect(!diagnosis([line], mechanism: .scramSHA512, version: 0x0206_01ff).advice.contains("2.6.1"))
        #expect(!diagnosis([line], mechanism: .plain, version: 0x0200_02ff).advice.contains("2.6.1"))
    }
}

@Suite("What would be done with an event")
struct EventCheckTests {
    private static let now = Moment(wall: 1_790_000_000_000, monotonic: 5_000_000)

    private func verdict(_ value: String?, headers: [Header] = [], time: Int64 = now.wall) -> EventCheck.Verdict {
        check(value, headers: headers, time: time).verdict
    }

    private func check(_ value: String?, headers: [Header] = [], time: Int64 = now.wall) -> EventCheck {
        var settings = BridgeSettings()
        var connection = Configuration.ConnectionSettings()
        connection.name = "main"
        connection.streams = ["st-1"]
        connection.accountId = "a1"
        settings.connections = [connection]
        return EventCheck(
            Record(
                topic: "t", partition: 7, offset: 9, timestamp: time, key: nil, value: value.map { Array($0.utf8) },
                headers: headers), settings: settings, at: Self.now)
    }

    @Test("a good event is called through its stream's connection")
    func call() throws {
        guard case .call(let call, let time) = verdict(#"{"streamId":"st-1","campaignId":"c-1"}"#) else {
            Issue.record("not called")
            return
        }
        #expect(call.connection == "main")
        #expect(call.accountID == "a1")
        #expect(call.campaignID == "c-1")
        #expect(time == Self.now.wall)
        let expiry = check(#"{"streamId":"st-1","campaignId":"c-1"}"#).expiry
        #expect(expiry == Self.now.wall + 86_400_000)
    }

    @Test("an event for later is called then, and its own expiry counts")
    func later() {
        let value = """
            {"streamId":"st-1","campaignId":"c-1","notBefore":"\(RFC3339.format(Self.now.wall + 60_000))",
             "expiresAt":"\(RFC3339.format(Self.now.wall + 120_000))"}
            """
        guard case .call(_, let time) = verdict(value) else {
            Issue.record("not called")
            return
        }
        #expect(time == Self.now.wall + 60_000)
        #expect(check(value).expiry == Self.now.wall + 120_000)
    }

    @Test(
        "an event that cannot be called names the dead letter's reason",
        arguments: [
            (nil, .emptyRecord), ("{", .invalidJSON), (#"{"streamId":"st-1"}"#, .invalidData),
            (#"{"streamId":"st-2","campaignId":"c"}"#, .unknownStream),
            (#"{"streamId":"st-1","campaignId":"c","accountId":"a2"}"#, .accountMismatch),
            (#"{"streamId":"st-1","campaignId":"c","expiresAt":"2020-01-01T00:00:00Z"}"#, .expired),
        ] as [(String?, DeadLetterReason)])
    func deadLetter(value: String?, reason: DeadLetterReason) {
        guard case .deadLetter(let found, let message) = verdict(value) else {
            Issue.record("called")
            return
        }
        #expect(found == reason)
        #expect(!message.isEmpty)
    }

    @Test("a record without a usable time is refused for it")
    func time() {
        guard case .deadLetter(.unusableTime, _) = verdict(#"{"streamId":"st-1","campaignId":"c"}"#, time: 5) else {
            Issue.record("called")
            return
        }
    }
}
