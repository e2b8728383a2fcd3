import BridgeCore
import Records
import Testing

@testable import Operations

@Suite("Replays", .timeLimit(.minutes(5)))
struct ReplayTests {
    private let plain = ReplayOrder(operatorName: "ann", because: "fixed")
    private let notStarted = ReplayOrder(operatorName: "ann", because: "seen", finding: .notStarted)
    private let started = ReplayOrder(operatorName: "ann", because: "seen", finding: .started(instanceID: "ci-9"))

    private func replay(_ record: Record, _ order: ReplayOrder) throws -> OutgoingRecord? {
        let letter = try #require(Sample.read(record))
        return ReplayRecord.make(letter, of: record, order: order, sourceTopic: Sample.source)
    }

    @Test("The original record, byte for byte, to its own partition, with what the rule of replays needs")
    func record() throws {
        let odd = [Header(name: [0xff], value: nil), Header(name: [0x61], value: []), Header(name: [0x61], value: [0])]
        // What an earlier replay left on the request is replaced, not piled up.
        let old = [Header("campaign-bridge-replay-nonce", "old"), Header("kafka_dlt-original-topic", "x")]
        let request = Sample.request("order-1", headers: odd + old)
        let made = try replay(Sample.letter(request, .rejected, generation: 4), plain)
        let replay = try #require(made)
        #expect(replay.topic == "requests" && replay.partition == 3)
        #expect(replay.key == request.key && replay.value == request.value)
        #expect(Array(replay.headers.prefix(4)) == [Header("content-type", "application/cloudevents+json")] + odd)
        #expect(replay.headers.count == 9)
        #expect(replay.headers.text("campaign-bridge-replay-generation") == "5")
        #expect(replay.headers.text("campaign-bridge-replay-nonce") == "0123456789abcdef")
        #expect(replay.headers.text("campaign-bridge-replay-identity") == #"["ce","/crm","order-1"]"#)
        #expect(replay.headers.text("campaign-bridge-replay-operator") == "ann")
        #expect(replay.headers.text("campaign-bridge-replay-reason") == "fixed")
    }

    @Test("A record without key or value stays without")
    func nulls() throws {
        let request = Record(topic: "requests", partition: 3, offset: 1, timestamp: Sample.now, key: nil, value: nil)
        let replay = try #require(try replay(Sample.letter(request, .emptyRecord), plain))
        #expect(replay.key == nil && replay.value == nil)
    }

    @Test("A finding goes along, and an instance id only with started")
    func findings() throws {
        let record = Sample.letter(Sample.request("order-1"), .outcomeUnknown)
        let no = try #require(try replay(record, notStarted))
        #expect(no.headers.text("campaign-bridge-replay-finding") == "not-started")
        #expect(no.headers.text("campaign-bridge-replay-instance-id") == nil)
        let yes = try #require(try replay(record, started))
        #expect(yes.headers.text("campaign-bridge-replay-finding") == "started")
        #expect(yes.headers.text("campaign-bridge-replay-instance-id") == "ci-9")
    }

    @Test("What may not be replayed is not")
    func refusals() throws {
        let request = Sample.request("order-1")
        let unknown = Sample.letter(request, .outcomeUnknown)
        #expect(try replay(unknown, plain) == nil)
        let cut = Sample.letter(request, .rejected, changes: ["omitted": "value"])
        #expect(try replay(cut, plain) == nil)
        #expect(try replay(cut, notStarted) == nil)
        #expect(try replay(cut, started) != nil)
        for changes: [String: String?] in [
            ["reason": "replay-refused", "class": "refused"], ["nonce": nil], ["identity-key": nil],
            ["generation": nil], ["generation": "2147483647"], ["source-topic": "elsewhere"], ["source-offset": nil],
        ] {
            let record = Sample.letter(request, .rejected, changes: changes)
            for order in [plain, notStarted, started] {
                #expect(try replay(record, order) == nil, "\(changes)")
            }
        }
    }

    @Test("A selection counts what it passes over, and why")
    func selection() throws {
        var selection = ReplaySelection(order: plain, sourceTopic: Sample.source, now: Sample.now)
        func add(_ id: String, _ reason: DeadLetterReason, _ offset: Int64, _ change: [String: String?] = [:]) throws {
            let past = id == "old" ? #","expirytime":"2026-01-31T09:00:00Z""# : ""
            let record = Sample.letter(
                Sample.request(id, more: past), reason, at: LetterPlace(partition: 0, offset: offset), changes: change)
            selection.add(try #require(Sample.read(record)), isWanted: true)
        }
        try add("a", .rejected, 9)
        try add("b", .expired, 2)
        try add("c", .outcomeUnknown, 3)
        try add("d", .rejected, 4, ["omitted": "value"])
        try add("e", .rejected, 5, ["reason": "replay-refused"])
        try add("f", .rejected, 6, ["nonce": nil])
        try add("g", .rejected, 7, ["source-topic": "elsewhere"])
        try add("old", .expired, 8)
        let (places, reasons) = selection.finish()
        #expect(places == [LetterPlace(partition: 0, offset: 2), LetterPlace(partition: 0, offset: 9)])
        #expect(reasons == ["rejected": 1, "expired": 1])
        let expected: [ReplaySelection.Skip: Int] = [
            .needsFinding: 1, .notWhole: 1, .replayRefused: 1, .incomplete: 1, .otherSource: 1, .expired: 1,
        ]
        #expect(selection.skipped == expected)
    }

    @Test("Of an event with several dead letters only the latest is chosen, whichever order they come in")
    func latest() throws {
        for isTurned in [false, true] {
            var selection = ReplaySelection(order: plain, sourceTopic: Sample.source, now: Sample.now)
            let request = Sample.request("order-1")
            var records = [
                Sample.letter(request, .rejected, at: LetterPlace(partition: 0, offset: 1)),
                Sample.letter(request, .rejected, at: LetterPlace(partition: 0, offset: 2), generation: 1),
                // The answer to a refused replay says nothing of the event.
                Sample.letter(
                    request, .rejected, at: LetterPlace(partition: 0, offset: 3), generation: 2,
                    changes: ["reason": "replay-refused"]),
            ]
            if isTurned { records.reverse() }
            for record in records { selection.add(try #require(DeadLetter(record)), isWanted: record.offset != 3) }
            let places = selection.finish().places
            #expect(places == [LetterPlace(partition: 0, offset: 2)])
            #expect(selection.skipped == [.replayed: 1])
        }
    }

    @Test("A later dead letter that the filter does not want still says that the earlier one was replayed")
    func unwantedLater() throws {
        var selection = ReplaySelection(order: plain, sourceTopic: Sample.source, now: Sample.now)
        let request = Sample.request("order-1")
        let first = Sample.letter(request, .rejected, at: LetterPlace(partition: 0, offset: 1))
        let second = Sample.letter(request, .outcomeUnknown, at: LetterPlace(partition: 0, offset: 2), generation: 1)
        selection.add(try #require(DeadLetter(first)), isWanted: true)
        selection.add(try #require(DeadLetter(second)), isWanted: false)
        #expect(selection.finish().places.isEmpty)
    }

    @Test("More than can be held is said")
    func capacity() throws {
        var selection = ReplaySelection(order: plain, sourceTopic: Sample.source, now: Sample.now, capacity: 1)
        let letter = try #require(DeadLetter(Sample.letter(Sample.request("a"), .rejected)))
        selection.add(letter, isWanted: true)
        #expect(!selection.isFull)
        selection.add(letter, isWanted: true)
        #expect(selection.isFull)
    }

    @Test("The pace is kept over time, also where sending took time of its own")
    func pace() {
        var slow = Pace(rate: 10)
        #expect(slow.batch == 1)
        #expect(slow.sent(1, elapsed: 0) == 100)
        #expect(slow.sent(1, elapsed: 150) == 50)
        #expect(slow.sent(1, elapsed: 900) == 0)
        #expect(Pace(rate: 1000).batch == 100)
    }
}
