import BridgeCore
import Records
import Testing

@testable import Operations

@Suite("The story of one event", .timeLimit(.minutes(5)))
struct StoryTests {
    private let attempt = Attempt(
        number: 1, owner: "r1/a", startedAt: Sample.now, tokenExpiry: 1_769_851_840, serial: 1)

    private func collect(_ records: [Record], _ query: StoryQuery = StoryQuery(id: "order-1")) -> StoryCollector {
        var collector = StoryCollector(query, topics: Sample.topics, decoder: Sample.decoder)
        for record in records { collector.take(record) }
        return collector
    }

    private func state(_ records: [Record], at now: Int64 = Sample.now) throws -> StoryState {
        let stories = collect(records).sorted
        let story = try #require(stories.first)
        return StoryState(of: story, sourceTopic: Sample.source, settleTime: 5000, at: now)
    }

    private func started(_ id: String) -> Record {
        let requestID = EventIdentity.cloudEvent(source: "/crm", id: id).requestID
        let value = """
            {"specversion":"1.0","id":"started-\(requestID)-0","data":{"requestId":"\(id)","requestSource":"/crm",\
            "streamId":"st-1","campaignId":"cd-1","campaignInstanceId":"ci-1","status":"Active","evidence":"answer"}}
            """
        return Record(
            topic: "started", partition: 0, offset: 1, timestamp: Sample.now + 5, key: nil, value: Array(value.utf8))
    }

    @Test("What the topics tell comes in the order of time, whatever order they were read in")
    func order() throws {
        let records = [
            Sample.entry("order-1", .attempting(attempt), offset: 1),
            Sample.entry("order-1", .released(attempt: 1, cause: .refused), offset: 2),
            Sample.entry("order-1", .attempting(attempt), offset: 3),
            Sample.entry("order-1", .started(instanceID: "ci-1"), offset: 5),
            started("order-1"), Sample.request("order-1"), Sample.request("order-2"),
            Sample.entry("order-2", .started(instanceID: nil), offset: 4),
        ]
        let collector = collect(records)
        #expect(collector.sorted.count == 1 && collector.ledgerOffsets == [3: 1042])
        let story = try #require(collector.sorted.first)
        #expect(
            story.facts.map(\.kind) == [
                .request, .attempting, .released, .attempting, .entryStarted, .started,
            ])
        #expect(story.source == "/crm" && story.streamID == "st-1" && story.campaignID == "cd-1")
        let state = try state(records)
        #expect(state.name == .started && state.now.contains("ci-1"))
    }

    @Test("By event id, by request id, by source and id")
    func queries() {
        let records = [Sample.request("order-1"), Sample.entry("order-1", .started(instanceID: nil), offset: 1)]
        let requestID = EventIdentity.cloudEvent(source: "/crm", id: "order-1").requestID
        #expect(collect(records, StoryQuery(id: requestID)).sorted.count == 1)
        #expect(collect(records, StoryQuery(source: "/crm", id: "order-1")).sorted.count == 1)
        #expect(collect(records, StoryQuery(source: "/crm/", id: "order-1")).isEmpty)
        #expect(collect(records, StoryQuery(id: "order")).isEmpty)
    }

    @Test("Each last entry has its words for now and next")
    func states() throws {
        let request = Sample.request("order-1")
        let letter = Sample.letter(request, .outcomeUnknown)
        let waiting = try state([request])
        #expect(waiting.name == .waiting)
        let attempting = [request, Sample.entry("order-1", .attempting(attempt), offset: 1)]
        let open = try state(attempting)
        #expect(open.name == .attempting && open.next.contains("2026-01-31T09:30:45"))
        let overdue = try state(attempting, at: Sample.now + 60_000)
        #expect(overdue.next.contains("outcome-unknown"))
        let released = try state([request, Sample.entry("order-1", .released(attempt: 1, cause: .notSent), offset: 1)])
        #expect(released.name == .released)
        let dead = Sample.entry("order-1", .deadLettered(.outcomeUnknown, nonce: 1), offset: 2)
        let unknown = try state([request, dead, letter])
        #expect(unknown.name == .deadLettered && unknown.next.contains("resolve 1:7"))
        let forgotten = try state([letter])
        #expect(forgotten.name == .forgotten && forgotten.next.contains("finding"))
        let past = try state([started("order-1")])
        #expect(past.name == .forgotten)
    }

    @Test("A replay that the ledger does not show yet waits, one that it shows does not")
    func replays() throws {
        let request = Sample.request("order-1")
        let record = Sample.letter(request, .rejected)
        let letter = try #require(Sample.read(record))
        let order = ReplayOrder(operatorName: "ann", because: "fixed")
        let made = ReplayRecord.make(letter, of: record, order: order, sourceTopic: Sample.source)
        let replay = try #require(made)
        let written = Record(
            topic: replay.topic, partition: 3, offset: 2000, timestamp: Sample.now + 9000, key: replay.key,
            value: replay.value, headers: replay.headers)
        let dead = Sample.entry("order-1", .deadLettered(.rejected, nonce: 1), offset: 2)
        let waits = try state([request, dead, record, written])
        #expect(waits.name == .replayed)
        let story = try #require(collect([request, dead, record, written]).sorted.first)
        #expect(story.facts.last?.text == "replay written (generation 1) by ann, because: fixed")
        let done = Sample.entry("order-1", .deadLettered(.rejected, nonce: 2), offset: 4, generation: 1)
        let over = try state([request, dead, record, written, done])
        #expect(over.name == .deadLettered)
    }

    @Test("A late answer that says started is told, and what it means for a finding")
    func late() throws {
        let identity = EventIdentity.cloudEvent(source: "/crm", id: "order-1")
        let answer = LateAnswer(
            identityKey: identity.key, generation: 0, attempt: 1, owner: "r1/a", serial: 1,
            result: .started(StartAnswer(instanceID: "ci-1")))
        let record = Record(
            topic: "ledger", partition: 3, offset: 9, timestamp: Sample.now + 9, key: LedgerWire.key(answer),
            value: LedgerWire.value(answer))
        let dead = Sample.entry("order-1", .deadLettered(.outcomeUnknown, nonce: 1), offset: 2)
        let state = try state([
            Sample.request("order-1"), dead, record, Sample.letter(Sample.request("order-1"), .outcomeUnknown),
        ])
        #expect(state.next.contains("not-started is refused"))
    }

    @Test("A record in conflict with the event is told, and is not the event's own dead letter")
    func conflict() throws {
        let request = Sample.request("order-1")
        let place = EventIdentity.position(of: request).key
        let letter = Sample.letter(
            request, .identityConflict, changes: ["identity-key": String(decoding: place, as: UTF8.self)])
        let entry = Sample.entry("order-1", .started(instanceID: "ci-1"), offset: 1)
        let story = try #require(collect([entry, letter]).sorted.first)
        #expect(story.letter == nil && story.facts.last?.text.contains("another record") == true)
        #expect(try state([entry, letter]).name == .started)
    }

    @Test("A record that was moved is told at its original place, and once")
    func moved() throws {
        var topics = Sample.topics
        topics.intake = "intake"
        let request = Sample.request("order-1")
        let moved = Record(
            topic: "intake", partition: 0, offset: 5, timestamp: Sample.now + 100, key: request.key,
            value: request.value, headers: request.headers + IntakeOrigin(of: request).headers)
        let mark = Record(
            topic: "intake", partition: 0, offset: 6, timestamp: Sample.now, key: nil, value: nil,
            headers: [Header("campaign-bridge-intake-mark", "1")])
        var collector = StoryCollector(StoryQuery(id: "order-1"), topics: topics, decoder: Sample.decoder)
        // The ledger's partitions and offsets are the intake's, a dead letter's are the source's.
        for record in [Sample.letter(request, .rejected), mark, moved, request] { collector.take(record) }
        let story = try #require(collector.sorted.first)
        #expect(story.facts.map(\.kind) == [.request, .deadLetter])
        let first = try #require(story.facts.first)
        #expect(first.topic == Sample.source && first.partition == 3 && first.offset == 1042)
        #expect(first.time == Sample.now && first.text == "request written; moved to intake 0:5")
        #expect(collector.ledgerOffsets == [:])
        collector.take(Sample.entry("order-1", .released(attempt: 1, cause: .refused), offset: 1))
        #expect(collector.ledgerOffsets == [3: 1042])
    }

    @Test("Of very many records the first are told and the others counted")
    func bounds() throws {
        let records = (0..<Int64(Story.maximumFacts + 5)).map { Sample.request("order-1", offset: $0) }
        let story = try #require(collect(records).sorted.first)
        #expect(story.facts.count == Story.maximumFacts && story.omitted == 5)
        let many = (0..<25).map { number in
            Record(
                topic: "requests", partition: 0, offset: Int64(number), timestamp: 1, key: nil,
                value: Array(
                    #"{"specversion":"1.0","id":"x","source":"/\#(number)","type":"t","data":{}}"#.utf8))
        }
        let collector = collect(many, StoryQuery(id: "x"))
        #expect(collector.sorted.count == 20 && collector.omitted == 5)
    }
}
