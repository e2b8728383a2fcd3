import Testing

@testable import BridgeCore

@Suite("Lanes, budgets, circuits, pauses between attempts", .timeLimit(.minutes(5)))
struct GuardTests {
    static func connection(
        _ name: String, streams: [String], perMinute: Int = 0, burst: Int = 1, maximumInFlight: Int = 64
    ) -> CoreSettings.Connection {
        .init(
            name: name, streams: streams, accountID: "acc-\(name)", requestsPerMinute: perMinute, burst: burst,
            maximumInFlight: maximumInFlight)
    }

    @Test("A campaign has one call at a time, others go on")
    func oneCallACampaign() throws {
        let harness = Harness.owning()
        harness.admit(
            event("a", offset: 0, campaign: "cd-1"), event("b", offset: 1, campaign: "cd-1"),
            event("c", offset: 2, campaign: "cd-2"))
        #expect(harness.commit()?.writes.map(\.entry.sourceOffset) == [0, 2])
        let calls = harness.calls()
        #expect(calls.map(\.call.campaignID) == ["cd-1", "cd-2"])
        #expect(harness.commit() == nil)
        harness.answer(calls[0], active)
        harness.commitAll()
        #expect(harness.calls().map(\.call.campaignID) == ["cd-1"])
    }

    @Test("The same campaign in two partitions has one call at a time in this replica")
    func acrossPartitions() {
        let harness = Harness.owning([0, 1])
        harness.admit(event("a", offset: 0))
        harness.admit(event("b", offset: 0, partition: 1))
        #expect(harness.commit()?.writes.count == 1)
        #expect(harness.commit() == nil)
    }

    @Test("A throttled account does not hold others, and goes on by itself")
    func throttledAccount() throws {
        let harness = Harness.owning(connections: [
            Self.connection("a", streams: ["st-a"]), Self.connection("b", streams: ["st-b"]),
        ])
        harness.admit(event("a1", offset: 0, stream: "st-a"), event("b1", offset: 1, stream: "st-b", campaign: "cd-2"))
        harness.commit()
        let calls = harness.calls()
        harness.answer(try #require(calls.first { $0.connection == 0 }), refusal(.throttled, 429, after: .seconds(30)))
        harness.answer(try #require(calls.first { $0.connection == 1 }), active)
        harness.commitAll()
        harness.admit(
            event("a2", offset: 2, stream: "st-a", campaign: "cd-3"),
            event("b2", offset: 3, stream: "st-b", campaign: "cd-4"))
        let plan = try #require(harness.commit())
        #expect(plan.writes.map(\.entry.sourceOffset) == [3])
        #expect(harness.wake() <= harness.now.monotonic + 1000)
        harness.wait(33_000)
        #expect(harness.commit()?.writes.count == 2)
    }

    @Test("An account's calls in flight are bounded")
    func maximumInFlight() {
        let harness = Harness.owning(connections: [Self.connection("a", streams: ["*"], maximumInFlight: 2)])
        for offset in 0..<5 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        harness.commitAll()
        let calls = harness.calls()
        #expect(calls.count == 2)
        harness.answer(calls[0], active)
        harness.commitAll()
        #expect(harness.calls().count == 1)
    }

    @Test("Calls and ready intents of the whole replica are bounded")
    func replicaBounds() {
        let harness = Harness.owning {
            $0.maximumInFlight = 2
            $0.maximumReady = 4
            $0.maximumTransaction = 3
        }
        for offset in 0..<9 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        #expect(harness.commit()?.writes.count == 3)
        #expect(harness.commit()?.writes.count == 1)
        #expect(harness.commit() == nil)
        #expect(harness.calls().count == 2)
        #expect(harness.calls().isEmpty)
        #expect(harness.machine.readyCount == 2)
    }

    @Test("A replica spends the share of the budget that its partitions make", arguments: [(1, 10), (2, 20), (4, 40)])
    func share(owned: Int, calls: Int) {
        let harness = Harness(
            connections: [Self.connection("a", streams: ["*"], perMinute: 40)], partitions: 4)
        harness.machine.producerReady(at: harness.now)
        harness.assign((0..<Int32(owned)).map { $0 })
        harness.takeOver()
        for offset in 0..<60 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        harness.commitAll()
        let first = harness.calls().count
        #expect(first == 1, "one at once, whatever the share")
        var later = 0
        let end = harness.now.monotonic + 60_000
        while harness.now.monotonic < end {
            harness.wait(min(end, max(harness.now.monotonic + 1, harness.wake())) - harness.now.monotonic)
            harness.commitAll()
            later += harness.calls().count
        }
        #expect((calls - 1...calls).contains(later))
    }

    @Test("A budget fills at its share, up to its burst, and says when the next call may be made")
    func budget() {
        var budget = RateBudget(perMinute: 60, burst: 3)
        func take(at time: Int64) -> Bool { budget.take(at: time) }
        budget.setShare(0.5, at: 0)
        #expect(take(at: 0))
        #expect(!take(at: 1999))
        #expect(budget.next(at: 1999) == 2000)
        #expect(take(at: 2000))
        budget.giveBack()
        #expect(take(at: 2000))
        var taken = 0
        while budget.take(at: 1_000_000) { taken += 1 }
        #expect(taken == 3)
        #expect(!take(at: 900_000), "a clock that goes back gives nothing")
        budget.setShare(0, at: 1_000_000)
        #expect(budget.next(at: 1_000_000) == nil)
        budget.setShare(1, at: 1_000_000)
        budget.spend(at: 1_000_000)
        #expect(budget.next(at: 1_000_000) == 1_002_000)
        var unlimited = RateBudget(perMinute: 0, burst: 1)
        var refused = 0
        for _ in 0..<1000 where !unlimited.take(at: 0) { refused += 1 }
        #expect(refused == 0)
        #expect(unlimited.next(at: 5) == 5)
    }

    @Test("Own intents that are called after a take-over count against the budget once")
    func adoptedBudget() throws {
        let harness = Harness.owning(connections: [Self.connection("a", streams: ["*"], perMinute: 60)])
        harness.admit(event("e1", offset: 0))
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(event("e1", offset: 0), event("e2", offset: 1, campaign: "cd-2"))
        #expect(harness.calls().count == 1)
        harness.commitAll()
        #expect(harness.calls().isEmpty)
    }

    @Test("A circuit opens after failures in a row, lets one probe through, and closes by an answer")
    func circuit() {
        var circuit = Circuit(threshold: 3, foreignThreshold: 9, pause: 1000)
        let first = [circuit.failed(at: 0), circuit.failed(at: 0)]
        #expect(first == [false, false] && circuit.allows(at: 0))
        circuit.succeeded()
        let again = [circuit.failed(at: 0), circuit.failed(at: 0), circuit.failed(at: 10)]
        #expect(again == [false, false, true])
        #expect(!circuit.allows(at: 1009) && circuit.allows(at: 1010))
        circuit.began()
        #expect(!circuit.allows(at: 1010), "one probe")
        circuit.withdrawn()
        #expect(circuit.allows(at: 1010))
        circuit.began()
        let reopened = circuit.failed(at: 1100)
        #expect(!reopened && !circuit.allows(at: 2099) && circuit.allows(at: 2100))
        circuit.began()
        circuit.succeeded()
        #expect(circuit.allows(at: 0) && circuit.openUntil == nil)
    }

    @Test(
        "A foreign answer opens the circuit at once where the API itself has never answered, else those of several campaigns do"
    )
    func foreignCircuit() {
        var fresh = Circuit(threshold: 5, foreignThreshold: 9, pause: 1000)
        let opened = fresh.failed(at: 0, foreign: 1)
        #expect(opened)
        var known = Circuit(threshold: 5, foreignThreshold: 3, pause: 1000)
        known.succeeded()
        let ofOneCampaign = (0..<9).map { _ in known.failed(at: 0, foreign: 1) }
        #expect(!ofOneCampaign.contains(true), "one campaign that never gets the API's answer is no outage")
        let second = known.failed(at: 0, foreign: 2)
        let third = known.failed(at: 0, foreign: 3)
        #expect(!second && third)
    }

    @Test("A transaction takes no more results than its bytes allow, and a ledger that is too large blocks")
    func bounds() throws {
        let harness = Harness.owning {
            $0.maximumTransactionBytes = 1
            $0.maximumEntries = 1
        }
        harness.admit(event("a", offset: 0, stream: "?"), event("b", offset: 1, stream: "?"))
        #expect(harness.commit()?.writes.count == 1)
        harness.commitAll()
        #expect(harness.results.count == 2)
        harness.revoke([0], isLost: true)
        harness.assign([0])
        harness.takeOver()
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.stage) == [.blocked])
    }

    private func stages(_ harness: Harness) -> [ReplicaSnapshot.Stage] {
        harness.machine.snapshot(at: harness.now).partitions.map(\.stage)
    }

    /// A replica that has ended two events, and may keep one in memory.
    private func overfull() -> Harness {
        let harness = Harness.owning {
            $0.maximumEntries = 1
            $0.entriesInterval = 100_000
        }
        harness.admit(event("a", offset: 0, stream: "?"), event("b", offset: 1, stream: "?"))
        harness.commitAll()
        return harness
    }

    @Test("What the ledger has forgotten does not block a partition that is taken over anew")
    func forgottenEntries() throws {
        let harness = overfull()
        harness.ledgerLow[0] = 2
        harness.machine.transactionEnded(try #require(lostTransaction(harness)), .lost, at: harness.now)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        #expect(stages(harness) == [.owned])
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.ledgerEntries) == [0])
    }

    private func lostTransaction(_ harness: Harness) -> Int? {
        harness.admit(event("c", offset: 2, stream: "?"))
        return harness.begin()?.id
    }

    @Test("Too many entries in memory: the ledger is read again, and what does not fit then is tried again later")
    func boundedEntries() throws {
        let harness = overfull()
        harness.wait(49_000)
        harness.commitAll()
        harness.takeOver()
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.ledgerEntries) == [2])
        harness.wait(2000)
        harness.commitAll()
        harness.takeOver()
        #expect(stages(harness) == [.blocked])
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.ledgerEntries) == [0])
        harness.ledgerLow[0] = 1
        harness.wait(100_000)
        harness.commitAll()
        harness.takeOver()
        #expect(stages(harness) == [.owned])
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.ledgerEntries) == [1])
    }

    @Test("An open circuit pauses its account only, and its probe brings all of it back")
    func openCircuit() throws {
        let harness = Harness.owning(connections: [
            Self.connection("a", streams: ["st-a"]), Self.connection("b", streams: ["st-b"]),
        ]) { $0.circuitFailures = 2 }
        for offset in 0..<4 {
            harness.admit(event("e\(offset)", offset: Int64(offset), stream: "st-a", campaign: "cd-\(offset)"))
        }
        harness.commit()
        for call in harness.calls() { harness.answer(call, refusedConnection) }
        harness.commitAll()
        harness.admit(event("b", offset: 4, stream: "st-b", campaign: "cd-9"))
        #expect(harness.commit()?.writes.count == 1)
        for call in harness.calls() { harness.answer(call, active) }
        harness.wait(30_000)
        _ = harness.calls()
        harness.commitAll()
        let probe = harness.calls()
        #expect(probe.count == 1)
        harness.answer(probe[0], active)
        harness.commitAll()
        #expect(harness.calls().count == 3)
        var opened = 0
        var closed = 0
        for note in harness.notes {
            if case .circuitOpened(0) = note { opened += 1 }
            if case .circuitClosed(0) = note { closed += 1 }
        }
        #expect(opened == 1 && closed == 1)
    }

    @Test("A probe whose intent was not written is not a probe: the next one may go")
    func abortedProbe() throws {
        let harness = Harness.owning { $0.circuitFailures = 1 }
        harness.answer(try #require(harness.call(event("e1", offset: 0))), refusedConnection)
        harness.commitAll()
        harness.wait(40_000)
        _ = harness.calls()
        for _ in 0..<2 {
            let plan = try #require(harness.begin())
            #expect(plan.kinds == ["attempting 2"])
            harness.end(plan, .aborted(culprits: [], groupIsStale: false))
        }
        harness.commit()
        #expect(harness.calls().count == 1)
    }

    @Test("What expires in a paused lane leaves it")
    func lanesForget() throws {
        let harness = Harness.owning()
        harness.answer(
            try #require(harness.call(event("e1", offset: 0))), refusal(.throttled, 429, after: .seconds(600)))
        harness.commitAll()
        for offset in 1..<20 {
            harness.admit(
                event(
                    "x\(offset)", offset: Int64(offset), campaign: "cd-\(offset)",
                    extra: #","expiresAt":"2025-10-09T08:53:25Z""#))
        }
        #expect(harness.machine.lanes.accounts[0].waiting == 20)
        harness.wait(5000)
        harness.commitAll()
        #expect(harness.machine.lanes.accounts[0].waiting == 1)
        #expect(harness.results.count == 19)
    }

    @Test("The wait between attempts doubles to its maximum, with jitter over the upper half")
    func retry() {
        let policy = RetryPolicy(initial: 1000, maximum: 60_000)
        var random = SeededRandom(seed: 3)
        for (failures, full) in [
            (1, 1000), (2, 2000), (6, 32_000), (7, 60_000), (20, 60_000), (21, 60_000), (Int.max, 60_000),
        ] as [(Int, Int64)] {
            var seen: Set<Int64> = []
            for _ in 0..<200 { seen.insert(policy.delay(after: failures, random: &random)) }
            #expect(seen.allSatisfy { (full / 2...full).contains($0) })
            #expect(seen.count > 50)
        }
    }
}
