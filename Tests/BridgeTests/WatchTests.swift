import Configuration
import Kafka
import Records
import Testing

@testable import Bridge

@Suite("Fences of a producer")
struct FenceTests {
    @Test("The third within two minutes is by another process, one now and then is not")
    func another() {
        let start = ContinuousClock.now
        func verdicts(_ seconds: [Int]) -> [Bool] {
            var fences = Fences()
            return seconds.map { fences.areByAnother(at: start + .seconds($0)) }
        }
        #expect(verdicts([0, 20, 40]) == [false, false, true])
        #expect(verdicts([0, 20, 121, 240, 262]) == [false, false, false, false, false])
    }
}

@Suite("Places that stand, and ends of the consumer", .timeLimit(.minutes(5)))
struct WatchTests {
    private let place = TopicPartition("started", 1)

    @Test("A partition is told of once it has stood at one place for the limit, and again after another")
    func stands() {
        var ends = StandingEnds(limit: 1000)
        #expect(ends.standing([place: 5], at: 0) == [])
        #expect(ends.standing([place: 5], at: 999) == [])
        #expect(ends.standing([place: 5], at: 1000) == [place])
        #expect(ends.standing([place: 5], at: 1500) == [])
        #expect(ends.standing([place: 5], at: 2000) == [place])
    }

    @Test("One that moves, or that reaches its end, begins anew")
    func moves() {
        var ends = StandingEnds(limit: 1000)
        #expect(ends.standing([place: 5], at: 0) == [])
        #expect(ends.standing([place: 6], at: 1000) == [])
        #expect(ends.standing([place: Int64?.none], at: 1500) == [])
        #expect(ends.standing([place: 6], at: 2000) == [])
        #expect(ends.standing([place: 6], at: 3000) == [place])
    }

    @Test("A fence soon after an outage is this replica's own; at another time it is a twin's")
    func fences() {
        let settings = BridgeSettings()
        func end(_ code: KafkaError.Code, failedAt: Int64) -> ServiceEnd {
            .ended(by: KafkaError(code), of: settings, failedAt: failedAt, at: 100_000)
        }
        guard case .joinAnew(_, isFence: true) = end(.fencedInstanceID, failedAt: 60_000) else {
            Issue.record("it does not join anew")
            return
        }
        guard case .twin = end(.fencedInstanceID, failedAt: 30_000), case .twin = end(.fencedInstanceID, failedAt: .min)
        else {
            Issue.record("a twin is not told")
            return
        }
        guard case .failed = end(.fatal, failedAt: 60_000) else {
            Issue.record("another error is not the end")
            return
        }
    }
}
