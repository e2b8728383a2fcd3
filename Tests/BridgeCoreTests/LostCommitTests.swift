import Records
import Testing

@testable import BridgeCore

/// L5 to L7, L10 and L11: what a process does after it has lost its producer, and with several records of one event.
@Suite("Rules after a lost commit, and of identities", .timeLimit(.minutes(5)))
struct LostCommitTests {
    @Test("L5: after an unknown commit a new producer comes first, then the whole take-over")
    func wholeTakeOver() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.end(plan, .lost)
        #expect(harness.takeOverSteps().isEmpty, "not before a new producer has ended the old transaction")
        #expect(harness.begin() == nil && harness.calls().isEmpty)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        #expect(harness.started.count == 2)
        harness.admit(event("e1", offset: 0))
        #expect(harness.commit()?.kinds == ["attempting 1"], "nothing of it was committed")
        #expect(harness.calls().count == 1)
    }

    @Test("L5: a call under way survives, and its answer becomes the outcome after the take-over")
    func callSurvives() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0, campaign: "cd-1")))
        harness.admit(event("e2", offset: 1, campaign: "cd-2"))
        let plan = try #require(harness.begin())
        harness.end(plan, .lost)
        #expect(harness.machine.callsInFlight == 1)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("e1", offset: 0, campaign: "cd-1"), event("e2", offset: 1, campaign: "cd-2"))
        harness.answer(call, active)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"])
    }

    @Test("L5: an answer in hand survives until its outcome is known to be committed", arguments: [true, false])
    func answerSurvives(wasCommitted: Bool) throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.answer(call, active)
        let plan = try #require(harness.begin())
        #expect(plan.kinds == ["started in-1"])
        if wasCommitted { harness.store(plan) }
        harness.end(plan, .lost)
        #expect(harness.machine.inHand.count == 1)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"], "exactly once")
        #expect(harness.machine.inHand.isEmpty)
    }

    @Test("L5: what the tail has shown of an unknown commit is not forgotten by the new take-over")
    func tailedBeforeTheLoss() throws {
        let harness = Harness.owning()
        // Another record below keeps the offset back, so that all of them come again.
        harness.admit(event("a", offset: 0, campaign: "cd-1"))
        harness.commit()
        let first = try #require(harness.calls().first)
        let call = try #require(harness.call(event("b", offset: 1, campaign: "cd-2")))
        harness.admit(event("late", offset: 2, campaign: "cd-3", timestamp: startOfTime - 90_000_000))
        harness.answer(call, active)
        let plan = try #require(harness.begin())
        #expect(plan.kinds.sorted() == ["dead expired", "started in-1"])
        harness.store(plan)
        harness.tail(0)
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(
            event("a", offset: 0, campaign: "cd-1"), event("b", offset: 1, campaign: "cd-2"),
            event("late", offset: 2, campaign: "cd-3", timestamp: startOfTime - 90_000_000))
        harness.answer(first, active)
        harness.commitAll()
        #expect(
            harness.results.map(\.summary).sorted() == ["dead expired", "started in-1 answer", "started in-1 answer"])
        #expect(Set(harness.results.map(\.event.record.offset)) == [0, 1, 2], "each exactly once")
        #expect(harness.machine.inHand.isEmpty)
    }

    @Test("L5: a partition lost and regained is taken over as a whole, with a fresh reading of the ledger")
    func regained() {
        let harness = Harness.owning()
        harness.revoke([0], isLost: true)
        harness.takeOver()
        #expect(harness.stopped == [0])
        harness.assign([0])
        var read = 0
        harness.takeOver { step in
            if case .readLedger = step { read += 1 }
            return false
        }
        #expect(read == 1)
        #expect(harness.started.count == 2)
    }

    @Test("L6: an own intent that is not yet called is called after the take-over")
    func ownIntent() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        let call = try #require(harness.calls().first)
        #expect(call.attempt.number == 1, "the very attempt that the ledger shows")
        harness.answer(call, active)
        harness.commitAll()
        #expect(harness.ledgerKinds(0) == ["attempting 1", "started in-1"])
    }

    @Test("L6: an own intent whose token has died is released and tried again")
    func ownIntentTooOld() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.end(plan, .lost)
        harness.wait(40_000)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        #expect(harness.calls().isEmpty)
        #expect(harness.commit()?.kinds == ["released 1 not-sent"])
        #expect(harness.commit()?.kinds == ["attempting 2"])
        #expect(harness.calls().count == 1)
    }

    @Test("L6: an intent of another incarnation of this replica is in doubt, never called")
    func foreignIntent() {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)], owner: "other/2")
        harness.admit(event("e1", offset: 0))
        #expect(harness.calls().isEmpty && harness.commit() == nil)
    }

    @Test("L6: own intents of a partition that is lost are told to be uncalled, also before its take-over ended")
    func uncalledOfLostPartition() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.end(plan, .lost)
        harness.revoke([0], isLost: true)
        harness.collect()
        #expect(harness.lates.map(\.answer.result) == [.released(.notSent)])
        #expect(harness.machine.uncalled.isEmpty)
    }

    @Test("L7: the call carries exactly the expiry that its intent says, and each attempt a token of its own")
    func recordedToken() throws {
        let harness = Harness.owning()
        let first = try #require(harness.call(event("e1", offset: 0)))
        #expect(first.call.tokenExpiry == first.attempt.tokenExpiry)
        #expect(first.call.tokenExpiry == startOfTime / 1000 + 40)
        harness.wait(1000)
        harness.answer(first, refusal(.credentials, 401))
        #expect(harness.commit()?.kinds == ["released 1 credentials"])
        #expect(harness.commit()?.kinds == ["attempting 2"])
        let second = try #require(harness.calls().first)
        #expect(second.call.tokenExpiry == first.call.tokenExpiry + 1)
        #expect(second.call.tokenID != first.call.tokenID)
    }

    @Test("L7: a call whose token has expired by our clock is not begun")
    func expiredToken() {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        harness.commit()
        harness.wait(40_000)
        #expect(harness.calls().isEmpty)
        #expect(harness.commit()?.kinds == ["released 1 not-sent"])
    }

    @Test("L10: the lowest record of an identity leads, the others wait and are then suppressed")
    func oneMachine() throws {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0), event("e1", offset: 1), event("e1", offset: 2))
        #expect(harness.commit()?.kinds == ["attempting 1"])
        let calls = harness.calls()
        #expect(calls.count == 1)
        harness.answer(try #require(calls.first), active)
        harness.commitAll()
        harness.wait(2000)
        harness.commitAll()
        #expect(harness.groupOffsets[0] == 3)
        #expect(harness.results.count == 1)
        let suppressed = harness.notes.filter { if case .suppressed = $0 { true } else { false } }
        #expect(suppressed.count == 2)
    }

    @Test("L10: the same identity for another campaign is a dead letter of its own", arguments: [true, false])
    func conflict(isFinished: Bool) throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0, campaign: "cd-1")))
        if isFinished {
            harness.answer(call, active)
            harness.commitAll()
        }
        harness.admit(event("e1", offset: 1, campaign: "cd-2"))
        harness.commitAll()
        if !isFinished {
            harness.answer(call, active)
            harness.commitAll()
        }
        #expect(harness.results.map(\.summary).sorted() == ["dead identity-conflict", "started in-1 answer"])
        #expect(harness.groupOffsets[0] == 2)
        // Met again, its own place tells that it is finished.
        harness.revoke([0], isLost: true)
        harness.groupOffsets[0] = 1
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("e1", offset: 1, campaign: "cd-2"))
        harness.wait(2000)
        harness.commitAll()
        #expect(harness.results.count == 2)
        #expect(harness.groupOffsets[0] == 2)
    }

    @Test("L11: a source partition without a ledger partition stays paused, also after an unknown commit")
    func noLedger() throws {
        let harness = Harness(partitions: 2)
        harness.machine.producerReady(at: harness.now)
        harness.assign([0, 1])
        harness.takeOver { step in
            if case .marks(1, let epoch) = step {
                harness.machine.takeOverFailed(partition: 1, epoch: epoch, "make it with 'topics'")
                return true
            }
            return false
        }
        harness.takeOver()
        #expect(!harness.started.contains(.start(partition: 1, offset: 0)))
        harness.machine.admit([event("e1", offset: 0, partition: 1)], partition: 1, at: harness.now)
        #expect(harness.begin() == nil)
        harness.admit(event("e2", offset: 0))
        let plan = try #require(harness.begin(), "the other partition goes on")
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        #expect(
            harness.takeOverSteps().allSatisfy {
                if case .committedOffset(partition: 0, _) = $0 { true } else { false }
            })
    }
}

extension Harness {
    func ledgerKinds(_ partition: Int32) -> [String] {
        (ledger[partition] ?? []).compactMap { record in
            guard case .entry(_, let entry) = LedgerWire.read(key: record.key, value: record.value) else { return nil }
            return entry.state.name
        }
    }
}

@Suite("Settling what a broker left open", .timeLimit(.minutes(5)))
struct HangingTransactionTests {
    @Test("A new producer's first transaction settles the ledger's partitions, and is bound to the assignment")
    func first() throws {
        let harness = Harness.owning { $0.settledPartitions = 3 }
        harness.admit(event("e", offset: 0))
        let plan = try #require(harness.begin())
        #expect(plan.settles == 3)
        #expect(plan.writes.isEmpty)
        #expect(harness.mayStillCommit(plan.id))
        harness.end(plan, .committed)
        #expect(harness.commit()?.kinds == ["attempting 1"])
    }

    @Test("A take-over that gets no offsets, or no end of the ledger, settles again after a while", arguments: [0, 1])
    func settlesForTakeOver(step: Int) {
        let harness = Harness(partitions: 1) { $0.settledPartitions = 1 }
        harness.seed(Harness.LedgerSeed(record: event("x", offset: 0), state: .started(instanceID: nil)))
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver { taken in
            switch taken {
            case .committedOffset: step == 0
            case .readLedger: step == 1
            default: false
            }
        }
        for _ in 0..<3 {
            let plan = harness.begin()
            #expect(plan?.settles == 1)
            if let plan { harness.end(plan, .aborted(culprits: [], groupIsStale: false)) }
        }
        #expect(harness.begin() == nil)
        harness.wait(21_000)
        #expect(harness.begin()?.settles == 1)
    }

    @Test("After a lost transaction the next producer settles again; where it cannot, the rest goes on after all")
    func again() throws {
        let harness = Harness.owning { $0.settledPartitions = 3 }
        harness.commit()
        harness.admit(event("e", offset: 0))
        harness.end(try #require(harness.begin()), .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        for _ in 0..<3 {
            let plan = try #require(harness.begin())
            #expect(plan.settles == 3)
            harness.end(plan, .aborted(culprits: [], groupIsStale: false))
        }
        harness.admit(event("e", offset: 0))
        #expect(harness.commit()?.kinds == ["attempting 1"])
    }

    @Test(
        "Results that are held up are settled with the ledger, before anything else; again where the group refused it",
        arguments: [(TransactionEnd.committed, 1), (.aborted(culprits: [], groupIsStale: false), 3)])
    func results(end: TransactionEnd, attempts: Int) throws {
        let harness = Harness.owning { $0.settledPartitions = 3 }
        harness.commit()
        harness.admit(event("e", offset: 0))
        harness.end(try #require(harness.begin()), .lost)
        let held = [ResultPlace(topic: "started", partition: 2)]
        harness.machine.resultsStand(held)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        let refused = try #require(harness.begin())
        #expect(refused.settles == 3 && refused.settlesResults == held)
        harness.end(refused, .aborted(culprits: [], groupIsStale: true))
        harness.assign([])
        for _ in 0..<attempts {
            let plan = try #require(harness.begin())
            #expect(plan.settles == 3 && plan.settlesResults == held)
            harness.end(plan, end)
        }
        let next = harness.begin()
        #expect(next?.isSettling != true)
    }

    @Test("What is known of an event says nothing of another one: in another partition, or for another campaign")
    func knownOfAnother() throws {
        let harness = Harness.owning([0, 1])
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        harness.commitAll()
        let elsewhere = try #require(harness.call(event("a", offset: 0, partition: 1)))
        let other = try #require(harness.call(event("b", offset: 1, campaign: "cd-2")))
        let twin = try #require(harness.call(event("b", offset: 1, partition: 1, campaign: "cd-3")))
        for call in [elsewhere, other, twin] { harness.answer(call, active) }
        harness.commitAll()
        #expect(harness.results.map(\.event.identity.eventID).sorted() == ["a", "a", "b", "b"])
    }

    private func withOneStarted() throws -> Harness {
        let harness = Harness.owning()
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        harness.commitAll()
        return harness
    }

    @Test("P1: a ledger that was made anew while it was read blocks its partition")
    func ledgerMadeAnew() throws {
        let harness = try withOneStarted()
        let needed = try #require(harness.machine.snapshot(at: harness.now).partitions[0].ledgerNeeded)
        harness.ledger = [:]
        harness.machine.ledgerBroken(partition: 0, needed: needed - 1, at: harness.now)
        #expect(harness.machine.takeOverSteps().isEmpty, "it was read on since")
        harness.machine.ledgerBroken(partition: 0, needed: needed, at: harness.now)
        harness.takeOver()
        #expect(harness.stopped == [0])
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.stage) == [.blocked])
    }

    @Test("P1: a ledger that ends before what was committed beside the offset blocks its partition")
    func ledgerGone() throws {
        let before = try withOneStarted()
        before.tail(0)
        before.admit(event("b", offset: 1, stream: "?"))
        let plan = try #require(before.begin())
        let end = try #require(plan.ledgerEnds[0])
        #expect(end > 0 && plan.offsets[0] == 2)
        for (high, stage) in [
            (end - 1, ReplicaSnapshot.Stage.blocked), (end, .takingOver),
        ] {
            let after = Harness(partitions: 1)
            after.machine.producerReady(at: after.now)
            after.assign([0])
            guard case .committedOffset(_, let epoch)? = after.machine.takeOverSteps().first else {
                Issue.record("the offset is not asked for")
                return
            }
            after.machine.committedOffset(partition: 0, epoch: epoch, offset: 2, ledgerEnd: end)
            after.machine.marks(
                partition: 0, epoch: epoch,
                PartitionMarks(ledgerLow: 0, ledgerHigh: high, sourceLow: 0, sourceHigh: 2), at: after.now)
            #expect(after.machine.snapshot(at: after.now).partitions.map(\.stage) == [stage])
        }
    }

    @Test("An end of the ledger before what was read of it is another ledger's, and decides nothing")
    func endOfAnother() throws {
        let harness = try withOneStarted()
        harness.tail(0)
        harness.answer(try #require(harness.call(event("b", offset: 1, campaign: "cd-2"))), timeout)
        harness.wait(120_000)
        _ = harness.calls()
        let asked = try #require(harness.doubtMarks().first)
        harness.machine.doubtMark(partition: 0, epoch: asked.epoch, high: 0, at: harness.now)
        #expect(harness.takeOverSteps().contains(.stop(partition: 0)))
        #expect(harness.commit() == nil, "nothing is decided by it")
    }
}
