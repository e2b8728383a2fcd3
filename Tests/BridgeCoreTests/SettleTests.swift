import Records
import Testing

@testable import BridgeCore

/// What follows from each result of an attempt (design, section 3).
@Suite("What an attempt comes to", .timeLimit(.minutes(5)))
struct SettleTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var result: AttemptResult
        /// What is written next; nil: nothing, the attempt is in doubt.
        var writes: String?
        /// Whether a further attempt's intent can be written at once.
        var isTriedAtOnce = false
        var testDescription: String { "\(result)" }
    }

    static let rows: [Row] = [
        Row(result: active, writes: "started in-1"),
        Row(result: .started(StartAnswer(status: "Active")), writes: "started -"),
        Row(result: .notSent(cause: "connect"), writes: "released 1 not-sent"),
        Row(result: .notSent(cause: "cancelled"), writes: "released 1 not-sent"),
        Row(result: .notSent(cause: "token_expired"), writes: "released 1 not-sent", isTriedAtOnce: true),
        Row(result: refusal(.throttled, 429), writes: "released 1 refused"),
        Row(result: refusal(.unavailable, 503), writes: "released 1 refused"),
        Row(result: refusal(.credentials, 401), writes: "released 1 credentials", isTriedAtOnce: true),
        Row(result: refusal(.foreignAnswer, 404), writes: "released 1 refused"),
        Row(result: .rejected(Rejection(status: 404, message: "no")), writes: "dead rejected"),
        Row(result: .unknown(cause: "timeout", status: nil), writes: nil),
        Row(result: .unknown(cause: "status", status: 502), writes: nil),
    ]

    @Test("Each result leads to its entry, its result and its next attempt", arguments: rows)
    func table(row: Row) throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        harness.answer(call, row.result)
        let plan = harness.commit()
        #expect(plan?.kinds == row.writes.map { [$0] })
        #expect((harness.commit()?.kinds == ["attempting 2"]) == row.isTriedAtOnce)
        let isEnded = row.writes.map { $0.hasPrefix("started") || $0.hasPrefix("dead") } ?? false
        #expect(harness.results.count == (isEnded ? 1 : 0))
        #expect(harness.machine.inHand.count == (row.writes == nil ? 1 : 0))
    }

    @Test("An answer is taken once, and only for its own attempt")
    func answeredTwice() throws {
        let harness = Harness.owning()
        let call = try #require(harness.call(event("e1", offset: 0)))
        var other = call
        other.attempt.number = 2
        harness.answer(other, active)
        #expect(harness.commit() == nil)
        harness.answer(call, refusedConnection)
        harness.answer(call, active)
        harness.commitAll()
        #expect(harness.results.isEmpty)
    }

    @Test("An attempt that was not sent is tried again without a limit of attempts until its expiry")
    func noAttemptLimit() throws {
        let harness = Harness.owning { $0.maximumAge = 3_600_000 }
        harness.admit(event("e1", offset: 0))
        var attempts: Int32 = 0
        while harness.results.isEmpty && attempts < 1000 {
            harness.commitAll()
            for call in harness.calls() {
                attempts += 1
                #expect(call.attempt.number == attempts)
                harness.answer(call, refusedConnection)
            }
            harness.wait(15_000)
        }
        #expect(attempts > 30)
        #expect(harness.results.map(\.summary) == ["dead expired"])
    }

    @Test("A second 401 is a rejection, also after a take-over in between", arguments: [false, true])
    func secondCredentials(takenOver: Bool) throws {
        var harness = Harness.owning()
        harness.answer(try #require(harness.call(event("e1", offset: 0))), refusal(.credentials, 401))
        harness.commit()
        if takenOver {
            let next = Harness(owner: "replica-1/b2")
            next.ledger = harness.ledger
            next.machine.producerReady(at: next.now)
            next.assign([0])
            next.takeOver()
            next.admit(event("e1", offset: 0))
            harness = next
        }
        harness.commit()
        harness.answer(try #require(harness.calls().first), refusal(.credentials, 403))
        harness.commitAll()
        #expect(harness.results.map(\.summary) == ["dead rejected"])
    }

    @Test("A page that is not the API's rejects only when the API itself has answered others meanwhile")
    func foreignAnswers() throws {
        let harness = Harness.owning { $0.circuitFailures = 100 }
        harness.answer(try #require(harness.call(event("x", offset: 0, campaign: "cd-9"))), active)
        harness.commitAll()
        harness.answer(try #require(harness.call(event("a", offset: 1))), refusal(.foreignAnswer, 404))
        harness.commitAll()
        harness.wait(2000)
        _ = harness.calls()
        harness.commitAll()
        harness.answer(try #require(harness.calls().first), refusal(.foreignAnswer, 404))
        harness.commitAll()
        #expect(harness.results.count == 1, "two in a row are an outage: nothing is rejected")

        harness.wait(40_000)
        harness.answer(try #require(harness.call(event("y", offset: 2, campaign: "cd-8"))), active)
        harness.commitAll()
        harness.answer(try #require(harness.calls().first), refusal(.foreignAnswer, 404))
        harness.commitAll()
        #expect(harness.results.last?.summary == "dead rejected")
    }

    @Test("A refusal pauses its account for as long as it asks, and never for no time")
    func pauses() throws {
        for (told, least, most) in [
            (Duration.seconds(7), 7000, 7700), (nil, 60_000, 66_000), (.seconds(1_000_000), 900_000, 900_000),
            (.zero, 1, 2), (.seconds(-5), 1, 2),
            (Duration(secondsComponent: .max, attosecondsComponent: 0), 900_000, 900_000),
        ] as [(Duration?, Int64, Int64)] {
            let harness = Harness.owning()
            harness.answer(
                try #require(harness.call(event("e1", offset: 0))), refusal(.throttled, 429, after: told))
            let pause = harness.machine.lanes.accounts[0].pausedUntil - harness.now.monotonic
            #expect((least...most).contains(pause), "\(String(describing: told)): \(pause)")
            harness.commit()
            #expect(harness.commit() == nil)
            harness.wait(pause)
            #expect(harness.commit()?.kinds == ["attempting 2"])
        }
    }

    @Test("An expired event is not called: before its lane, before its intent, and before its call")
    func expiry() throws {
        let soon = #","expiresAt":"2025-10-09T08:53:25Z""#
        let before = Harness.owning()
        before.wait(5000)
        before.admit(event("e1", offset: 0, extra: soon))
        #expect(before.commit()?.kinds == ["dead expired"])

        let waiting = Harness.owning()
        waiting.admit(event("e1", offset: 0, extra: soon))
        waiting.wait(5000)
        waiting.commitAll()
        #expect(waiting.calls().isEmpty)
        #expect(waiting.results.map(\.summary) == ["dead expired"])

        let intended = Harness.owning()
        intended.admit(event("e1", offset: 0, extra: soon))
        #expect(intended.commit()?.kinds == ["attempting 1"])
        intended.wait(5000)
        #expect(intended.calls().isEmpty)
        #expect(intended.commit()?.kinds == ["released 1 not-sent"])
        intended.commitAll()
        #expect(intended.results.map(\.summary) == ["dead expired"])
    }

    @Test("An event is not called before its notBefore, and at it")
    func notBefore() {
        let harness = Harness.owning()
        harness.admit(event("e1", offset: 0, extra: #","notBefore":"2025-10-09T08:53:25Z""#))
        #expect(harness.commit() == nil)
        harness.wait(4999)
        _ = harness.calls()
        #expect(harness.commit() == nil)
        harness.wait(1)
        _ = harness.calls()
        #expect(harness.commit()?.kinds == ["attempting 1"])
    }

    @Test("A notBefore at the end of the event's maximum age is turned away at once")
    func notBeforeTooLate() {
        let harness = Harness.owning { $0.maximumAge = 5000 }
        harness.admit(event("e1", offset: 0, extra: #","notBefore":"2025-10-09T08:53:25Z""#))
        #expect(harness.commit()?.kinds == ["dead invalid-data"])
    }

    @Test("A faulty record ends as a dead letter of its own reason, without a call")
    func faults() {
        let harness = Harness.owning(
            connections: [.init(name: "main", streams: ["st-1"], accountID: "acc-1", requestsPerMinute: 0)])
        let decoder = RequestDecoder()
        harness.admit(
            decoder.decode(record(nil, offset: 0)), decoder.decode(record("{", offset: 1)),
            event("s", offset: 2, stream: "st-9"), event("a", offset: 3, extra: #","accountId":"acc-2""#),
            event("ok", offset: 4, extra: #","accountId":"acc-1""#))
        harness.commitAll()
        #expect(
            Set(harness.results.map { "\($0.event.record.offset) \($0.summary)" }) == [
                "0 dead empty-record", "1 dead invalid-json", "2 dead unknown-stream", "3 dead account-mismatch",
            ])
        #expect(harness.calls().count == 1)
    }

    @Test("A result that the topic does not take for its size is shortened alone, the others stay whole")
    func culprit() throws {
        let harness = Harness.owning()
        let decoder = RequestDecoder()
        harness.admit(decoder.decode(record("[", offset: 0)), decoder.decode(record("{", offset: 1)))
        for expected in [Shortening.none, .withoutValue, .withoutHeaders] {
            let plan = try #require(harness.begin())
            let index = try #require(plan.writes.firstIndex { $0.result?.event.record.offset == 0 })
            #expect(plan.writes[index].result?.shortening == expected)
            #expect(plan.writes[1 - index].result?.shortening == Shortening.none)
            harness.end(plan, .aborted(culprits: [index, 99], groupIsStale: false))
        }
        // P8: it waits, and does not end the others' transactions.
        harness.commitAll()
        #expect(harness.results.map(\.event.record.offset) == [1])
        #expect(harness.machine.snapshot(at: harness.now).writesRefused == 1)
        harness.wait(1000)
        _ = harness.calls()
        harness.commitAll()
        #expect(harness.results.map(\.event.record.offset) == [1, 0])
    }

    @Test("An intent that the ledger does not take for its size waits, and the others are called")
    func culpritIntent() throws {
        let harness = Harness.owning()
        harness.admit(event("large", offset: 0, campaign: "cd-1"), event("small", offset: 1, campaign: "cd-2"))
        let plan = try #require(harness.begin())
        #expect(plan.kinds == ["attempting 1", "attempting 1"])
        harness.end(plan, .aborted(culprits: [0], groupIsStale: false))
        #expect(harness.machine.snapshot(at: harness.now).writesRefused == 1)
        harness.commitAll()
        #expect(harness.calls().map(\.call.campaignID) == ["cd-2"])
        // It is tried again, in case the topic takes more by now.
        harness.wait(1000)
        _ = harness.calls()
        harness.commitAll()
        #expect(harness.calls().map(\.call.campaignID) == ["cd-1"])
        #expect(harness.machine.snapshot(at: harness.now).writesRefused == 0)
    }
}
