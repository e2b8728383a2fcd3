import Records
import Testing

@testable import BridgeCore

@Suite("In doubt", .timeLimit(.minutes(5)))
struct DoubtTests {
    private static let connection = CoreSettings.Connection(
        name: "main", streams: ["*"], accountID: "acc-1", requestsPerMinute: 0, tokenLifetime: 40, clockLeeway: 5000,
        doubtGrace: 10_000)

    /// Whether the machine asks for the ledger's end now.
    private static func asks(_ harness: Harness) -> Bool {
        _ = harness.calls()
        return !harness.doubtMarks().isEmpty
    }

    @Test("An own attempt is in doubt until its token's expiry + leeway + grace")
    func ownLease() throws {
        let harness = Harness.owning(connections: [Self.connection])
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.wait(30_000)
        harness.answer(call, timeout)
        harness.wait(24_999)
        #expect(!Self.asks(harness))
        harness.wait(1)
        #expect(Self.asks(harness))
    }

    @Test("An end of the ledger that was asked for before a lease had ended does not decide it")
    func olderQuestion() throws {
        let harness = Harness.owning(connections: [Self.connection])
        for number in [0, 1] {
            let call = try #require(
                harness.call(event("e\(number)", offset: Int64(number), campaign: "cd-\(number)")))
            harness.answer(call, timeout)
            harness.wait(1000)
        }
        var questions: [Int] = []
        while questions.isEmpty {
            harness.wait(500)
            _ = harness.calls()
            questions = harness.doubtMarks().map(\.epoch)
        }
        harness.wait(5000)
        _ = harness.calls()
        #expect(harness.doubtMarks().isEmpty, "one question at a time")
        harness.machine.doubtMark(partition: 0, epoch: questions[0], high: harness.readEnd, at: harness.now)
        harness.commit()
        #expect(harness.results.count == 1)
        #expect(harness.doubtMarks().count == 1)
    }

    @Test("A clock that is set forward does not shorten the wait")
    func wallForward() throws {
        let harness = Harness.owning(connections: [Self.connection])
        harness.answer(try #require(harness.call(event("e1", offset: 0))), timeout)
        harness.now.wall += 3_600_000
        #expect(!Self.asks(harness))
        harness.now.monotonic += 54_999
        #expect(!Self.asks(harness))
        harness.now.monotonic += 1
        #expect(Self.asks(harness))
    }

    @Test("A clock that is set back lengthens the wait until it too has passed the expiry")
    func wallBack() throws {
        let harness = Harness.owning(connections: [Self.connection])
        harness.answer(try #require(harness.call(event("e1", offset: 0))), timeout)
        harness.now.wall -= 30_000
        harness.wait(55_000)
        #expect(!Self.asks(harness))
        harness.wait(29_999)
        #expect(!Self.asks(harness))
        harness.wait(60_000)
        #expect(Self.asks(harness))
    }

    @Test("Another replica's attempt is waited for its whole length from when it was seen, by our monotonic clock")
    func foreignLease() throws {
        // Its clock was an hour behind ours: by our wall clock the token is long dead.
        let attempt = Attempt(
            number: 1, owner: "other/1", startedAt: startOfTime - 3_600_000,
            tokenExpiry: startOfTime / 1000 - 3_560)
        let harness = Harness.owning(
            ledger: [.init(record: event("e1", offset: 0), state: .attempting(attempt))],
            connections: [Self.connection])
        harness.admit(event("e1", offset: 0))
        harness.wait(54_999)
        #expect(!Self.asks(harness))
        harness.wait(1)
        #expect(Self.asks(harness))
    }

    @Test("The timer of an earlier doubt does not shorten a later one")
    func olderTimer() throws {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)], connections: [Self.connection])
        harness.admit(event("e1", offset: 0))
        harness.wait(10_000)
        var late = LateAnswer.toFirst("e1")
        late.result = .released(.notSent)
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: late))
        harness.tail(0)
        harness.commitAll()
        harness.answer(try #require(harness.calls().first), timeout)
        harness.now.wall += 3_600_000
        harness.now.monotonic += 54_999
        #expect(!Self.asks(harness), "the first doubt's time is over, the second's is not")
        harness.now.monotonic += 1
        #expect(Self.asks(harness))
    }

    @Test("The attempt is decided as unknown, once, with its cause and not safe to replay")
    func decision() throws {
        let harness = Harness.owning()
        harness.answer(try #require(harness.call(event("e1", offset: 0))), timeout)
        #expect(harness.commit() == nil)
        harness.decide(0)
        #expect(harness.commit()?.kinds == ["dead outcome-unknown"])
        guard case .deadLetter(let reason, let message, _)? = harness.results.first?.outcome else {
            Issue.record("no dead letter")
            return
        }
        #expect(!reason.isSafeToReplay && message.contains("timeout"))
        #expect(
            DeadLetterReason.allCases.filter { !$0.isSafeToReplay }
                == [.unusableTime, .replayRefused, .expiredOutsideWindow, .outcomeUnknown])
        #expect(harness.machine.inHand.isEmpty)
        harness.wait(100_000)
        #expect(harness.calls().isEmpty && harness.commit() == nil && harness.doubtMarks().isEmpty)
    }

    @Test("While in doubt the campaign's lane is held, after a take-over too")
    func laneIsHeld() throws {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        // The lane is held even before the record itself is met again.
        harness.admit(event("e2", offset: 3))
        #expect(harness.commit() == nil)
        harness.admit(event("other", offset: 4, campaign: "cd-2"))
        #expect(harness.commit()?.kinds == ["attempting 1"])
        for call in harness.calls() { harness.answer(call, active) }
        harness.commitAll()
        harness.machine.sourceEnd(partition: 0, offset: 6, at: harness.now)
        #expect(harness.commit() == nil)
        harness.decide(0)
        harness.commitAll()
        #expect(harness.ledgerKinds(0).suffix(2) == ["dead outcome-unknown", "attempting 1"])
    }

    @Test(
        "A late answer to an attempt in doubt becomes its outcome",
        arguments: [
            (KnownResult.started(StartAnswer(instanceID: "in-1")), "started in-1"),
            (.rejected(Rejection(status: 404, message: "no")), "dead rejected"),
            (.released(.notSent), "released 1 not-sent"), (.released(.credentials), "released 1 credentials"),
        ])
    func lateResults(result: KnownResult, kind: String) {
        let harness = Harness.owning(ledger: [.open("e1", offset: 0)])
        harness.admit(event("e1", offset: 0))
        var late = LateAnswer.toFirst("e1")
        late.result = result
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: late))
        harness.tail(0)
        #expect(harness.commit()?.kinds == [kind])
        if case .released = result { #expect(harness.commit()?.kinds == ["attempting 2"]) }
    }

    @Test("A late answer that was read at the take-over, before its record is met, becomes the outcome")
    func lateBeforeRecord() {
        let harness = Harness(owner: "replica-1/b2")
        harness.seed(.open("e1", offset: 0))
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: .toFirst("e1")))
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        #expect(harness.commit()?.kinds == ["started in-1"])
    }

    @Test("An open attempt whose source record is gone still gets its outcome")
    func orphan() {
        let harness = Harness(owner: "replica-1/b2")
        harness.seed(.open("e1", offset: 3))
        harness.sourceLow[0] = 10
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.decide(0)
        #expect(harness.commit()?.kinds == ["dead outcome-unknown"])
        #expect(harness.groupOffsets[0] == 10)
        #expect(harness.results.first?.event.identity.eventID == "e1")
    }

    @Test("An orphan that was provably not started is not called unknown")
    func releasedOrphan() {
        let harness = Harness(owner: "replica-1/b2")
        harness.seed(.open("e1", offset: 3))
        harness.sourceLow[0] = 10
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        var late = LateAnswer.toFirst("e1")
        late.result = .released(.notSent)
        harness.write(LateWrite(partition: 0, hash: KeyHash(high: 0, low: 0), answer: late))
        harness.tail(0)
        #expect(harness.commit()?.kinds == ["dead expired"])
    }

    @Test("An answer that comes when another owner has decided is shown as late and frees its campaign")
    func answerAfterDecision() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.revoke([0], isLost: true)
        let key = event("e1", offset: 0)
        harness.seed(.init(record: key, state: .deadLettered(.outcomeUnknown, nonce: 3)))
        harness.groupOffsets[0] = 1
        harness.assign([0])
        harness.takeOver()
        harness.answer(call, active)
        #expect(harness.lates.map(\.answer.result) == [.started(StartAnswer(instanceID: "in-1", status: "Active"))])
        #expect(harness.machine.inHand.isEmpty)
        harness.admit(event("e2", offset: 1))
        #expect(harness.commit()?.kinds == ["attempting 1"], "the lane is free")
    }
}
