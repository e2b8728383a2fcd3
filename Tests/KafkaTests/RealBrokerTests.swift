import Records
import Testing

@testable import Kafka

/// What only a real broker can show. Runs where KAFKA_BOOTSTRAP_SERVERS names one.
@Suite(
    "The Kafka client on a real broker", .serialized,
    .disabled(if: realBroker == nil, "KAFKA_BOOTSTRAP_SERVERS names no broker"))
struct RealBrokerTests {
    private var servers: String { realBroker ?? "" }

    private func topic(_ name: String, _ configuration: [String: String] = [:]) async throws -> String {
        let topic = unique(name)
        let admin = try admin()
        let failures = try await admin.createTopics([
            NewTopic(name: topic, partitions: 1, replicationFactor: 1, configuration: configuration)
        ])
        #expect(failures.isEmpty)
        while try await admin.topics([topic])[topic]?.partitions.first.map({ $0.leader >= 0 }) != true {}
        _ = await admin.close(deadline: .seconds(60))
        return topic
    }

    private func admin() throws -> Admin { try Admin(settings: settings(servers), timeout: .seconds(60)) { _ in } }

    /// A member of a group with its partition started at 0.
    private func member(_ group: String, _ topic: String, _ more: [String: String] = [:]) async throws
        -> (consumer: Consumer, metadata: GroupMetadata)
    {
        let consumer = try Consumer(
            settings: settings(servers, ["group.id": group, "session.timeout.ms": "6000"].merging(more) { $1 }),
            maximumBatch: 100)
        try await consumer.subscribe([topic])
        let first = await events(of: consumer) { $0.contains { if case .assigned = $0 { true } else { false } } }
        var metadata: GroupMetadata?
        for case .assigned(_, _, let taken) in first { metadata = taken }
        return (consumer, try #require(metadata))
    }

    private func work(_ topic: String, _ values: [[UInt8]], _ source: String, offset: Int64, _ group: GroupMetadata)
        -> TransactionalProducer.Work
    {
        .init(
            records: values.map { OutgoingRecord(topic: topic, partition: 0, key: nil, value: $0) },
            offsets: [(TopicPartition(source, 0), GroupOffset(offset, metadata: "note"))], group: group)
    }

    @Test("a commit is visible with its offsets, an abort is not", .timeLimit(.minutes(5)))
    func commitAndAbort() async throws {
        let source = try await topic("source")
        let results = try await topic("results")
        let group = unique("group")
        let (consumer, metadata) = try await member(group, source)
        let producer = try transactional(servers, id: unique("id"))
        try await producer.initialize()
        guard
            case .committed = await producer.commit(
                work(results, [[1]], source, offset: 5, metadata), mayStillCommit: { true })
        else {
            Issue.record("not committed")
            return
        }
        guard
            case .aborted(nil, []) = await producer.commit(
                work(results, [[2]], source, offset: 9, metadata), mayStillCommit: { false })
        else {
            Issue.record("not aborted")
            return
        }
        #expect(try await contents(servers, TopicPartition(results, 0)).map(\.value) == [[1]])
        let partition = TopicPartition(source, 0)
        for (name, expected) in [(group, GroupOffset(5, metadata: "note")), (unique("other"), nil)]
            as [(String, GroupOffset?)]
        {
            let offsets = try CommittedOffsets(
                settings: ClientSettings(properties: ["bootstrap.servers": servers]), group: name, timeout: .seconds(60)
            ) { _ in }
            let found = try await offsets.fetch([partition])
            #expect(found == [partition: expected])
            #expect(await offsets.close(deadline: .seconds(60)))
        }
        _ = try await admin().close(deadline: .seconds(60))
        #expect(await producer.close(deadline: .seconds(60)))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test(
        "a second producer of the same id fences the first, whose commit is lost and not visible",
        .timeLimit(.minutes(5)))
    func fencing() async throws {
        let source = try await topic("source")
        let results = try await topic("results")
        let (consumer, metadata) = try await member(unique("group"), source)
        let id = unique("id")
        let first = try transactional(servers, id: id)
        try await first.initialize()
        let second = try transactional(servers, id: id)
        try await second.initialize()
        let result = await first.commit(work(results, [[1]], source, offset: 1, metadata), mayStillCommit: { true })
        if case .committed = result { #expect(Bool(false), "a fenced producer committed") }
        guard
            case .committed = await second.commit(
                work(results, [[2]], source, offset: 1, metadata), mayStillCommit: { true })
        else {
            Issue.record("not committed")
            return
        }
        #expect(try await contents(servers, TopicPartition(results, 0)).map(\.value) == [[2]])
        _ = await first.close(deadline: .seconds(60))
        _ = await second.close(deadline: .seconds(60))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test(
        "a stale generation is refused: the transaction is aborted; with the fence first, nothing has been written by then",
        .timeLimit(.minutes(5)), arguments: [false, true])
    func staleGeneration(isFenceFirst: Bool) async throws {
        let source = try await topic("source")
        let results = try await topic("results")
        let (consumer, metadata) = try await member(unique("group"), source)
        var bytes = metadata.bytes
        let stale = metadata.generation - 1
        withUnsafeBytes(of: max(0, stale) == metadata.generation ? metadata.generation + 7 : stale) { new in
            for (index, byte) in new.enumerated() { bytes[7 + index] = byte }
        }
        let producer = try transactional(servers, id: unique("id"))
        try await producer.initialize()
        var work = work(results, [[1]], source, offset: 1, try GroupMetadata(bytes: bytes))
        work.isFenceFirst = isFenceFirst
        let result = await producer.commit(work, mayStillCommit: { true })
        guard case .aborted(let error, _) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(error?.code == .illegalGeneration)
        let partition = TopicPartition(results, 0)
        #expect(try await contents(servers, partition).isEmpty)
        let admin = try admin()
        // Neither a record nor the marker of an abort.
        let ends = try await admin.ends([partition])
        #expect((ends == [partition: 0]) == isFenceFirst)
        _ = await admin.close(deadline: .seconds(60))
        _ = await producer.close(deadline: .seconds(60))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test("the high watermark counts an open transaction, read_committed ends before it", .timeLimit(.minutes(5)))
    func openTransaction() async throws {
        let source = try await topic("source")
        let results = try await topic("results")
        let (consumer, metadata) = try await member(unique("group"), source)
        let producer = try transactional(servers, id: unique("id"))
        try await producer.initialize()
        let partition = TopicPartition(results, 0)
        let admin = try admin()
        let offsets = try CommittedOffsets(
            settings: ClientSettings(properties: ["bootstrap.servers": servers]), group: unique("other"),
            timeout: .seconds(60)
        ) { _ in }
        let servers = self.servers
        let result = await producer.commit(work(results, [[1], [2]], source, offset: 1, metadata)) {
            // The records are written and nothing is committed yet.
            do {
                let marks = try await admin.watermarks(partition)
                #expect(marks.high == 2)
                let (ends, stable) = try await (admin.ends([partition]), offsets.stableEnds([partition]))
                #expect(ends == [partition: 2])
                #expect(stable == [partition: 0])
                #expect(try await contents(servers, partition).isEmpty)
            } catch {
                Issue.record(error)
            }
            return true
        }
        guard case .committed = result else {
            Issue.record("\(result)")
            return
        }
        #expect(try await contents(servers, partition).count == 2)
        #expect(try await admin.watermarks(partition).high == 3)
        let stable = try await offsets.stableEnds([partition])
        #expect(stable == [partition: 3])
        _ = await offsets.close(deadline: .seconds(60))
        _ = await admin.close(deadline: .seconds(60))
        _ = await producer.close(deadline: .seconds(60))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test("a record too large for its topic is named, and the producer goes on", .timeLimit(.minutes(5)))
    func tooLarge() async throws {
        let source = try await topic("source")
        let small = try await topic("small", ["max.message.bytes": "5000"])
        let (consumer, metadata) = try await member(unique("group"), source)
        let producer = try transactional(servers, id: unique("id"))
        try await producer.initialize()
        let noise = (0..<20_000).map { _ in UInt8.random(in: 0...255) }
        let result = await producer.commit(
            work(small, [[1], noise, [2]], source, offset: 1, metadata), mayStillCommit: { true })
        guard case .aborted(let error, let culprits) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(error?.code == .messageTooLarge)
        #expect(culprits.contains(1))
        // The library may purge the first records after such an abort; nothing of them is visible, and they go again.
        var next = TransactionalProducer.Result.aborted(nil, culprits: [])
        for _ in 0..<5 {
            next = await producer.commit(
                work(small, [[1]], source, offset: 1, metadata), mayStillCommit: { true })
            if case .committed = next { break }
        }
        guard case .committed = next else {
            Issue.record("\(next)")
            return
        }
        #expect(try await contents(servers, TopicPartition(small, 0)).map(\.value) == [[1]])
        _ = await producer.close(deadline: .seconds(60))
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test("an empty partition has an end, and one with markers only as well", .timeLimit(.minutes(5)))
    func emptyEnds() async throws {
        let topic = try await topic("empty")
        let consumer = try Consumer(settings: settings(servers, ["group.id": unique("g")]), maximumBatch: 10)
        try await consumer.assign([(TopicPartition(topic, 0), offset: .beginning)])
        let all = await events(of: consumer) { !ends(in: $0).isEmpty }
        #expect(ends(in: all).first?.1 == 0)
        #expect(await consumer.close(deadline: .seconds(60)))
    }

    @Test("a topic's description and configuration", .timeLimit(.minutes(5)))
    func descriptions() async throws {
        let name = try await topic("described", ["cleanup.policy": "compact"])
        let admin = try admin()
        #expect(try await admin.topics([name])[name]?.partitions.count == 1)
        #expect(try await admin.topics([unique("missing")]).isEmpty)
        #expect(try await admin.configuration(ofTopic: name)["cleanup.policy"] == "compact")
        let broker = try #require(try await admin.brokers().first)
        #expect(try await admin.configuration(ofBroker: broker.id)["offsets.retention.minutes"] != nil)
        let again = try await admin.createTopics([NewTopic(name: name, partitions: 1, replicationFactor: 1)])
        #expect(again[name]?.code == .topicAlreadyExists)
        #expect(try await admin.deleteTopics([name]).isEmpty)
        _ = await admin.close(deadline: .seconds(60))
    }
}
