import Testing

@testable import Kafka

@Suite("Whether a transaction may be ended")
struct LeaderTests {
    private let start = ContinuousClock.now

    /// - Parameter seen: seconds at which was asked and answered, and whether all leaders were there.
    private func answers(_ seen: [(asked: Double, answered: Double, areAllThere: Bool)]) -> [Bool] {
        var watch = LeaderWatch()
        var answers: [Bool] = []
        for one in seen {
            answers.append(
                watch.mayEnd(
                    areAllThere: one.areAllThere, asked: start + .seconds(one.asked),
                    answered: start + .seconds(one.answered)))
        }
        return answers
    }

    @Test("at once where every partition has a leader")
    func calm() { #expect(answers([(0, 0.01, true)]) == [true]) }

    @Test("after a partition without a leader: once all have had theirs for three seconds on end")
    func headless() {
        let seen = answers([
            (0, 0.01, false), (1, 1.01, true), (3, 3.01, true), (3.2, 3.21, false), (4, 4.01, true), (6, 6.9, true),
            (7, 7.01, true),
        ])
        #expect(seen == [false, false, false, false, false, false, true])
    }

    @Test("an answer that is late tells nothing: the broker may have stood still")
    func late() {
        let seen = answers([(0, 12, true), (12, 12.01, true), (14, 14.01, true), (15, 15.02, true)])
        #expect(seen == [false, false, false, true])
    }
}
