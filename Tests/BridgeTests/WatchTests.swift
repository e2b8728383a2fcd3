import Configuration
import Kafka
import Records
import Testing

@testable import Bridge

@Suite("Fences")
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

@Suite("Losses")
struct LossTests {
    @Test("The sixth producer in a row that is lost ends the service, and says why")
    func most() {
        var losses = Losses()
        let error = KafkaError(.timedOut, "it hangs")
        let ends = (1...6).map { _ in losses.countOne(error) }
        #expect(ends.dropLast().allSatisfy { $0 == nil })
        #expect(ends.last == .failed("6 transactional producers in a row were lost: \(error)"))
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

    @Test("A fence of the consumer joins anew, another fatal error ends the service")
    func fences() {
        guard
            case .joinAnew(let text, isFence: true) = ServiceEnd.ended(
                by: KafkaError(.fencedInstanceID), of: BridgeSettings())
        else {
            Issue.record("it does not join anew")
            return
        }
        #expect(text.contains("replica.name"))
        guard case .failed = ServiceEnd.ended(by: KafkaError(.fatal), of: BridgeSettings()) else {
            Issue.record("another error is not the end")
            return
        }
    }
}
