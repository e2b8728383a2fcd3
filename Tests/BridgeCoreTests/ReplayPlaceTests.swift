import Records
import Testing

@testable import BridgeCore

/// What the simulation found in replays and in what they rest on.
@Suite("Replays and their places", .timeLimit(.minutes(5)))
struct ReplayPlaceTests {
    private static let nonce: UInt64 = 77

    private func withHeaders(_ original: Record, _ identity: EventIdentity, finding: String?) -> DecodedRecord {
        var record = original
        record.headers = [
            Header(Replay.HeaderName.generation, "1"), Header(Replay.HeaderName.nonce, Hex.digits(Self.nonce)),
            Header(Replay.HeaderName.identity, String(decoding: identity.key, as: UTF8.self)),
        ]
        if let finding { record.headers.append(Header(Replay.HeaderName.finding, finding)) }
        return RequestDecoder().decode(record)
    }

    @Test("Of an event that was too large for its dead letter a person can say that it was started")
    func resolved() {
        let old = event("e", offset: 3)
        let harness = Harness.owning(ledger: [
            .init(record: old, state: .deadLettered(.outcomeUnknown, nonce: Self.nonce))
        ])
        harness.admit(withHeaders(record(nil, offset: 10), old.identity, finding: "started"))
        harness.admit(event("e", offset: 11))
        harness.commitAll()
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started - operator"])
        #expect(harness.groupOffsets[0] == 12, "the repeat is suppressed")
    }

    @Test("Where the ledger has forgotten such an event, its repeat is suppressed all the same")
    func resolvedForgotten() {
        let harness = Harness.owning()
        harness.admit(withHeaders(record(nil, offset: 10), event("e", offset: 3).identity, finding: "started"))
        harness.commitAll()
        harness.admit(event("e", offset: 11))
        harness.commitAll()
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started - operator"])
        #expect(harness.groupOffsets[0] == 12)
    }

    @Test("Such an event cannot be called again", arguments: [nil, "not-started"] as [String?])
    func notCalled(finding: String?) {
        let old = event("e", offset: 3)
        let harness = Harness.owning(ledger: [
            .init(record: old, state: .deadLettered(.outcomeUnknown, nonce: Self.nonce))
        ])
        harness.admit(withHeaders(record(nil, offset: 10), old.identity, finding: finding))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
    }

    @Test("A record in conflict that is read again while its replay is under way gets no second dead letter")
    func conflictUnderReplay() {
        let first = event("e", offset: 3)
        let other = event("e", offset: 4, campaign: "cd-2")
        let place = EventIdentity.position(of: other.record)
        let harness = Harness(partitions: 1)
        harness.seed(.init(record: first, state: .deadLettered(.rejected, nonce: 1)))
        guard case .success(let request) = other.content else {
            Issue.record("the event is not taken")
            return
        }
        let attempt = Attempt(
            number: 1, owner: "other", startedAt: startOfTime, tokenExpiry: startOfTime / 1000 + 40)
        let entry = LedgerEntry(generation: 1, sourceOffset: 9, scope: request.scope, state: .attempting(attempt))
        harness.ledger[0]?.append((place.key, LedgerWire.value(entry)))
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.admit(other)
        harness.commitAll()
        #expect(harness.results.isEmpty)
    }

    @Test(
        "A record that ended in conflict stays ended where the event of the conflict is gone from the source",
        arguments: [nil, .released(attempt: 1, cause: .refused), Harness.LedgerSeed.open("e", offset: 5).state]
            as [LedgerEntry.State?])
    func conflictOfAGoneEvent(later: LedgerEntry.State?) {
        let old = event("e", offset: 3)
        let place = EventIdentity.position(of: old.record)
        let harness = Harness(partitions: 1)
        let ended = LedgerEntry(
            generation: 0, sourceOffset: 3, scope: 1, state: .deadLettered(.identityConflict, nonce: 5))
        harness.ledger[0] = [(place.key, LedgerWire.value(ended))]
        // A repeat of it, which was taken up when the first of the identity was gone.
        if let later { harness.seed(.init(record: event("e", offset: 5), state: later)) }
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.admit(old)
        harness.wait(5000)
        harness.commitAll()
        #expect(harness.calls().isEmpty && harness.results.isEmpty)
        #expect(harness.groupOffsets[0] == 4)
    }

    @Test("A refused replay that is read again while its own replay ends gets no second dead letter")
    func refusedUnderReplay() {
        let invalid = RequestDecoder().decode(record("{", offset: 3))
        let refused = withHeaders(event("e", offset: 4).record, invalid.identity, finding: nil)
        let place = EventIdentity.position(of: refused.record)
        let harness = Harness.owning()
        // The ledger has forgotten both dead letters. The first replay waits behind its event, the second does not.
        harness.admit(invalid, refused, withHeaders(event("e", offset: 5).record, place, finding: "started"))
        harness.commitAll()
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead invalid-json", "started - operator"])
        #expect(harness.groupOffsets[0] == 6)
    }

    @Test("A replay of an invalid record waits for that record's own dead letter")
    func replayBehindInvalid() {
        let harness = Harness.owning()
        let invalid = RequestDecoder().decode(record("{", offset: 0))
        harness.admit(invalid)
        harness.admit(withHeaders(event("e", offset: 1).record, invalid.identity, finding: nil))
        harness.commitAll()
        #expect(Set(harness.results.map(\.summary)) == ["dead invalid-json", "dead replay-refused"])
    }

    @Test("A replay that was refused once stays refused, whatever is forgotten later")
    func refusedOnce() {
        let again = replay("e", offset: 10, nonce: Self.nonce, finding: .notStarted)
        let place = EventIdentity.position(of: again.record)
        let harness = Harness(partitions: 1)
        let entry = LedgerEntry(
            generation: 0, sourceOffset: 10, scope: 1, state: .deadLettered(.replayRefused, nonce: 5))
        harness.ledger[0] = [(place.key, LedgerWire.value(entry))]
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        #expect(harness.call(again) == nil)
        harness.wait(1000)
        harness.commitAll()
        #expect(harness.results.isEmpty)
        #expect(harness.groupOffsets[0] == 11)
    }

    @Test("A replay that was refused does not go on with the attempt of a later one of its generation")
    func refusedDoesNotAdopt() {
        let wrong = replay("e", offset: 10, nonce: 1)
        let right = replay("e", offset: 11, nonce: Self.nonce)
        let harness = Harness.owning(ledger: [
            .init(record: event("e", offset: 3), state: .deadLettered(.rejected, nonce: Self.nonce))
        ])
        harness.admit(wrong, right)
        harness.commitAll()
        let calls = harness.calls()
        #expect(calls.count == 1)
        harness.answer(calls[0], timeout)
        harness.groupOffsets[0] = 10
        let next = Harness(owner: "replica-1/b2")
        (next.ledger, next.groupOffsets) = (harness.ledger, harness.groupOffsets)
        next.machine.producerReady(at: next.now)
        next.assign([0])
        next.takeOver()
        next.admit(wrong, right)
        next.wait(200_000)
        _ = next.calls()
        for mark in next.doubtMarks() {
            next.machine.doubtMark(partition: 0, epoch: mark.epoch, high: next.readEnd, at: next.now)
        }
        next.commitAll()
        #expect(next.results.map(\.event.record.offset) == [11])
    }

    @Test("A replay of a dead letter whose commit is not known yet waits for it")
    func replayBeforeCommitIsTold() throws {
        let harness = Harness.owning()
        let refused = replay("e", offset: 0, nonce: 1)
        harness.admit(refused)
        let plan = try #require(harness.begin())
        harness.store(plan)
        let place = EventIdentity.position(of: refused.record)
        harness.admit(withHeaders(event("e", offset: 1).record, place, finding: "not-started"))
        harness.machine.transactionEnded(plan.id, .committed, at: harness.now)
        harness.commitAll()
        #expect(harness.calls().isEmpty, "what was refused cannot be replayed")
        #expect(harness.results.map(\.summary) == ["dead replay-refused", "dead replay-refused"])
    }

    @Test("A late answer that comes after a replay's intent was planned is looked at before its call")
    func lateBeforeCall() throws {
        let harness = Harness.owning(ledger: [
            .init(record: event("e", offset: 3), state: .deadLettered(.outcomeUnknown, nonce: Self.nonce))
        ])
        harness.admit(replay("e", offset: 10, nonce: Self.nonce, finding: .notStarted))
        let plan = try #require(harness.begin())
        #expect(plan.kinds == ["attempting 1"])
        harness.lateStart(of: event("e", offset: 3).identity.key)
        harness.end(plan, .committed)
        #expect(harness.calls().isEmpty)
        harness.commitAll()
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        #expect(harness.results.map(\.summary) == ["dead replay-refused"])
    }

    @Test("A late answer that comes after a replay was taken up is looked at before its intent")
    func lateBeforeIntent() throws {
        let harness = Harness.owning(ledger: [
            .init(record: event("e", offset: 3), state: .deadLettered(.outcomeUnknown, nonce: Self.nonce))
        ])
        let call = try #require(harness.call(event("x", offset: 9)))
        harness.admit(replay("e", offset: 10, nonce: Self.nonce, finding: .notStarted))
        harness.lateStart(of: event("e", offset: 3).identity.key)
        harness.answer(call, active)
        harness.commitAll()
        // What the lane let through and was refused then is written with the next transaction.
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        #expect(harness.results.map(\.summary) == ["started in-1 answer", "dead replay-refused"])
        harness.admit(event("y", offset: 11))
        harness.commitAll()
        #expect(harness.calls().count == 1, "its campaign goes on")
    }

    @Test(
        "What is too old for the ledger's memory of its repeats is not safe to replay",
        arguments: [
            (Int64(86_400_000 + 3_600_000), "dead expired"),
            (Int64(86_400_000 + 3_600_001), "dead expired-outside-window"),
        ])
    func tooOld(age: Int64, ends: String) {
        let harness = Harness.owning()
        harness.wait(age)
        harness.admit(event("e", offset: 0))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == [ends])
    }

    @Test("An expired event of a stream that nobody serves is expired first: its dead letter could not be safe")
    func expiredFirst() {
        let harness = Harness.owning(
            connections: [.init(name: "main", streams: ["st-1"], accountID: "acc-1", requestsPerMinute: 0)])
        harness.wait(7 * 86_400_000)
        harness.admit(event("e", offset: 0, stream: "st-9"))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead expired-outside-window"])
    }
}

@Suite("What a broker left open", .timeLimit(.minutes(5)))
struct SettlingTests {
    @Test("It is settled after partitions were given up: their next owner waits for it")
    func afterGivingUp() throws {
        let harness = Harness.owning([0, 1]) { $0.settledPartitions = 2 }
        #expect(harness.commit()?.settles == 2)
        #expect(harness.commit() == nil)
        harness.revoke([1])
        #expect(harness.finishedRevokes().count == 1)
        #expect(harness.commit()?.settles == 2)
        #expect(harness.commit() == nil)
    }

    @Test("It is settled when an own doubt cannot read the ledger to its mark")
    func doubtThatCannotRead() throws {
        let harness = Harness.owning { $0.settledPartitions = 1 }
        harness.commit()
        let call = try #require(harness.call(event("e", offset: 0)))
        harness.answer(call, timeout)
        harness.wait(60_000)
        _ = harness.calls()
        let mark = try #require(harness.doubtMarks().first)
        harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: 100, at: harness.now)
        #expect(harness.begin() == nil)
        harness.wait(20_001)
        _ = harness.calls()
        #expect(harness.commit()?.settles == 1)
        harness.machine.ledgerEnd(partition: 0, offset: 100, at: harness.now)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
    }
}
