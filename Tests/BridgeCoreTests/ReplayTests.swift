import Records
import Testing

@testable import BridgeCore

/// The record of an event again, as a replay of a dead letter.
func replay(
    _ id: String, offset: Int64, generation: Int32 = 1, nonce: UInt64, finding: Replay.Finding? = nil,
    campaign: String = "cd-1"
) -> DecodedRecord {
    var replay = event(id, offset: offset, campaign: campaign)
    replay.replay = Replay(generation: generation, nonce: nonce, finding: finding)
    return replay
}

@Suite("L9: replays", .timeLimit(.minutes(5)))
struct ReplayTests {
    private static let nonce: UInt64 = 77
    private static let notFound = Rejection(status: 404, message: "no such campaign")

    /// A replica whose ledger says that event "e" ended as a dead letter.
    private func after(_ reason: DeadLetterReason) -> Harness {
        .owning(ledger: [.init(record: event("e", offset: 3), state: .deadLettered(reason, nonce: Self.nonce))])
    }

    @Test("A replay of a safe dead letter is called, at its own generation")
    func safe() throws {
        let harness = after(.rejected)
        let call = try #require(harness.call(replay("e", offset: 10, nonce: Self.nonce)))
        harness.answer(call, active)
        let plan = try #require(harness.commit())
        #expect(plan.writes.map(\.entry.generation) == [1])
        #expect(plan.kinds == ["started in-1"])
        #expect(harness.results.map(\.generation) == [1])
    }

    @Test("Two replays of one dead letter give one start")
    func twoOperators() throws {
        let harness = after(.rejected)
        harness.admit(replay("e", offset: 10, nonce: Self.nonce), replay("e", offset: 11, nonce: Self.nonce))
        harness.commit()
        let calls = harness.calls()
        #expect(calls.count == 1)
        harness.answer(calls[0], active)
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"])
        #expect(harness.groupOffsets[0] == 12)
    }

    @Test("A second replay that comes after the first has failed needs the new dead letter's nonce")
    func secondGeneration() throws {
        let harness = after(.rejected)
        let call = try #require(harness.call(replay("e", offset: 10, nonce: Self.nonce)))
        harness.answer(call, .rejected(Self.notFound))
        harness.commit()
        guard case .deadLetter(.rejected, _, let nonce) = harness.results[0].outcome else {
            Issue.record("no dead letter")
            return
        }
        harness.admit(replay("e", offset: 11, nonce: Self.nonce))
        harness.admit(replay("e", offset: 12, generation: 2, nonce: Self.nonce))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead rejected", "dead replay-refused"])
        #expect(harness.call(replay("e", offset: 13, generation: 2, nonce: nonce)) != nil)
    }

    @Test(
        "What does not answer the last dead letter is refused",
        arguments: [(Int32(1), UInt64(78)), (Int32(2), UInt64(77)), (Int32(3), UInt64(77))])
    func wrong(generation: Int32, nonce: UInt64) {
        let harness = after(.rejected)
        #expect(harness.call(replay("e", offset: 10, generation: generation, nonce: nonce)) == nil)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
        #expect(harness.results[0].entryKey == EventIdentity.position(of: harness.results[0].event.record).key)
        #expect(harness.groupOffsets[0] == 11)
    }

    @Test("An unknown needs a finding", arguments: [DeadLetterReason.outcomeUnknown, .expiredOutsideWindow])
    func unknownNeedsFinding(reason: DeadLetterReason) {
        let harness = after(reason)
        #expect(harness.call(replay("e", offset: 10, nonce: Self.nonce)) == nil)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
        #expect(harness.call(replay("e", offset: 11, nonce: Self.nonce, finding: .notStarted)) != nil)
    }

    @Test("The finding that it was started becomes the started event, without a call")
    func foundStarted() {
        let harness = after(.outcomeUnknown)
        let found = replay("e", offset: 10, nonce: Self.nonce, finding: .started(instanceID: "in-7"))
        #expect(harness.call(found) == nil)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-7 operator"])
        #expect(harness.call(replay("e", offset: 11, generation: 2, nonce: Self.nonce, finding: .notStarted)) == nil)
        harness.commitAll()
        #expect(harness.results.count == 1, "started is final at every generation")
    }

    @Test("A finding that contradicts a late answer is refused, whether that came before or after the end")
    func contradiction() throws {
        let harness = after(.outcomeUnknown)
        harness.lateStart(of: event("e", offset: 3).identity.key)
        #expect(harness.call(replay("e", offset: 10, nonce: Self.nonce, finding: .notStarted)) == nil)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
        harness.admit(replay("e", offset: 11, nonce: Self.nonce, finding: .started(instanceID: nil)))
        harness.commitAll()
        #expect(harness.results.last?.summary == "started in-9 operator")
    }

    @Test("Where the ledger has forgotten the event, a replay needs a finding")
    func forgotten() throws {
        let harness = Harness.owning()
        #expect(harness.call(replay("e", offset: 10, nonce: Self.nonce)) == nil)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
        #expect(harness.call(replay("e", offset: 11, nonce: Self.nonce, finding: .notStarted)) != nil)
    }

    @Test("L4: a replay waits while the generation below is not finished, then is judged by its end")
    func waits() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e", offset: 0)))
        harness.admit(replay("e", offset: 1, nonce: Self.nonce))
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        harness.answer(call, active)
        harness.commitAll()
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"])
        #expect(harness.groupOffsets[0] == 2)
    }

    @Test("L4: a record below the identity's generation is finished")
    func below() throws {
        let harness = after(.rejected)
        let call = try #require(harness.call(replay("e", offset: 10, nonce: Self.nonce)))
        harness.revoke([0], isLost: true)
        harness.answer(call, refusedConnection)
        harness.assign([0])
        harness.groupOffsets[0] = 3
        harness.takeOver()
        harness.admit(event("e", offset: 3))
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        #expect(harness.results.isEmpty)
    }

    @Test("A late answer to a replay's attempt names its generation")
    func lateOfReplay() throws {
        let harness = after(.rejected)
        let call = try #require(harness.call(replay("e", offset: 10, nonce: Self.nonce)))
        harness.revoke([0], isLost: true)
        harness.answer(call, active)
        #expect(harness.lates.map(\.answer.generation) == [1])
    }

    @Test("The headers are read, and what is not proper is refused under the record's own place")
    func headers() {
        let original = event("e", offset: 0)
        func read(_ change: (inout [String: String]) -> Void) -> DecodedRecord {
            var names = [
                Replay.HeaderName.generation: "1", Replay.HeaderName.nonce: "4d",
                Replay.HeaderName.identity: String(decoding: original.identity.key, as: UTF8.self),
            ]
            change(&names)
            var record = original.record
            record.headers = names.sorted { $0.key < $1.key }.map { Header($0.key, $0.value) }
            return RequestDecoder().decode(record)
        }
        #expect(read { _ in }.replay == Replay(generation: 1, nonce: 77, finding: nil))
        #expect(
            read {
                $0[Replay.HeaderName.finding] = "started"
                $0[Replay.HeaderName.instanceID] = "in-1"
            }.replay?.finding == .started(instanceID: "in-1"))
        #expect(read { $0[Replay.HeaderName.finding] = "not-started" }.replay?.finding == .notStarted)
        let faults: [(inout [String: String]) -> Void] = [
            { $0[Replay.HeaderName.generation] = "0" }, { $0[Replay.HeaderName.generation] = nil },
            { $0[Replay.HeaderName.nonce] = "x" }, { $0[Replay.HeaderName.identity] = "[]" },
            { $0[Replay.HeaderName.identity] = #"["ce","/crm","another"]"# },
            { $0[Replay.HeaderName.finding] = "perhaps" },
        ]
        for fault in faults {
            let decoded = read(fault)
            #expect(decoded.replay == nil)
            #expect(decoded.identity.kind == .position)
            guard case .failure(let told) = decoded.content else {
                Issue.record("taken")
                continue
            }
            #expect(told.reason == .replayRefused)
        }
    }

    @Test("A replay goes by its old place where the event has no identity, and where it was refused for it")
    func byPlace() {
        let place = EventIdentity.position(of: record("{}", offset: 5))
        var again = event("e", offset: 9).record
        again.headers = [
            Header(Replay.HeaderName.generation, "1"), Header(Replay.HeaderName.nonce, "1"),
            Header(Replay.HeaderName.identity, String(decoding: place.key, as: UTF8.self)),
        ]
        #expect(RequestDecoder().decode(again).identity.key == place.key)
    }
}
