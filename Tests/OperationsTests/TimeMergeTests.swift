import Testing

@testable import Operations

@Suite("Several partitions in one order of time", .timeLimit(.minutes(5)))
struct TimeMergeTests {
    @Test("Nothing is given before every partition has come to its time")
    func order() {
        var merge = TimeMerge<String>(partitions: [0, 1], capacity: 100)
        for time in [1, 4, 9] { merge.add("a\(time)", time: Int64(time), from: 0) }
        merge.seen(9, in: 0)
        #expect(merge.take() == [])
        merge.add("b2", time: 2, from: 1)
        merge.seen(5, in: 1)
        #expect(merge.take() == ["a1", "b2", "a4"])
        merge.ended(1)
        #expect(merge.take() == ["a9"])
    }

    @Test("A partition whose own times go back keeps its order")
    func backwards() {
        var merge = TimeMerge<Int>(partitions: [0, 1], capacity: 100)
        for (number, time) in [5, 3, 7].enumerated() { merge.add(number, time: Int64(time), from: 0) }
        merge.add(10, time: 4, from: 1)
        merge.ended(0)
        merge.ended(1)
        #expect(merge.take() == [10, 0, 1, 2])
    }

    @Test("One that is far ahead is full, the one that all wait for never is")
    func full() {
        var merge = TimeMerge<Int>(partitions: [0, 1], capacity: 8)
        for time in 0..<4 {
            merge.add(time, time: Int64(100 + time), from: 0)
            merge.seen(Int64(100 + time), in: 0)
        }
        #expect(merge.full == [0] && merge.roomy == [1])
        for time in 0..<50 {
            merge.add(time, time: Int64(time), from: 1)
            merge.seen(Int64(time), in: 1)
            #expect(merge.take() == [time])
        }
        #expect(merge.full == [0])
        merge.seen(102, in: 1)
        #expect(merge.take() == [0, 1, 2])
        #expect(merge.full == [] && merge.roomy == [0, 1])
    }
}
