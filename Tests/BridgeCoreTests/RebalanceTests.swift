import Records
import Testing

@testable import BridgeCore

/// Take-over, held revokes, the end of the process.
@Suite("Take-over, revokes, drain", .timeLimit(.minutes(5)))
struct RebalanceTests {
    @Test("A take-over asks for the offset, then the marks, then the ledger, then the control topic, then begins")
    func order() {
        let harness = Harness(partitions: 2)
        harness.groupOffsets[0] = 12
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        var seen: [String] = []
        harness.takeOver { step in
            switch step {
            case .committedOffset: seen.append("offset")
            case .marks: seen.append("marks")
            case .readLedger: seen.append("ledger")
            case .readControl: seen.append("control")
            case .start(0, let offset): seen.append("start \(offset)")
            default: seen.append("other")
            }
            return false
        }
        #expect(seen == ["offset", "marks", "ledger", "control", "start 12"])
    }

    @Test("Nothing is asked before the producer has ended the transactions of the one before it")
    func producerFirst() {
        let harness = Harness()
        harness.assign([0])
        #expect(harness.takeOverSteps().isEmpty)
        harness.machine.producerReady(at: harness.now)
        #expect(harness.takeOverSteps() == [.committedOffset(partition: 0, epoch: 1)])
    }

    @Test("The ledger is read to its mark, not to a stop before it, and records before that are not taken")
    func readToTheMark() {
        let harness = Harness()
        for offset in 0..<3 { harness.seed(.open("e\(offset)", offset: Int64(offset))) }
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        // The driver's own: two of three entries, and an end before the mark.
        harness.takeOver { step in
            guard case .readLedger(let partition, _) = step else { return false }
            for record in (harness.ledger[0] ?? []).prefix(2) {
                harness.machine.ledger(
                    partition: partition, LedgerWire.read(key: record.key, value: record.value), at: harness.now)
            }
            harness.machine.ledgerEnd(partition: 0, offset: 2, at: harness.now)
            return true
        }
        #expect(harness.takeOverSteps().isEmpty)
        harness.admit(event("x", offset: 9, campaign: "cd-9"))
        #expect(harness.begin() == nil)
        harness.machine.ledgerEnd(partition: 0, offset: 3, at: harness.now)
        #expect(harness.takeOverSteps().count == 1)
    }

    @Test("What the ledger shows of an earlier take-over does not count for a new one")
    func staleTail() {
        let harness = Harness.owning()
        harness.revoke([0], isLost: true)
        harness.seed(.open("e1", offset: 0))
        harness.assign([0])
        harness.machine.ledgerEnd(partition: 0, offset: 100, at: harness.now)
        var isRead = false
        harness.takeOver { step in
            if case .readLedger = step { isRead = true }
            if case .readControl = step, !isRead { Issue.record("the ledger was not read") }
            return false
        }
        harness.admit(event("e1", offset: 0))
        #expect(harness.commit() == nil, "in doubt")
    }

    @Test("Answers to a take-over that is over change nothing")
    func staleAnswers() {
        let harness = Harness(partitions: 1)
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        let old = harness.takeOverSteps()
        harness.assign([0])
        for step in old { harness.answer(step) }
        harness.machine.controlRead(partition: 0, epoch: 1, at: harness.now)
        harness.machine.takeOverFailed(partition: 0, epoch: 1, "no")
        harness.takeOver()
        #expect(harness.started == [.start(partition: 0, offset: 0)])
    }

    @Test("A source that was made anew under its name is blocked, and stays so after an unknown commit")
    func recreated() throws {
        let harness = Harness(partitions: 2)
        harness.groupOffsets[0] = 50
        harness.sourceHigh[0] = 10
        harness.machine.producerReady(at: harness.now)
        harness.assign([0, 1])
        harness.takeOver()
        harness.collect()
        #expect(harness.started == [.start(partition: 1, offset: 0)])
        #expect(
            harness.notes.contains {
                if case .partition(0, .blocked(let text)) = $0 { text.contains("made anew") } else { false }
            })
        harness.machine.admit([event("e1", offset: 0, partition: 1)], partition: 1, at: harness.now)
        let plan = try #require(harness.begin())
        harness.sourceHigh[0] = 60
        harness.end(plan, .lost)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        #expect(!harness.started.contains { if case .start(0, _) = $0 { true } else { false } })
    }

    @Test("A gap behind retention and missing offsets beside a full ledger are named")
    func named() {
        let harness = Harness(partitions: 2)
        harness.groupOffsets[0] = 5
        harness.sourceLow[0] = 8
        harness.seed(.init(partition: 1, record: event("e", offset: 0, partition: 1), state: .started(instanceID: nil)))
        harness.machine.producerReady(at: harness.now)
        harness.assign([0, 1])
        harness.takeOver()
        harness.collect()
        let news: [PartitionNews] = harness.notes.compactMap {
            if case .partition(_, let news) = $0 { news } else { nil }
        }
        #expect(news.contains(.gap(from: 5, to: 8)))
        #expect(news.contains(.offsetsMissing(entries: 1)))
        harness.wait(2000)
        #expect(harness.commit()?.offsets == [0: 8], "the start above the group's offset is written down")
    }

    @Test("A held revoke is answered when its calls have ended and their outcomes are committed")
    func heldRevoke() throws {
        let harness = Harness.owning([0, 1])
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.admit(event("e2", offset: 1, campaign: "cd-2"), event("e3", offset: 2, campaign: "cd-3"))
        let open = try #require(harness.begin())
        let number = harness.revoke([0])
        #expect(harness.finishedRevokes().isEmpty)
        harness.end(open, .committed)
        #expect(harness.calls().isEmpty, "nothing new begins")
        #expect(harness.commit()?.kinds == ["released 1 not-sent", "released 1 not-sent"])
        #expect(harness.begin() == nil)
        #expect(harness.finishedRevokes().isEmpty)
        harness.answer(call, active)
        #expect(harness.finishedRevokes().isEmpty)
        #expect(harness.commit()?.kinds == ["started in-1"])
        #expect(harness.finishedRevokes() == [number])
        #expect(harness.finishedRevokes().isEmpty)
        harness.admit(event("e4", offset: 3))
        #expect(harness.begin() == nil, "it is not ours any more")
        #expect(harness.lates.isEmpty)
    }

    @Test("A held revoke is answered at its deadline, and what is under way then becomes late")
    func revokeDeadline() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        let number = harness.revoke([0], holdFor: 30_000)
        #expect(harness.wake() <= harness.now.monotonic + 30_000)
        harness.wait(29_999)
        #expect(harness.finishedRevokes().isEmpty)
        harness.wait(1)
        #expect(harness.finishedRevokes() == [number])
        harness.answer(call, active)
        #expect(harness.lates.count == 1)
        #expect(harness.machine.inHand.isEmpty)
    }

    @Test("An assignment ends a held revoke; it is never answered, and its partition is taken over anew")
    func overtaken() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.revoke([0])
        harness.assign([0])
        #expect(harness.finishedRevokes().isEmpty)
        harness.takeOver()
        harness.wait(100_000)
        #expect(harness.finishedRevokes().isEmpty)
        harness.admit(event("e1", offset: 0))
        harness.answer(call, active)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"])
    }

    @Test("An overtaken revoke gives up what the new assignment does not name")
    func overtakenWithout() {
        let harness = Harness.owning([0, 1])
        harness.revoke([0, 1])
        harness.assign([1])
        harness.takeOver()
        #expect(harness.machine.partitions.keys.sorted() == [1])
        #expect(harness.stopped.sorted() == [0, 1])
    }

    @Test("A lost assignment gives up at once, with answers, intents and releases handed on")
    func lost() throws {
        let harness = Harness.owning()
        for offset in 0..<4 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        harness.commit()
        let calls = harness.calls()
        harness.answer(calls[0], active)
        harness.answer(calls[1], timeout)
        harness.answer(calls[2], refusal(.throttled, 429))
        harness.revoke([0], isLost: true)
        harness.collect()
        #expect(harness.finishedRevokes().isEmpty)
        #expect(harness.lates.count == 2, "what is unknown is not told")
        harness.answer(calls[3], .rejected(Rejection(status: 404, message: "no")))
        #expect(harness.lates.count == 3)
        #expect(harness.machine.inHand.isEmpty && harness.machine.partitions.isEmpty)
        #expect(harness.begin() == nil)
    }

    @Test("A drain begins nothing, releases what is not called, waits for calls and their commit")
    func drain() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.admit(event("e2", offset: 1, campaign: "cd-2"), event("e3", offset: 2, campaign: "cd-2"))
        harness.commit()
        harness.machine.beginDrain()
        #expect(!harness.isDrained)
        #expect(harness.calls().isEmpty)
        #expect(harness.commit()?.kinds == ["released 1 not-sent"])
        #expect(!harness.isDrained)
        harness.answer(call, active)
        #expect(!harness.isDrained)
        let plan = try #require(harness.begin())
        #expect(!harness.isDrained)
        harness.end(plan, .committed)
        #expect(harness.begin() == nil && harness.isDrained)
        #expect(harness.groupOffsets[0] == 1)
    }

    @Test("A drain ends where nothing ever came, also with a start above the group's offset")
    func drainOfNothing() {
        let harness = Harness()
        harness.sourceLow[0] = 7
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.machine.beginDrain()
        harness.commitAll()
        #expect(harness.isDrained)
        #expect(harness.groupOffsets[0] == 7)
    }

    @Test("A drain hands answers on whose take-over will not be finished")
    func drainWithHands() throws {
        let harness = Harness.owning()
        let first = try #require(harness.call(event("e1", offset: 0)))
        let second = try #require(harness.call(event("e2", offset: 1, campaign: "cd-2")))
        harness.answer(first, active)
        let plan = try #require(harness.begin())
        harness.end(plan, .lost)
        harness.machine.beginDrain()
        harness.collect()
        #expect(harness.lates.count == 1)
        #expect(!harness.isDrained)
        harness.answer(second, active)
        #expect(harness.lates.count == 2)
        #expect(harness.isDrained)
    }

    @Test("A full window pauses its partition, and room in it resumes it")
    func flow() throws {
        let harness = Harness.owning { $0.windowRecords = 4 }
        for offset in 0..<4 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        #expect(harness.flow() == FlowChange(pause: [0]))
        #expect(harness.flow() == FlowChange())
        harness.commit()
        let calls = harness.calls()
        harness.answer(calls[0], active)
        harness.commitAll()
        #expect(harness.flow() == FlowChange())
        harness.answer(calls[1], active)
        harness.commitAll()
        #expect(harness.flow() == FlowChange(resume: [0]))
    }

    @Test("The watermark moves to the end of the source behind markers and gaps")
    func sourceEnd() {
        let harness = Harness.owning()
        harness.machine.sourceEnd(partition: 0, offset: 9, at: harness.now)
        #expect(harness.commit() == nil)
        harness.wait(1000)
        #expect(harness.commit()?.offsets == [0: 9])
        harness.wait(1000)
        #expect(harness.commit() == nil)
    }

    @Test("A revoke that takes over a held one lets the calls of its partitions end")
    func revokeOverRevoke() throws {
        let harness = Harness.owning([0, 1])
        let call = try #require(harness.call(event("e", offset: 0)))
        harness.revoke([0])
        let second = harness.revoke([1, 0])
        #expect(harness.finishedRevokes().isEmpty)
        harness.answer(call, active)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["started in-1 answer"])
        #expect(harness.finishedRevokes().contains(second))
        #expect(harness.lates.isEmpty)
    }
}
