import Records
import Testing

@testable import BridgeCore

/// The promises (design, section 1), as far as one replica's decisions make them.
@Suite("Promises", .timeLimit(.minutes(5)))
struct PromiseTests {
    static let records: [DecodedRecord] = [
        event("a", offset: 0), event("b", offset: 1, campaign: "cd-2"), event("a", offset: 2),
        event("c", offset: 3), event("b", offset: 4, campaign: "cd-9"), event("d", offset: 5, campaign: "cd-4"),
        RequestDecoder().decode(record("{", offset: 6)), event("e", offset: 7, campaign: "cd-5", timestamp: 0),
        event("b", offset: 8, campaign: "cd-2"), event("f", offset: 9, campaign: "cd-6"),
    ]

    @Test(
        "P1, P2: in random histories no event is started twice and each ends in exactly one result", arguments: 0..<60)
    func randomHistories(block: Int) {
        for seed in block * 4..<block * 4 + 4 {
            let history = History(seed: UInt64(seed), records: Self.records)
            let results = history.run(steps: 120)
            #expect(history.accepted.values.allSatisfy { $0 <= 1 }, "two starts of one event, seed \(seed)")
            var offsets: [Int64: String] = [:]
            for result in results {
                let offset = result.event.record.offset
                #expect(offsets[offset] == nil, "two results of record \(offset), seed \(seed)")
                offsets[offset] = result.summary
                let isAccepted = history.accepted[result.event.identity.requestID] == 1
                if result.summary.hasPrefix("started") { #expect(isAccepted, "started by nobody, seed \(seed)") }
                if isAccepted && offset != 4 {
                    #expect(result.summary.hasPrefix("started") || result.summary == "dead outcome-unknown")
                }
            }
            // Suppressed: 2 and 8; everything else has its own result.
            #expect(offsets.keys.sorted() == [0, 1, 3, 4, 5, 6, 7, 9], "seed \(seed)")
            #expect(offsets[4] == "dead identity-conflict" && offsets[6] == "dead invalid-json")
            #expect(offsets[7] == "dead unusable-time")
        }
    }

    @Test("P3: an unknown outcome is called unknown, is not sent again, and later records of it are suppressed")
    func unknown() throws {
        let harness = Harness.owning()
        harness.answer(try #require(harness.call(event("e1", offset: 0))), timeout)
        harness.decide(0)
        harness.commitAll()
        harness.admit(event("e1", offset: 1))
        harness.wait(2000)
        harness.commitAll()
        #expect(harness.calls().isEmpty)
        #expect(harness.results.map(\.summary) == ["dead outcome-unknown"])
        #expect(harness.groupOffsets[0] == 2)
    }

    @Test("P4: an outage makes no dead letters, and its end brings all back")
    func outage() {
        let harness = Harness.owning()
        for offset in 0..<10 { harness.admit(event("e\(offset)", offset: Int64(offset), campaign: "cd-\(offset)")) }
        var isUp = false
        for round in 0..<400 {
            harness.commitAll()
            for call in harness.calls() {
                let down: [AttemptResult] = [
                    refusedConnection, refusal(.unavailable, 503), refusal(.foreignAnswer, 404),
                    refusal(.throttled, 429),
                ]
                harness.answer(call, isUp ? active : down[round % 4])
            }
            harness.wait(10_000)
            if round == 300 {
                #expect(harness.results.isEmpty)
                isUp = true
            }
        }
        #expect(harness.results.count == 10)
        #expect(harness.results.allSatisfy { $0.summary == "started in-1 answer" })
    }

    @Test("P5: without a commit there is no call, whatever else goes on")
    func noCommitNoCall() {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0))
        for end in [
            TransactionEnd.aborted(culprits: [0], groupIsStale: false), .lost,
            .aborted(culprits: [], groupIsStale: true),
        ] {
            if let plan = harness.begin() {
                #expect(harness.calls().isEmpty)
                harness.end(plan, end)
            }
            harness.wait(60_000)
            #expect(harness.calls().isEmpty)
            harness.machine.producerReady(at: harness.now)
            harness.takeOver()
            harness.admit(event("e1", offset: 0))
        }
    }

    @Test("P6: an own intent that is taken up again after its event's expiry is not called")
    func expiredIntent() throws {
        let harness = Harness.owning()
        let soon = event("e1", offset: 0, extra: #","expiresAt":"2025-10-09T08:53:25Z""#)
        harness.admit(soon)
        let plan = try #require(harness.begin())
        harness.store(plan)
        harness.end(plan, .lost)
        harness.wait(10_000)
        harness.machine.producerReady(at: harness.now)
        harness.takeOver()
        harness.admit(soon)
        #expect(harness.calls().isEmpty)
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead expired"])
    }

    @Test("P8: bad records and a waiting campaign do not hold others")
    func badRecords() {
        let harness = Harness.owning()
        for offset in 0..<20 {
            harness.machine.admit(
                [RequestDecoder().decode(record("{", offset: Int64(offset)))], partition: 0, at: harness.now)
        }
        harness.admit(
            event("slow", offset: 20), event("behind", offset: 21), event("other", offset: 22, campaign: "cd-2"))
        #expect(harness.commit()?.writes.count == 22)
        #expect(harness.results.count == 20)
        #expect(harness.calls().map(\.call.campaignID) == ["cd-1", "cd-2"])
    }

    @Test("A ledger and a window of thousands of records are taken in whole")
    func large() {
        let harness = Harness(partitions: 1)
        let kept = record("{", offset: 0)
        for offset in 0..<3000 {
            harness.seed(
                .init(
                    record: RequestDecoder().decode(record("x", offset: Int64(offset))),
                    state: .started(instanceID: nil)))
        }
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        let events = (0..<3000).map { offset in
            var record = kept
            record.offset = Int64(20_000 + offset)
            return RequestDecoder().decode(record)
        }
        harness.machine.admit(events, partition: 0, at: harness.now)
        harness.commitAll()
        #expect(harness.results.count == 3000)
    }
}
