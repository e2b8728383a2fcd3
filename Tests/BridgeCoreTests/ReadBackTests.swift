import Records
import Testing

@testable import BridgeCore

@Suite("Read-back, cool-down and clocks in the core", .timeLimit(.minutes(5)))
struct ReadingTests {
    private static let ready = CampaignState(status: "Ready", marker: "2026-01-01T00:00:00.000Z")
    private static let running = CampaignState(status: "Active", marker: "2026-01-02T00:00:00.000Z")

    private static func owning(isExclusive: Bool = true, change: (inout CoreSettings) -> Void = { _ in }) -> Harness {
        var connection = CoreSettings.Connection(
            name: "main", streams: ["*"], accountID: "acc-1", requestsPerMinute: 0)
        connection.readsBack = true
        connection.isExclusive = isExclusive
        return .owning(connections: [connection], change: change)
    }

    private static func seen(_ state: CampaignState, at time: Int64? = nil) -> StatusReport {
        StatusReport(result: .seen(state), serverTime: time, requests: 2, duration: .milliseconds(50))
    }

    private static let silence = StatusReport(
        result: .noAnswer(cause: "timeout"), requests: 1, duration: .milliseconds(50))

    /// Admits an event and brings it to its call, with `state` read before it.
    private static func call(_ harness: Harness, _ event: DecodedRecord, _ state: CampaignState) throws -> CallOrder {
        harness.admit(event)
        #expect(harness.commit() == nil, "first the reading")
        let order = try #require(harness.reads().first)
        harness.read(order, seen(state), expired: order.triesExpiredToken ? .refused : nil)
        harness.commit()
        return try #require(harness.calls().first)
    }

    /// A doubt, waited for until its campaign is read.
    private static func doubt(_ harness: Harness, _ event: DecodedRecord, _ state: CampaignState) throws -> ReadOrder {
        harness.answer(try call(harness, event, state), timeout)
        harness.wait(120_000)
        _ = harness.calls()
        let mark = try #require(harness.doubtMarks().first)
        harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: harness.readEnd, at: harness.now)
        return try #require(harness.reads().first)
    }

    @Test("The state before the attempt stands in its intent")
    func before() throws {
        let harness = Self.owning()
        let call = try Self.call(harness, event("e", offset: 0), Self.ready)
        #expect(call.attempt.before == Self.ready)
        let stored = try #require(harness.ledger[0]?.last)
        guard case .entry(_, let entry) = LedgerWire.read(key: stored.key, value: stored.value) else {
            Issue.record("no entry")
            return
        }
        #expect(entry.state == .attempting(call.attempt))
    }

    @Test("What was read before another attempt for the campaign is read again", arguments: [true, false])
    func staleReading(isOvertaken: Bool) throws {
        let harness = Self.owning()
        harness.answer(try Self.call(harness, event("a", offset: 0), Self.ready), .notSent(cause: "connect"))
        harness.commit()
        harness.wait(10)
        harness.admit(event("b", offset: 1))
        #expect(harness.commit() == nil)
        harness.read(try #require(harness.reads().first), Self.seen(Self.ready))
        guard isOvertaken else {
            #expect(harness.commit()?.kinds == ["attempting 1"], "nothing came between")
            return
        }
        // The next attempt of "a" is due, and goes first.
        harness.wait(5000)
        _ = harness.calls()
        #expect(harness.commit() == nil)
        harness.read(try #require(harness.reads().first), Self.seen(Self.ready))
        #expect(harness.commit()?.kinds == ["attempting 2"])
        harness.answer(try #require(harness.calls().first), active)
        #expect(harness.reads().count == 1, "how a start shows")
        #expect(harness.commit()?.kinds == ["started in-1"])
        #expect(harness.commit() == nil)
        #expect(harness.reads().count == 1, "what was read of the campaign for b is old")
    }

    @Test("An intent whose transaction was aborted is no attempt: nothing is read again for it")
    func abortedIntent() throws {
        let harness = Self.owning()
        harness.admit(event("a", offset: 0))
        #expect(harness.commit() == nil)
        harness.read(try #require(harness.reads().first), Self.seen(Self.ready))
        harness.end(try #require(harness.begin()), .aborted(culprits: [], groupIsStale: false))
        #expect(harness.commit()?.kinds == ["attempting 1"])
        #expect(harness.reads().isEmpty)
    }

    @Test("A reading that shows a clock right again decides nothing; one after the grace does")
    func clockWasOff() throws {
        let harness = Self.owning()
        let order = try Self.doubt(harness, event("e", offset: 0), Self.ready)
        harness.read(order, Self.seen(Self.running, at: harness.now.wall - 60_000))
        for isAfter in [false, true] {
            harness.wait(10_100)
            _ = harness.calls()
            let again = try #require(harness.reads().first { $0.read.identityLabel != "clock" })
            harness.read(again, Self.seen(Self.running, at: harness.now.wall))
            harness.commitAll()
            #expect(harness.results.map(\.summary) == (isAfter ? ["started - read-back"] : []))
        }
    }

    @Test("A marker that moved, Active, on an exclusive connection: started, by read-back")
    func started() throws {
        let harness = Self.owning()
        let order = try Self.doubt(harness, event("e", offset: 0), Self.ready)
        harness.read(order, Self.seen(Self.running, at: harness.now.wall))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started - read-back"])
    }

    @Test("On a connection that others use it stays unknown")
    func notExclusive() throws {
        let harness = Self.owning(isExclusive: false)
        let order = try Self.doubt(harness, event("e", offset: 0), Self.ready)
        harness.read(order, Self.seen(Self.running, at: harness.now.wall))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
    }

    @Test("Nothing moved, where a start was seen to move it and expired tokens are refused: tried again")
    func notStarted() throws {
        let harness = Self.owning()
        let first = try Self.call(harness, event("a", offset: 0), Self.ready)
        harness.answer(first, active)
        let learning = try #require(harness.reads().first)
        harness.read(learning, Self.seen(Self.running))
        harness.commitAll()
        let order = try Self.doubt(harness, event("b", offset: 1, campaign: "cd-2"), Self.ready)
        harness.read(order, Self.seen(Self.ready, at: harness.now.wall))
        #expect(harness.commit()?.kinds == ["released 1 read-back"])
        #expect(harness.commit() == nil)
        #expect(harness.reads().count == 1, "read again before the next attempt")
    }

    @Test("Without an answer it is read again, for a bounded time, and then unknown")
    func undecided() throws {
        let harness = Self.owning {
            $0.readBackInterval = 1000
            $0.readBackTimeout = 3000
        }
        var order = try Self.doubt(harness, event("e", offset: 0), Self.ready)
        for _ in 0..<3 {
            harness.read(order, Self.silence)
            harness.commitAll()
            #expect(harness.results.isEmpty)
            harness.wait(1000)
            _ = harness.calls()
            order = try #require(harness.reads().first)
        }
        harness.read(order, Self.silence)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
    }

    @Test("A late answer is stronger than a reading under way")
    func lateAnswer() throws {
        let harness = Self.owning()
        let order = try Self.doubt(harness, event("e", offset: 0), Self.ready)
        let attempt = try #require(harness.machine.partitions[0]?.index.open.first)
        guard case .attempting(let open)? = harness.machine.partitions[0]?.index[attempt]?.state else { return }
        let key = event("e", offset: 0).identity.key
        harness.write(
            LateWrite(
                partition: 0, hash: attempt,
                answer: LateAnswer(
                    identityKey: key, generation: 0, attempt: open.number, owner: open.owner, serial: open.serial,
                    result: .started(StartAnswer(instanceID: "in-5")))))
        harness.tail(0)
        harness.read(order, Self.seen(Self.ready, at: harness.now.wall))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-5 answer"])
    }

    @Test("A reading without an answer does not keep the event from its attempt; a throttled one waits")
    func readingFails() throws {
        let harness = Self.owning()
        harness.admit(event("e", offset: 0))
        harness.commit()
        var throttled = Self.silence
        throttled.isThrottled = true
        throttled.retryAfter = .seconds(5)
        harness.read(try #require(harness.reads().first), throttled)
        harness.commit()
        #expect(harness.reads().isEmpty)
        harness.wait(6000)
        harness.commit()
        harness.read(try #require(harness.reads().first), Self.silence)
        #expect(harness.commit()?.kinds == ["attempting 1"])
        #expect(harness.calls().first?.attempt.before == nil)
    }

    @Test("A partition that is lost while its campaign is read loses nothing and leaves no place taken")
    func lostWhileReading() throws {
        let harness = Self.owning()
        harness.admit(event("e", offset: 0))
        harness.commit()
        let order = try #require(harness.reads().first)
        harness.revoke([0], isLost: true)
        harness.read(order, Self.seen(Self.ready))
        harness.assign([0])
        harness.takeOver()
        let call = try Self.call(harness, event("e", offset: 0), Self.ready)
        #expect(call.attempt.number == 1)
    }

    @Test("A second event of a campaign inside the cool-down is a dead letter, after a take-over too")
    func coolDown() throws {
        let harness = Harness.owning { $0.campaignCoolDown = 60_000 }
        harness.answer(try #require(harness.call(event("a", offset: 0))), active)
        harness.commitAll()
        harness.revoke([0], isLost: true)
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("b", offset: 1), event("c", offset: 2, campaign: "cd-2"))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer", "dead cool-down"])
        #expect(harness.calls().map(\.call.campaignID) == ["cd-2"])
        harness.wait(60_001)
        #expect(harness.call(event("d", offset: 3)) != nil)
    }

    @Test(
        "A clock that is off beyond the leeway stops calls and decisions until a reading shows it right",
        arguments: [Int64(8000), -8000])
    func clock(skew: Int64) throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("a", offset: 0)))
        harness.machine.callEnded(
            call.hash, call.attempt,
            AttemptReport(
                result: timeout, bytesMayHaveLeft: true, serverTime: harness.now.wall + skew,
                duration: .milliseconds(100)), at: harness.now)
        harness.admit(event("b", offset: 1, campaign: "cd-2"))
        #expect(harness.commit() == nil)
        harness.wait(120_000)
        _ = harness.calls()
        if let mark = harness.doubtMarks().first {
            harness.machine.doubtMark(partition: 0, epoch: mark.epoch, high: harness.readEnd, at: harness.now)
        }
        harness.commitAll()
        #expect(harness.results.isEmpty, "nothing is decided by a wrong clock")
        #expect(harness.machine.snapshot(at: harness.now).accounts[0].isClockOff)
        let order = try #require(harness.reads().first)
        harness.read(order, Self.seen(Self.ready, at: harness.now.wall - 400))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
        #expect(harness.calls().count == 1)
    }
}
