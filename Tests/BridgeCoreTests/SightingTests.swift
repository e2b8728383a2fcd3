import Testing

@testable import BridgeCore

/// A broker that loses what it has acknowledged (KAFKA-20734): what its ledger does not show is not believed.
@Suite("What is committed and what is seen", .timeLimit(.minutes(5)))
struct SightingTests {
    /// A harness whose ledger does not show the intent of its event "a".
    private func withUnseenIntent() throws -> (Harness, TransactionPlan) {
        let harness = Harness.owning()
        harness.admit(event("a", offset: 0))
        let plan = try #require(harness.begin())
        harness.end(plan, .committed, isSighted: false)
        return (harness, plan)
    }

    /// A harness whose ledger does not show the dead letter of its event "a", and that letter's nonce.
    private func withUnseenDeadLetter() throws -> (Harness, UInt64) {
        let harness = Harness.owning()
        harness.answer(
            try #require(harness.call(event("a", offset: 0))), .rejected(Rejection(status: 404, message: "no")))
        let plan = try #require(harness.begin())
        var found: UInt64?
        if case .deadLettered(_, let nonce) = plan.writes[0].entry.state { found = nonce }
        harness.end(plan, .committed, isSighted: false)
        return (harness, try #require(found))
    }

    /// The broker drops the last `count` entries; the tail passes them and shows nothing.
    private func drop(_ count: Int, of harness: Harness) {
        harness.wait(6000)
        harness.commit()
        for mark in harness.doubtMarks() {
            let high = Int64(harness.ledger[0]?.count ?? 0)
            harness.ledger[0]?.removeLast(count)
            harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: high, at: harness.now)
            harness.machine.ledgerEnd(partition: 0, offset: high, at: harness.now)
            harness.collect()
        }
    }

    @Test("A call begins only when the ledger has shown its intent")
    func callAfterSighting() throws {
        let (harness, _) = try withUnseenIntent()
        #expect(harness.calls().isEmpty)
        harness.tail(0)
        #expect(harness.calls().count == 1)
    }

    @Test("An intent that the ledger shows before its commit is told is not waited for again")
    func seenBeforeTold() throws {
        let harness = Harness.owning()
        harness.admit(event("a", offset: 0))
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.tail(0)
        harness.machine.transactionEnded(plan.id, .committed, at: harness.now)
        #expect(harness.calls().count == 1)
    }

    @Test("An intent that the broker has lost is given back and written anew, and called once")
    func lostIntent() throws {
        let (harness, _) = try withUnseenIntent()
        drop(1, of: harness)
        #expect(harness.calls().isEmpty)
        #expect(harness.commit()?.kinds == ["released 1 not-sent"])
        #expect(harness.commit()?.kinds == ["attempting 2"])
        #expect(harness.calls().count == 1)
    }

    @Test("What was committed after the ledger's end was asked for is not taken for lost")
    func committedAfterTheQuestion() throws {
        let (harness, _) = try withUnseenIntent()
        harness.wait(6000)
        harness.commit()
        let mark = try #require(harness.doubtMarks().first)
        harness.admit(event("b", offset: 1, campaign: "cd-2"))
        harness.end(try #require(harness.begin()), .committed, isSighted: false)
        harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: 1, at: harness.now)
        harness.ledger[0]?.removeFirst()
        harness.machine.ledgerEnd(partition: 0, offset: 1, at: harness.now)
        #expect(harness.commit()?.kinds == ["released 1 not-sent"])
        harness.tail(0)
        #expect(harness.calls().map(\.call.campaignID) == ["cd-2"])
    }

    @Test("The start of a lost commit that the tail has shown is a start of its campaign")
    func startOfLostCommit() throws {
        let harness = Harness.owning { $0.campaignCoolDown = 60_000 }
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.tail(0)
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("b", offset: 1))
        #expect(harness.commit()?.kinds == nil)
        #expect(harness.commit()?.kinds == ["dead cool-down"])
    }

    @Test("An outcome that the broker has lost is written again; nothing is called for it")
    func lostOutcome() throws {
        let harness = Harness.owning()
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        let plan = try #require(harness.begin())
        harness.end(plan, .committed, isSighted: false)
        drop(1, of: harness)
        #expect(harness.commit()?.kinds == ["started in-1"])
        #expect(harness.calls().isEmpty)
        #expect(harness.results.map(\.summary) == ["started in-1 answer", "started in-1 answer"])
        #expect(harness.commit() == nil, "the ledger has shown it")
    }

    @Test("An outcome that compaction has removed for its replay's is not written again")
    func answeredOutcome() throws {
        let (harness, nonce) = try withUnseenDeadLetter()
        harness.admit(replay("a", offset: 1, nonce: nonce))
        let second = try #require(harness.begin())
        harness.store(second)
        harness.end(second, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.ledger[0]?.remove(at: 1)
        harness.takeOver()
        harness.admit(event("a", offset: 0), replay("a", offset: 1, nonce: nonce))
        drop(0, of: harness)
        harness.commitAll()
        #expect(harness.results.map(\.generation) == [0], "its dead letter once")
    }

    @Test("A replay of an outcome that was lost waits until it is written again")
    func replayOfLostOutcome() throws {
        let (harness, nonce) = try withUnseenDeadLetter()
        drop(1, of: harness)
        harness.admit(replay("a", offset: 1, nonce: nonce))
        #expect(harness.commit()?.kinds == ["dead rejected"])
        #expect(harness.commit()?.kinds == ["attempting 1"])
    }

    @Test("An outcome that was lost is not written again behind a replay that answers it")
    func outcomeWithReplay() throws {
        let (harness, nonce) = try withUnseenDeadLetter()
        // Somebody has seen the dead letter: it is only the ledger that has lost it.
        harness.ledger[0]?.removeLast()
        harness.wait(6000)
        harness.commit()
        let mark = try #require(harness.doubtMarks().first)
        harness.admit(replay("a", offset: 1, nonce: nonce))
        let high = Int64(harness.ledger[0]?.count ?? 0) + 1
        harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: high, at: harness.now)
        harness.machine.ledgerEnd(partition: 0, offset: high, at: harness.now)
        #expect(harness.commit()?.kinds == ["attempting 1"])
        #expect(harness.results.count == 1)
    }

    @Test("After an aborted transaction an offset that was committed before is written again")
    func offsetsAgain() throws {
        let harness = Harness.owning([0, 1])
        harness.admit(event("a", offset: 0, partition: 1, campaign: ""))
        harness.commit()
        #expect(harness.groupOffsets[1] == 1)
        harness.admit(event("b", offset: 0))
        harness.end(try #require(harness.begin()), .aborted(culprits: [], groupIsStale: false))
        harness.groupOffsets[1] = nil
        harness.commit()
        #expect(harness.groupOffsets[1] == 1)
        #expect(harness.commit()?.offsets[1] == nil)
    }

    @Test("Where its partition is taken over anew, an outcome that was lost is known by its answer")
    func lostOutcomeOfRestart() throws {
        let harness = Harness.owning()
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        let plan = try #require(harness.begin())
        harness.end(plan, .committed, isSighted: false)
        harness.ledger[0]?.removeLast()
        harness.groupOffsets = [:]
        harness.revoke([0], isLost: true)
        harness.collect()
        let late = try #require(harness.lates.first)
        harness.write(late)
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("a", offset: 0))
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        #expect(harness.results.last?.summary == "started in-1 answer")
    }

    @Test("A process that ends gives back an intent that it has not seen, and one whose token has expired")
    func givenBack() throws {
        let (draining, _) = try withUnseenIntent()
        draining.machine.beginDrain()
        #expect(draining.calls().isEmpty)
        #expect(draining.commit()?.kinds == ["released 1 not-sent"])
        let (waiting, plan) = try withUnseenIntent()
        guard case .attempting(let attempt) = plan.writes[0].entry.state else {
            Issue.record("no intent")
            return
        }
        waiting.wait(attempt.tokenExpiry * 1000 - waiting.now.wall)
        waiting.commit()
        #expect(waiting.calls().isEmpty)
        #expect(waiting.commit()?.kinds == ["released 1 not-sent"])
    }

    @Test("A new producer does not make an unseen intent callable")
    func restartKeepsWaiting() throws {
        let (harness, _) = try withUnseenIntent()
        harness.admit(event("b", offset: 1, campaign: "cd-2"))
        let plan = try #require(harness.begin())
        harness.ledger[0]?.removeLast()
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("a", offset: 0))
        #expect(harness.calls().isEmpty)
    }

    @Test("Nor does a take-over that failed and begins again, nor a ledger that is made anew")
    func takenOverAgain() throws {
        for isMadeAnew in [false, true] {
            let (harness, _) = try withUnseenIntent()
            harness.ledger[0]?.removeLast()
            if isMadeAnew {
                let needed = try #require(harness.machine.snapshot(at: harness.now).partitions[0].ledgerNeeded)
                harness.machine.ledgerBroken(partition: 0, needed: needed, at: harness.now)
            } else {
                harness.admit(event("b", offset: 1, campaign: "cd-2"))
                harness.end(try #require(harness.begin()), .lost)
                harness.machine.producerReady(at: harness.now)
                var epoch = 0
                harness.takeOver { step in
                    if case .marks(_, let one) = step { epoch = one }
                    return epoch > 0
                }
                harness.machine.takeOverFailed(partition: 0, epoch: epoch, "there is no ledger")
                harness.machine.takeOverAgain(partition: 0, epoch: epoch, at: harness.now)
            }
            harness.takeOver()
            harness.admit(event("a", offset: 0))
            #expect(harness.calls().isEmpty)
        }
    }
}
