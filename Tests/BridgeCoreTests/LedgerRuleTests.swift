import Records
import Testing

@testable import BridgeCore

/// The rules of the ledger (design, section 2), each by the machine's actions.
@Suite("Rules of the ledger", .timeLimit(.minutes(5)))
struct LedgerRuleTests {
    @Test("The call comes only after the transaction with its intent has committed")
    func intentFirst() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        #expect(harness.calls().isEmpty)
        let plan = try #require(harness.begin())
        #expect(plan.kinds == ["attempting 1"])
        #expect(harness.calls().isEmpty)
        #expect(harness.begin() == nil, "one transaction at a time")
        harness.end(plan, .committed)
        let call = try #require(harness.calls().first)
        #expect(call.attempt.number == 1)
        #expect(harness.calls().isEmpty)
    }

    @Test("L1: a transaction is bound to its assignment; a new one, a lost partition or stale news end it")
    func boundToAssignment() throws {
        let harness = Harness.owning([0, 1])
        harness.admit(event("e1", offset: 0))
        let first = try #require(harness.begin())
        #expect(first.assignment == 1)
        #expect(harness.mayStillCommit(first.id))
        #expect(!harness.mayStillCommit(first.id + 1))
        harness.assign([])
        #expect(!harness.mayStillCommit(first.id), "the group has a new generation")
        harness.end(first, .aborted(culprits: [], groupIsStale: false))

        let second = try #require(harness.begin(), "what is still owned is done again")
        #expect(second.assignment == 2)
        #expect(second.kinds == ["attempting 1"])
        harness.revoke([0], isLost: true)
        #expect(!harness.mayStillCommit(second.id), "its partition is lost")
        harness.end(second, .aborted(culprits: [], groupIsStale: true))

        harness.machine.admit([event("e2", offset: 0, partition: 1)], partition: 1, at: harness.now)
        #expect(harness.begin() == nil, "after an illegal generation nothing begins")
        harness.assign([])
        #expect(harness.begin() != nil, "until the group has told the news")
    }

    @Test("L1: a partition that was lost and regained while a transaction was open ends that transaction")
    func regainedWhileOpen() throws {
        let harness = Harness.owning([0])
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.revoke([0], isLost: true)
        harness.assign([0])
        #expect(!harness.mayStillCommit(plan.id))
    }

    @Test("L2: each partition with a write sends its offset, moved or not, and the others only what moved")
    func offsetsAreTheFence() throws {
        let harness = Harness.owning([0, 1, 2])
        harness.admit(event("e1", offset: 5))
        harness.machine.admit([event("e2", offset: 3, partition: 1, campaign: "cd-2")], partition: 1, at: harness.now)
        let plan = try #require(harness.begin())
        // Nothing is finished: the offsets are those of the records themselves.
        #expect(plan.offsets == [0: 5, 1: 3])
        harness.end(plan, .committed)
        for call in harness.calls() { harness.answer(call, active) }
        let outcomes = try #require(harness.commit())
        #expect(outcomes.offsets == [0: 6, 1: 4])
        #expect(harness.groupOffsets == [0: 6, 1: 4])
    }

    @Test("L2: the watermark never passes an unfinished record")
    func watermarkIsContiguous() throws {
        let harness = Harness.owning()
        harness.admit(event("a", offset: 0, campaign: "cd-1"), event("b", offset: 1, campaign: "cd-2"))
        harness.commit()
        let calls = harness.calls()
        try #require(calls.count == 2)
        let second = try #require(calls.first { $0.call.campaignID == "cd-2" })
        harness.answer(second, active)
        #expect(harness.commit()?.offsets == [0: 0])
        let first = try #require(calls.first { $0.call.campaignID == "cd-1" })
        harness.answer(first, active)
        #expect(harness.commit()?.offsets == [0: 2])
    }

    @Test("L3: an answer after the partition is lost becomes a late answer, and the next owner's outcome")
    func lateAnswer() throws {
        let old = Harness.owning()
        let call = try #require(old.call(event("e1", offset: 0)))
        old.revoke([0], isLost: true)
        #expect(old.lates.isEmpty)
        old.answer(call, active)
        let late = try #require(old.lates.first)
        #expect(late.answer.attempt == 1 && late.answer.owner == Harness.owner)
        #expect(late.answer.result == .started(StartAnswer(instanceID: "in-1", status: "Active")))

        let new = Harness(owner: "replica-1/b2")
        new.ledger = old.ledger
        new.machine.producerReady(at: new.now)
        new.assign([0])
        new.takeOver()
        new.admit(event("e1", offset: 0))
        #expect(new.commit() == nil && new.calls().isEmpty, "in doubt: nothing is called or decided")
        new.write(late)
        new.tail(0)
        #expect(new.commit()?.kinds == ["started in-1"])
        #expect(new.results.map(\.summary) == ["started in-1 answer"])
    }

    @Test(
        "L3: a late answer that does not fit exactly the attempt changes nothing",
        arguments: [
            LateAnswer(
                identityKey: event("e1", offset: 0).identity.key, generation: 0, attempt: 2, owner: "other/1",
                serial: 0,
                result: .started(StartAnswer(instanceID: "in-9"))),
            LateAnswer(
                identityKey: event("e1", offset: 0).identity.key, generation: 1, attempt: 1, owner: "other/1",
                serial: 0,
                result: .started(StartAnswer(instanceID: "in-9"))),
            LateAnswer(
                identityKey: event("e1", offset: 0).identity.key, generation: 0, attempt: 1, owner: "other/2",
                serial: 0,
                result: .started(StartAnswer(instanceID: "in-9"))),
            LateAnswer(
                identityKey: event("e2", offset: 0).identity.key, generation: 0, attempt: 1, owner: "other/1",
                serial: 0,
                result: .started(StartAnswer(instanceID: "in-9"))),
        ])
    func lateThatDoesNotFit(late: LateAnswer) {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        harness.admit(event("e1", offset: 0))
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: late))
        harness.tail(0)
        #expect(harness.commit() == nil)
        harness.decide(0)
        #expect(harness.commit()?.kinds == ["dead outcome-unknown"])
    }

    @Test("L3: a late word on an intent that was aborted does not stand for the next intent of its number")
    func lateOfAbortedIntent() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.revoke([0], isLost: true)
        harness.collect()
        harness.end(plan, .aborted(culprits: [], groupIsStale: false))
        let late = try #require(harness.lates.first)
        harness.assign([0])
        harness.takeOver()
        let call = try #require(harness.call(event("e1", offset: 0)))
        #expect(call.attempt.number == late.answer.attempt && call.attempt.owner == late.answer.owner)
        harness.answer(call, timeout)
        harness.write(late)
        harness.tail(0)
        #expect(harness.commit() == nil, "still in doubt")
    }

    @Test("L3: after a terminal entry a late answer changes nothing")
    func lateAfterTerminal() {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        harness.admit(event("e1", offset: 0))
        harness.decide(0)
        harness.commit()
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: .toFirst("e1")))
        harness.tail(0)
        #expect(harness.commit() == nil)
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
    }

    @Test("L3: a doubt is decided only when the ledger has been read to an end taken after the wait")
    func markAfterTheWait() {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        harness.admit(event("e1", offset: 0))
        harness.tail(0)
        #expect(harness.doubtMarks().isEmpty, "not before the lease has ended")
        harness.wait(100_000)
        _ = harness.calls()
        let asked = harness.doubtMarks()
        #expect(asked.map(\.partition) == [0])
        #expect(harness.doubtMarks().isEmpty, "asked once")
        #expect(harness.commit() == nil)
        // A late answer stands before the end: it must be read first.
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: .toFirst("e1")))
        harness.machine.doubtMark(
            partition: 0, epoch: asked[0].epoch, high: harness.marks(of: 0).ledgerHigh, at: harness.now)
        #expect(harness.commit() == nil)
        harness.tail(0)
        #expect(harness.commit()?.kinds == ["started in-1"])
    }

    @Test("L3: an end of the ledger that could not be had is asked for again")
    func markAgain() {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        harness.admit(event("e1", offset: 0))
        harness.wait(100_000)
        _ = harness.calls()
        let asked = harness.doubtMarks()
        harness.machine.doubtMark(partition: 0, epoch: asked.first?.epoch ?? 0, high: nil, at: harness.now)
        #expect(harness.commit() == nil)
        #expect(harness.doubtMarks().count == 1)
    }

    @Test("L4: a record met again at its own offset is finished, at another one it is a duplicate")
    func metAgain() {
        let seeds: [Harness.LedgerSeed] = [
            .init(record: event("e1", offset: 4), state: .started(instanceID: "in-1")),
            .init(record: event("e2", offset: 5), state: .deadLettered(.rejected, nonce: 7)),
        ]
        let harness = Harness.owning(ledger: seeds)
        harness.admit(
            event("e1", offset: 4), event("e2", offset: 5), event("e1", offset: 6), event("e2", offset: 7))
        var again: [Int64] = []
        var duplicates: [Int64] = []
        for note in harness.notes {
            if case .alreadyFinished(let event) = note { again.append(event.offset) }
            if case .suppressed(let event, _) = note { duplicates.append(event.offset) }
        }
        #expect(again == [4, 5])
        #expect(duplicates == [6, 7])
        harness.wait(5000)
        #expect(harness.commit()?.offsets == [0: 8])
        #expect(harness.calls().isEmpty && harness.results.isEmpty)
    }

    @Test("L4: an entry of a lower generation is finished by one of a higher")
    func lowerGeneration() {
        var index = LedgerIndex()
        let hash = KeyHash(high: 1, low: 2)
        let dead = LedgerEntry(generation: 1, sourceOffset: 9, scope: 3, state: .deadLettered(.rejected, nonce: 5))
        index.apply(hash, dead, key: [])
        index.apply(
            hash, LedgerEntry(generation: 0, sourceOffset: 1, scope: 3, state: .released(attempt: 1, cause: .refused)),
            key: [])
        #expect(index[hash] == dead)
    }

    @Test("L8: the effective expiry is the earlier of the event's own and its record's time + maximum age")
    func effectiveExpiry() throws {
        let harness = Harness.owning { $0.maximumAge = 3_600_000 }
        harness.admit(
            event("own", offset: 0, campaign: "cd-1", extra: #","expiresAt":"2025-10-09T09:00:00Z""#),
            event("age", offset: 1, campaign: "cd-2", extra: #","expiresAt":"2025-10-30T00:00:00Z""#),
            event("none", offset: 2, campaign: "cd-3"))
        let requests = try #require(harness.machine.partitions[0]?.requests)
        #expect(requests[0]?.expiry == 1_760_000_400_000)
        #expect(requests[1]?.expiry == startOfTime + 3_600_000)
        #expect(requests[2]?.expiry == startOfTime + 3_600_000)
    }

    @Test(
        "L8: a record time of -1, before 2000 or far in the future is no time",
        arguments: [nil, -1, 0, 946_684_799_999, startOfTime + 3_600_001] as [Int64?])
    func unusableTime(timestamp: Int64?) {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0, timestamp: timestamp))
        #expect(harness.commit()?.kinds == ["dead unusable-time"])
        #expect(harness.calls().isEmpty)
    }
}

extension Harness.LedgerSeed {
    /// An attempt of another replica without an end.
    static func open(_ id: String, offset: Int64, number: Int32 = 1) -> Harness.LedgerSeed {
        .init(
            record: BridgeCoreTests.event(id, offset: offset),
            state: .attempting(
                Attempt(
                    number: number, owner: "other/1", startedAt: startOfTime - 1000,
                    tokenExpiry: startOfTime / 1000 + 39)))
    }
}

extension LateAnswer {
    /// An answer to the attempt of `LedgerSeed.open`.
    static func toFirst(_ id: String) -> LateAnswer {
        LateAnswer(
            identityKey: event(id, offset: 0).identity.key, generation: 0, attempt: 1, owner: "other/1", serial: 0,
            result: .started(StartAnswer(instanceID: "in-1")))
    }
}

extension Harness {
    /// Lets every lease end and decides what can be decided.
    func decide(_ partition: Int32) {
        wait(100_000)
        _ = calls()
        for asked in machine.doubtMarks(at: now) {
            machine.doubtMark(
                partition: asked.partition, epoch: asked.epoch, high: marks(of: asked.partition).ledgerHigh, at: now)
        }
        tail(partition)
    }
}
