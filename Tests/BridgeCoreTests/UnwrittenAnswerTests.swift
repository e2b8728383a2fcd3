import Testing

@testable import BridgeCore

@Suite("Answers that could not be handed over yet", .timeLimit(.minutes(5)))
struct UnwrittenAnswerTests {
    @Test("L3: a process that gets its partition back knows the answers that it could not write")
    func regained() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.revoke([0], isLost: true)
        harness.answer(call, active)
        #expect(harness.lates.count == 1)
        // The brokers were away: nothing was written, and the partition comes back.
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        harness.commitAll()
        #expect(harness.ledgerKinds(0) == ["attempting 1", "started in-1"])
        let late = try #require(harness.lates.first)
        harness.machine.lateWritten(late)
        #expect(harness.machine.unwritten.isEmpty)
    }

    @Test("L3: an answer that was not written decides no other attempt")
    func otherAttempt() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.revoke([0], isLost: true)
        harness.answer(call, active)
        let late = try #require(harness.lates.first)
        var other = late
        other.answer.serial += 1
        harness.machine.unwritten[late.hash] = other.answer
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        harness.commitAll()
        #expect(harness.ledgerKinds(0) == ["attempting 1"], "it stays in doubt")
        harness.machine.lateWritten(late)
        #expect(harness.machine.unwritten[late.hash] == other.answer, "another answer is not forgotten")
    }

    @Test("A source that is gone is taken over anew, and its answers stay known")
    func sourceGone() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.machine.sourceBroken(partition: 0, at: harness.now)
        harness.answer(call, active)
        harness.takeOver()
        harness.admit(event("e1", offset: 0))
        harness.commitAll()
        #expect(harness.ledgerKinds(0) == ["attempting 1", "started in-1"])
    }
}
