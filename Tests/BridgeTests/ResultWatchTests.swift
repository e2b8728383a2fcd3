import Records
import Testing

@testable import Bridge

@Suite("Results that stand", .timeLimit(.minutes(5)))
struct ResultWatchTests {
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
}
