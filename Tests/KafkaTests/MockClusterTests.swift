import CRDKafka
import Records
import Testing

@testable import Kafka

@Suite("The Kafka client on the mock cluster", .serialized)
struct MockClusterTests {
    @Test("records of every shape come back byte for byte", .timeLimit(.minutes(5)))
    func shapes() async throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("shapes", partitions: 1)
        let many = (0..<1000).map {
            Header(name: Array("h\($0 % 7)".utf8), value: $0 % 3 == 0 ? nil : [UInt8($0 % 256)])
        }
        let sent: [OutgoingRecord] = [
            OutgoingRecord(topic: "shapes", partition: 0, key: nil, value: nil),
            OutgoingRecord(topic: "shapes", partition: 0, key: [], value: []),
            OutgoingRecord(
                topic: "shapes", partition: 0, key: [0, 255], value: nil, headers: [Header(name: [], value: [])]),
            OutgoingRecord(
                topic: "shapes", partition: 0, key: [1], value: [1],
                headers: [
                    Header(name: [0xFF, 0xFE], value: nil), Header(name: [0x61], value: []),
                    Header(name: [0x61], value: [7]),
                ]),
            OutgoingRecord(topic: "shapes", partition: 0, key: [2], value: [2], headers: many),
            OutgoingRecord(topic: "shapes", partition: 0, key: [3], value: [UInt8](repeating: 0xA5, count: 2_000_000)),
        ]
        let producer = try producer(cluster.bootstrapServers)
        let results = await producer.send(sent)
        #expect(results.allSatisfy { $0 == nil })
        _ = await producer.close(deadline: .seconds(60))
        let read = try await contents(cluster.bootstrapServers, TopicPartition("shapes", 0))
        #expect(read.map(\.key) == sent.map(\.key))
        #expect(read.map(\.value) == sent.map(\.value))
        #expect(read.map(\.headers) == sent.map(\.headers))
        #expect(read.map(\.offset) == Array(0..<Int64(sent.count)))
    }

    @Test("a producer that was denied a producer id writes once the right is there", .timeLimit(.minutes(5)))
    func fatalProducer() async throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("t", partitions: 1)
        let initProducerID: Int16 = 22
        cluster.pushErrors(
            apiKey: initProducerID, [KafkaError.Code](repeating: .clusterAuthorizationFailed, count: 20))
        let producer = try producer(cluster.bootstrapServers)
        let record = OutgoingRecord(topic: "t", partition: 0, key: nil, value: [1])
        let denied = await producer.send([record])
        #expect(denied.map { $0?.code } == [.clusterAuthorizationFailed])
        cluster.clearErrors(apiKey: initProducerID)
        let granted = await producer.send([record])
        #expect(granted == [nil])
        #expect(await producer.close(deadline: .seconds(60)))
    }

    @Test("after a question for ends that was not answered in time there is a new client", .timeLimit(.minutes(5)))
    func stuckQuestions() throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("asked", partitions: 1)
        var settings = settings(cluster.bootstrapServers)
        settings.properties["group.id"] = "asked"
        let place = TopicPartition("asked", 0)
        var client = try RenewedClient { () throws(KafkaError) in
            try NativeClient(RD_KAFKA_CONSUMER, try NativeConfiguration(settings), events: 0) { _ in }
        }
        let first = try client.current()
        let ends = try first.offsets(of: [place], at: NativeClient.end, timeout: .seconds(60))
        #expect(ends == [place: 0])
        let same = try client.current().pointer
        #expect(same == first.pointer)
        try cluster.setRoundTripTime(broker: 1, milliseconds: 600_000)
        var tried: [NativeClient] = []
        #expect(throws: KafkaError.self) {
            try client.ask(within: .milliseconds(300)) { (client, limit) throws(KafkaError) in
                tried.append(client)
                return try client.offsets(of: [place], at: NativeClient.end, timeout: limit)
            }
        }
        #expect(tried.count == 2 && tried[0].pointer == first.pointer && tried[1].pointer != first.pointer)
        try cluster.setRoundTripTime(broker: 1, milliseconds: 0)
        let again = try client.current().offsets(of: [place], at: NativeClient.end, timeout: .seconds(60))
        #expect(again == [place: 0])
        client.destroy()
    }

    @Test("an unknown property and a bad value are errors that name it, without a secret's value")
    func properties() throws {
        func message(_ properties: [String: String]) -> String {
            do {
                _ = try Producer(settings: settings("localhost:1", properties), timeout: .seconds(1)) { _ in }
                return ""
            } catch { return error.message }
        }
        #expect(message(["no.such.property": "1"]).contains("no.such.property"))
        #expect(message(["security.protocol": "nonsense"]).contains("security.protocol"))
        #expect(message(["acks": "0"]).contains("acks"))
        let secret = message(["ssl.key.pem": "geheim", "security.protocol": "ssl"])
        #expect(!secret.contains("geheim"))
    }

    @Test("a new partition is paused: no record comes before its start", .timeLimit(.minutes(5)))
    func pausedAssignment() async throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("source", partitions: 1)
        let producer = try producer(cluster.bootstrapServers)
        _ = await producer.send((0..<10).map { OutgoingRecord(topic: "source", partition: 0, key: nil, value: [$0]) })
        _ = await producer.close(deadline: .seconds(60))
        let consumer = try Consumer(
            settings: settings(cluster.bootstrapServers, ["group.id": "g", "auto.offset.reset": "earliest"]),
            maximumBatch: 100)
        try await consumer.subscribe(["source"])
        let first = await events(of: consumer) { all in
            all.contains { if case .assigned = $0 { true } else { false } }
        }
        #expect(records(in: first).isEmpty)
        try await consumer.start(TopicPartition("source", 0), at: 4)
        let after = await events(of: consumer) { records(in: $0).count >= 6 }
        #expect(records(in: after).map(\.offset) == Array(4..<10))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test("a revoke is held until it is answered, and the other member waits", .timeLimit(.minutes(5)))
    func heldRevoke() async throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("held", partitions: 2)
        let group = ["group.id": "held", "session.timeout.ms": "6000", "max.poll.interval.ms": "10000"]
        let first = try Consumer(settings: settings(cluster.bootstrapServers, group), maximumBatch: 100)
        try await first.subscribe(["held"])
        _ = await events(of: first) { $0.contains { if case .assigned = $0 { true } else { false } } }
        let second = try Consumer(settings: settings(cluster.bootstrapServers, group), maximumBatch: 100)
        try await second.subscribe(["held"])
        let revoke = await events(of: first) { $0.contains { if case .revoked = $0 { true } else { false } } }
        var number: Int?
        for case .revoked(let revoked, let partitions, let lost) in revoke {
            number = revoked
            #expect(!lost)
            #expect(!partitions.isEmpty)
        }
        await first.finishRevoke(try #require(number))
        let owned = await events(of: second) {
            $0.contains { if case .assigned(_, let list, _) = $0 { !list.isEmpty } else { false } }
        }
        #expect(!owned.isEmpty)
        #expect(await first.close(deadline: .seconds(60)))
        #expect(await second.close(deadline: .seconds(60)))
    }

    @Test("closing does not wait for a held revoke", .timeLimit(.minutes(5)))
    func closeWhileHeld() async throws {
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("closing", partitions: 2)
        let group = ["group.id": "closing", "session.timeout.ms": "6000", "max.poll.interval.ms": "10000"]
        let first = try Consumer(settings: settings(cluster.bootstrapServers, group), maximumBatch: 100)
        try await first.subscribe(["closing"])
        _ = await events(of: first) { $0.contains { if case .assigned = $0 { true } else { false } } }
        let second = try Consumer(settings: settings(cluster.bootstrapServers, group), maximumBatch: 100)
        try await second.subscribe(["closing"])
        _ = await events(of: first) { $0.contains { if case .revoked = $0 { true } else { false } } }
        #expect(await first.close(deadline: .seconds(60)))
        #expect(await second.close(deadline: .seconds(60)))
    }

    @Test("group metadata without a generation or a member is refused")
    func metadata() {
        func bytes(_ generation: Int32, _ member: String) -> [UInt8] {
            Array("CGMDv2:".utf8) + withUnsafeBytes(of: generation) { Array($0) } + Array("g\0\(member)\0i\0".utf8)
        }
        #expect(throws: KafkaError.self) { try GroupMetadata(bytes: bytes(-1, "m")) }
        #expect(throws: KafkaError.self) { try GroupMetadata(bytes: bytes(3, "")) }
        #expect(throws: KafkaError.self) { try GroupMetadata(bytes: Array("other".utf8)) }
        #expect(throws: Never.self) { try GroupMetadata(bytes: bytes(3, "m")) }
    }
}
