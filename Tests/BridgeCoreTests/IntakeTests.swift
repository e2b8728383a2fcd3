import Records
import Testing

@testable import BridgeCore

/// A machine in a class, so that a test may ask it inside an expectation.
final class TestMover {
    var machine: IntakeMachine
    static let now = Moment(wall: 0, monotonic: 0)

    init(_ settings: IntakeMachine.Settings = .init()) { machine = IntakeMachine(settings: settings) }

    /// A replica that owns these partitions from offset 0 on.
    static func owning(_ partitions: [Int32] = [0], _ settings: IntakeMachine.Settings = .init()) -> TestMover {
        let mover = TestMover(settings)
        mover.machine.producerReady()
        mover.machine.assigned(number: 1, partitions: partitions)
        mover.takeOver()
        return mover
    }

    func takeOver(own: Int64? = nil, direct: Int64? = nil, high: Int64 = 100) {
        while true {
            let steps = steps()
            if steps.isEmpty { return }
            for step in steps {
                switch step {
                case .committedOffsets(let number, let epoch):
                    machine.committedOffsets(partition: number, epoch: epoch, own: own, direct: direct)
                case .ends(let number, let epoch):
                    machine.ends(partition: number, epoch: epoch, low: 0, high: high, at: Self.now)
                case .start, .sight: break
                }
            }
        }
    }

    static func records(_ partition: Int32, _ offsets: Range<Int64>) -> [MovedRecord] {
        offsets.map {
            IntakeRecordTests.mover.move(IntakeRecordTests.event("e\($0)", partition: partition, offset: $0))
        }
    }

    func steps() -> [IntakeStep] { machine.takeSteps() }
    func next(at monotonic: Int64 = 0) -> IntakePlan? {
        machine.nextTransaction(at: Moment(wall: 0, monotonic: monotonic))
    }
    func end(_ plan: IntakePlan, _ end: TransactionEnd) { machine.transactionEnded(plan.id, end, at: Self.now) }
    func mayCommit(_ plan: IntakePlan) -> Bool { machine.mayStillCommit(plan.id) }
    func awaitsSight(of plan: IntakePlan) -> Bool { machine.awaitsSight(of: plan.id) }
    func finishedRevokes() -> [Int] { machine.finishedRevokes(at: Self.now) }
    func flow() -> FlowChange { machine.flow() }
    var blocked: [Int32] { machine.blocked }
}

/// The mover's decisions one by one.
@Suite("Intake machine")
struct IntakeTests {
    @Test("A settling transaction's marks are no events")
    func marks() throws {
        let mover = TestMover()
        mover.machine.producerReady(settling: 3)
        mover.machine.assigned(number: 1, partitions: [0])
        mover.takeOver()
        mover.machine.admit(TestMover.records(0, 0..<1), partition: 0)
        let plan = try #require(mover.next())
        let marks = IntakeRecordTests.mover.marks(of: plan)
        #expect(plan.records.isEmpty && marks.map(\.partition) == [0, 1, 2])
        for mark in marks {
            let record = Record(
                topic: "intake", partition: 0, offset: 0, timestamp: 0, key: mark.key, value: mark.value,
                headers: mark.headers)
            #expect(record.isMark)
        }
        let moved = IntakeRecordTests.stored(IntakeRecordTests.mover.move(IntakeRecordTests.event("a")))
        #expect(!moved.isMark)
        // Tried again after an abort, and not for ever.
        mover.end(plan, .aborted(culprits: [], groupIsStale: false))
        for _ in 0..<2 {
            let again = try #require(mover.next())
            #expect(again.settles == 3)
            mover.end(again, .aborted(culprits: [], groupIsStale: false))
        }
        let then = try #require(mover.next())
        #expect(then.settles == 0 && then.records.count == 1)
        mover.end(then, .committed)
        // A take-over that gets no offsets may wait for what is left open.
        mover.machine.assigned(number: 2, partitions: [0])
        #expect(mover.next(at: 50_000)?.settles == 3)
    }

    @Test("What a broker may have left open is settled where readers are held up, and after partitions were given up")
    func settlesLater() throws {
        let mover = TestMover.owning()
        mover.machine.producerReady(settling: 2)
        let first = try #require(mover.next())
        mover.end(first, .committed)
        #expect(mover.next() == nil)
        mover.machine.readersAreHeldUp()
        let second = try #require(mover.next())
        #expect(second.settles == 2)
        mover.end(second, .committed)
        #expect(mover.next() == nil)
        mover.machine.revoked(number: 2, partitions: [0], isLost: false, deadline: 1000)
        #expect(mover.finishedRevokes() == [2])
        #expect(mover.next()?.settles == 2)
    }

    @Test("L5: records wait until readers have seen the end of what was committed, or it is settled")
    func sight() throws {
        let mover = TestMover.owning()
        mover.machine.producerReady(settling: 2)
        mover.end(try #require(mover.next()), .committed)
        mover.machine.admit(TestMover.records(0, 0..<1), partition: 0)
        let first = try #require(mover.next())
        mover.end(first, .committed)
        let partitions = first.records.compactMap(\.outgoing.partition)
        #expect(mover.steps() == [.sight(transaction: first.id, partitions: partitions)])
        mover.machine.admit(TestMover.records(0, 1..<2), partition: 0)
        mover.machine.sighted(transaction: first.id + 1)
        #expect(mover.next() == nil && mover.awaitsSight(of: first))
        mover.machine.sighted(transaction: first.id)
        #expect(!mover.awaitsSight(of: first))
        let second = try #require(mover.next())
        #expect(second.records.count == 1)
        mover.end(second, .committed)
        mover.machine.admit(TestMover.records(0, 2..<3), partition: 0)
        #expect(mover.next(at: 4999) == nil)
        let settling = try #require(mover.next(at: 5000))
        #expect(settling.settles == 2)
        mover.end(settling, .committed)
        #expect(mover.next(at: 5000)?.records.count == 1)
    }

    @Test("L2: a transaction has the offset behind its records, of each partition")
    func offsets() throws {
        var settings = IntakeMachine.Settings()
        settings.maximumTransaction = 5
        let mover = TestMover.owning([0, 1], settings)
        mover.machine.admit(TestMover.records(0, 0..<4), partition: 0)
        mover.machine.admit(TestMover.records(1, 0..<2), partition: 1)
        let first = try #require(mover.next())
        #expect(first.offsets == [0: 3, 1: 2])
        #expect(first.records.count == 5 && mover.next() == nil)
        mover.end(first, .committed)
        let second = try #require(mover.next())
        #expect(second.offsets == [0: 4] && second.records.map(\.origin.offset) == [3])
    }

    @Test("L1: a new assignment, a lost partition, a stale group and a source made anew end the open transaction")
    func assignment() throws {
        for change in 0..<4 {
            let mover = TestMover.owning()
            mover.machine.admit(TestMover.records(0, 0..<2), partition: 0)
            let plan = try #require(mover.next())
            #expect(mover.mayCommit(plan))
            switch change {
            case 0: mover.machine.assigned(number: 2, partitions: [])
            case 1: mover.machine.revoked(number: 2, partitions: [0], isLost: true, deadline: 0)
            case 2: mover.machine.assigned(number: 2, partitions: [0])
            default: mover.machine.sourceBroken(partition: 0)
            }
            let isAllowed = mover.mayCommit(plan)
            #expect(!isAllowed, "change \(change)")
            // And its committed offset is asked for only once it has ended: it could still move it.
            #expect(mover.steps().isEmpty, "change \(change)")
            mover.end(plan, .aborted(culprits: [], groupIsStale: false))
            #expect(mover.steps().isEmpty == (change < 2), "change \(change)")
        }
        let mover = TestMover.owning()
        mover.machine.admit(TestMover.records(0, 0..<2), partition: 0)
        let plan = try #require(mover.next())
        mover.end(plan, .aborted(culprits: [], groupIsStale: true))
        let next = mover.next()
        #expect(next == nil)
    }

    @Test("A revoke is held while its partition's transaction is open, and not longer than its deadline")
    func revoke() throws {
        let mover = TestMover.owning()
        mover.machine.admit(TestMover.records(0, 0..<9), partition: 0)
        let plan = try #require(mover.next())
        mover.machine.revoked(number: 2, partitions: [0], isLost: false, deadline: 50)
        #expect(mover.mayCommit(plan))
        let early = mover.finishedRevokes()
        #expect(early == [])
        mover.end(plan, .committed)
        let then = mover.finishedRevokes()
        #expect(then == [2])
        let after = mover.next()
        #expect(after == nil)
    }

    @Test("What was aborted comes again in its order, the culprit shortened")
    func aborted() throws {
        let mover = TestMover.owning()
        mover.machine.admit(TestMover.records(0, 0..<3), partition: 0)
        let plan = try #require(mover.next())
        mover.machine.admit(TestMover.records(0, 3..<4), partition: 0)
        mover.end(plan, .aborted(culprits: [1], groupIsStale: false))
        let again = try #require(mover.next())
        #expect(again.records.map(\.origin.offset) == [0, 1, 2, 3])
        #expect(again.records.map { $0.origin.omitted != nil } == [false, true, false, false])
    }

    @Test("L5: after a lost transaction everything begins anew with a new producer")
    func lost() throws {
        let mover = TestMover.owning()
        mover.machine.admit(TestMover.records(0, 0..<3), partition: 0)
        let plan = try #require(mover.next())
        mover.end(plan, .lost)
        #expect(mover.steps().isEmpty)
        mover.machine.producerReady()
        mover.takeOver(own: 3)
        mover.machine.admit(TestMover.records(0, 0..<5), partition: 0)
        let next = try #require(mover.next())
        #expect(next.records.map(\.origin.offset) == [3, 4])
    }

    @Test("Where the source was read the other way, a person decides")
    func otherWay() {
        let cases: [(own: Int64?, other: Int64?, isRefused: Bool)] = [
            (nil, nil, false), (5, nil, false), (5, 5, false), (6, 5, false), (nil, 0, true), (4, 5, true),
        ]
        for one in cases {
            let mover = TestMover()
            mover.machine.producerReady()
            mover.machine.assigned(number: 1, partitions: [0])
            mover.takeOver(own: one.own, direct: one.other)
            #expect(mover.blocked.isEmpty != one.isRefused, "\(one)")
        }
    }

    @Test("A group's offset behind the source's end is not read over")
    func madeAnew() {
        let mover = TestMover()
        mover.machine.producerReady()
        mover.machine.assigned(number: 1, partitions: [0])
        mover.takeOver(own: 101, high: 100)
        #expect(mover.blocked == [0])
    }

    @Test("A full window pauses its partition, and room resumes it")
    func flow() throws {
        var settings = IntakeMachine.Settings()
        settings.windowRecords = 4
        settings.maximumTransaction = 3
        let mover = TestMover.owning([0], settings)
        mover.machine.admit(TestMover.records(0, 0..<4), partition: 0)
        let full = mover.flow()
        #expect(full == FlowChange(pause: [0], resume: []))
        let plan = try #require(mover.next())
        mover.end(plan, .committed)
        let room = mover.flow()
        #expect(room == FlowChange(pause: [], resume: [0]))
    }

    @Test("The end of a partition behind markers is committed without a record, after a while")
    func markers() throws {
        let mover = TestMover.owning()
        mover.machine.sourceEnd(partition: 0, offset: 9, at: TestMover.now)
        let early = mover.next()
        #expect(early == nil)
        let later = try #require(mover.next(at: 1000))
        #expect(later.offsets == [0: 9] && later.records.isEmpty)
    }
}
