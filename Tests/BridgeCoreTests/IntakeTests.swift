import Records
import Testing

@testable import BridgeCore

/// The mover's decisions one by one, and the way of a record through the intake topic.
@Suite("Intake")
struct IntakeTests {
    // MARK: - Records

    static let mover = IntakeMover(topic: "intake", partitions: 8, decoder: RequestDecoder())

    static var decoder: RequestDecoder {
        var decoder = RequestDecoder()
        decoder.readsIntake = true
        return decoder
    }

    static func event(_ id: String, partition: Int32 = 0, offset: Int64 = 0, headers: [Header] = []) -> Record {
        let text =
            #"{"specversion":"1.0","id":"\#(id)","source":"/crm","type":"t","data":{"streamId":"st-1","campaignId":"cd-1"}}"#
        return Record(
            topic: "source", partition: partition, offset: offset, timestamp: 1_700_000_000_000, key: nil,
            value: Array(text.utf8), headers: [Header("content-type", "application/cloudevents+json")] + headers)
    }

    /// As it is read from the intake topic.
    static func stored(_ moved: MovedRecord, at offset: Int64 = 77) -> Record {
        Record(
            topic: "intake", partition: moved.outgoing.partition ?? -1, offset: offset, timestamp: 5,
            key: moved.outgoing.key, value: moved.outgoing.value, headers: moved.outgoing.headers)
    }

    @Test("All records of one identity have one partition, and different ones spread")
    func partition() {
        let places = [(0, 0), (3, 9), (7, 1)].map { Self.mover.move(Self.event("a", partition: $0.0, offset: $0.1)) }
        #expect(Set(places.map(\.outgoing.partition)).count == 1)
        let spread = (0..<200).map { Self.mover.move(Self.event("id-\($0)")).outgoing.partition }
        #expect(Set(spread).count == 8)
    }

    @Test("What comes out of the intake topic is the record as it stood in the source")
    func roundTrip() {
        let own = [Header(name: [0xff], value: [0]), Header(name: Array("none".utf8), value: nil)]
        let record = Self.event("a", partition: 5, offset: 4711, headers: own)
        let decoded = Self.decoder.decode(Self.stored(Self.mover.move(record)))
        #expect(decoded.record == record)
        #expect(decoded.offset == 77)
        #expect(decoded.partition == Self.mover.move(record).outgoing.partition)
        #expect(decoded.identity.key == RequestDecoder().decode(record).identity.key)
        var weak = record
        weak.value = Array("{".utf8)
        weak.timestamp = nil
        let position = Self.decoder.decode(Self.stored(Self.mover.move(weak)))
        #expect(position.record == weak)
        #expect(position.identity.eventID == "source/5/4711")
    }

    @Test("Headers that a producer forged are dropped, and without the intake they mean nothing")
    func forged() {
        let forged = IntakeOrigin(of: Self.event("b", partition: 7, offset: 9)).headers
        let record = Self.event("a", partition: 1, offset: 2, headers: forged)
        let decoded = Self.decoder.decode(Self.stored(Self.mover.move(record)))
        #expect(decoded.record == Self.event("a", partition: 1, offset: 2))
        let direct = RequestDecoder().decode(record)
        #expect(direct.record == record && direct.offset == 2)
    }

    @Test("A record that no mover wrote is not called")
    func foreign() {
        let decoded = Self.decoder.decode(Self.event("a"))
        guard case .failure(let fault) = decoded.content else {
            Issue.record("it would be called")
            return
        }
        #expect(fault.reason == .invalidData)
    }

    @Test("A replay goes where the entry of its dead letter stands")
    func replays() {
        func moved(_ record: Record, answering key: [UInt8]) -> Int32? {
            var replay = record
            replay.offset = 50
            replay.headers += [
                Header(Replay.HeaderName.generation, "1"), Header(Replay.HeaderName.nonce, "0a"),
                Header(Replay.HeaderName.identity, String(decoding: key, as: UTF8.self)),
            ]
            return Self.mover.move(replay).outgoing.partition
        }
        let offsets: ClosedRange<Int64> = 1...20
        for offset in offsets {
            let event = Self.event("e\(offset)", offset: offset)
            let before = Self.mover.move(event).outgoing.partition
            #expect(moved(event, answering: EventIdentity.cloudEvent(source: "/crm", id: "e\(offset)").key) == before)
            // A conflict has an entry under its place, in the partition of its identity.
            #expect(moved(event, answering: EventIdentity.position(of: event).key) == before)
            // A record without identity is another one at its new place.
            var weak = event
            weak.value = Array("{".utf8)
            let was = Self.mover.move(weak).outgoing.partition
            #expect(moved(weak, answering: EventIdentity.position(of: weak).key) == was)
        }
    }

    @Test("A settling transaction's marks are no events")
    func marks() throws {
        var machine = IntakeMachine(settings: .init())
        machine.producerReady(settling: 3)
        machine.assigned(number: 1, partitions: [0])
        Self.takeOver(&machine)
        machine.admit(Self.records(0, 0..<1), partition: 0)
        let plan = try #require(machine.nextTransaction(at: Self.now))
        let marks = Self.mover.marks(of: plan)
        #expect(plan.records.isEmpty && marks.map(\.partition) == [0, 1, 2])
        for mark in marks {
            let record = Record(
                topic: "intake", partition: 0, offset: 0, timestamp: 0, key: mark.key, value: mark.value,
                headers: mark.headers)
            #expect(IntakeOrigin.isMark(record))
        }
        #expect(!IntakeOrigin.isMark(Self.stored(Self.mover.move(Self.event("a")))))
        // Tried again after an abort, and not for ever.
        machine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: false), at: Self.now)
        for _ in 0..<2 {
            let again = try #require(machine.nextTransaction(at: Self.now))
            #expect(again.settles == 3)
            machine.transactionEnded(again.id, .aborted(culprits: [], groupIsStale: false), at: Self.now)
        }
        let then = try #require(machine.nextTransaction(at: Self.now))
        #expect(then.settles == 0 && then.records.count == 1)
    }

    @Test("What is too large is moved as a place, and becomes a dead letter that says what is missing")
    func shortened() {
        var record = Self.event("a", partition: 3, offset: 8, headers: [Header("x", "y")])
        record.key = [UInt8](repeating: 1, count: 5000)
        var moved = Self.mover.move(record)
        moved.shorten()
        moved.shorten()
        #expect(moved.outgoing.value == nil && moved.outgoing.key == nil)
        let decoded = Self.decoder.decode(Self.stored(moved))
        #expect(decoded.omitted?.valueBytes == record.value?.count && decoded.omitted?.headers == 2)
        #expect(decoded.record.partition == 3 && decoded.record.offset == 8)
        #expect(decoded.identity.key == EventIdentity.position(of: record).key)
        let letter = DeadLetterEncoder(
            topics: ResultTopics(source: "intake", started: "s", deadLetters: "d", ledger: "l"), version: "1"
        ).record(
            ResultWrite(
                event: decoded, outcome: .deadLetter(.invalidJSON, message: "m", nonce: 1), connection: nil,
                generation: 0, attempts: 0, shortening: .none),
            reason: .invalidJSON, message: "m", nonce: 1)
        func text(_ name: String) -> String? {
            letter.headers.first { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(text("campaign-bridge-omitted") == "key,value,headers")
        #expect(text("campaign-bridge-value-size") == String(record.value?.count ?? 0))
        #expect(text("campaign-bridge-value-hash") == KeyHash(record.value ?? [], key: .fixed).hex)
        #expect(text("campaign-bridge-source-topic") == "source")
    }

    // MARK: - The machine

    /// A replica that owns these partitions from offset 0 on.
    static func owning(_ partitions: [Int32] = [0], settings: IntakeMachine.Settings = .init()) -> IntakeMachine {
        var machine = IntakeMachine(settings: settings)
        machine.producerReady()
        machine.assigned(number: 1, partitions: partitions)
        takeOver(&machine)
        return machine
    }

    static func takeOver(_ machine: inout IntakeMachine, own: Int64? = nil, direct: Int64? = nil, high: Int64 = 100) {
        while true {
            let steps = machine.takeSteps()
            if steps.isEmpty { return }
            for step in steps {
                switch step {
                case .committedOffsets(let number, let epoch):
                    machine.committedOffsets(partition: number, epoch: epoch, own: own, direct: direct)
                case .ends(let number, let epoch):
                    machine.ends(partition: number, epoch: epoch, low: 0, high: high, at: now)
                case .start: break
                }
            }
        }
    }

    static let now = Moment(wall: 0, monotonic: 0)

    static func records(_ partition: Int32, _ offsets: Range<Int64>) -> [MovedRecord] {
        offsets.map { mover.move(event("e\($0)", partition: partition, offset: $0)) }
    }

    @Test("L2: a transaction has the offset behind its records, of each partition")
    func offsets() throws {
        var settings = IntakeMachine.Settings()
        settings.maximumTransaction = 5
        var machine = Self.owning([0, 1], settings: settings)
        machine.admit(Self.records(0, 0..<4), partition: 0)
        machine.admit(Self.records(1, 0..<2), partition: 1)
        let first = try #require(machine.nextTransaction(at: Self.now))
        #expect(first.offsets == [0: 3, 1: 2])
        #expect(first.records.count == 5 && machine.nextTransaction(at: Self.now) == nil)
        machine.transactionEnded(first.id, .committed, at: Self.now)
        let second = try #require(machine.nextTransaction(at: Self.now))
        #expect(second.offsets == [0: 4] && second.records.map(\.origin.offset) == [3])
    }

    @Test("L1: a new assignment, a lost partition, a stale group and a source made anew end the open transaction")
    func assignment() throws {
        for change in 0..<4 {
            var machine = Self.owning()
            machine.admit(Self.records(0, 0..<2), partition: 0)
            let plan = try #require(machine.nextTransaction(at: Self.now))
            #expect(machine.mayStillCommit(plan.id))
            switch change {
            case 0: machine.assigned(number: 2, partitions: [])
            case 1: machine.revoked(number: 2, partitions: [0], isLost: true, deadline: 0)
            case 2: machine.assigned(number: 2, partitions: [0])
            default: machine.sourceBroken(partition: 0)
            }
            let isAllowed = machine.mayStillCommit(plan.id)
            #expect(!isAllowed, "change \(change)")
            // And its committed offset is asked for only once it has ended: it could still move it.
            #expect(machine.takeSteps().isEmpty, "change \(change)")
            machine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: false), at: Self.now)
            #expect(machine.takeSteps().isEmpty == (change < 2), "change \(change)")
        }
        var machine = Self.owning()
        machine.admit(Self.records(0, 0..<2), partition: 0)
        let plan = try #require(machine.nextTransaction(at: Self.now))
        machine.transactionEnded(plan.id, .aborted(culprits: [], groupIsStale: true), at: Self.now)
        let next = machine.nextTransaction(at: Self.now)
        #expect(next == nil)
    }

    @Test("A revoke is held while its partition's transaction is open, and not longer than its deadline")
    func revoke() throws {
        var machine = Self.owning()
        machine.admit(Self.records(0, 0..<9), partition: 0)
        let plan = try #require(machine.nextTransaction(at: Self.now))
        machine.revoked(number: 2, partitions: [0], isLost: false, deadline: 50)
        #expect(machine.mayStillCommit(plan.id))
        let early = machine.finishedRevokes(at: Self.now)
        #expect(early == [])
        machine.transactionEnded(plan.id, .committed, at: Self.now)
        let then = machine.finishedRevokes(at: Self.now)
        #expect(then == [2])
        let after = machine.nextTransaction(at: Self.now)
        #expect(after == nil)
    }

    @Test("What was aborted comes again in its order, the culprit shortened")
    func aborted() throws {
        var machine = Self.owning()
        machine.admit(Self.records(0, 0..<3), partition: 0)
        let plan = try #require(machine.nextTransaction(at: Self.now))
        machine.admit(Self.records(0, 3..<4), partition: 0)
        machine.transactionEnded(plan.id, .aborted(culprits: [1], groupIsStale: false), at: Self.now)
        let again = try #require(machine.nextTransaction(at: Self.now))
        #expect(again.records.map(\.origin.offset) == [0, 1, 2, 3])
        #expect(again.records.map { $0.origin.omitted != nil } == [false, true, false, false])
    }

    @Test("L5: after a lost transaction everything begins anew with a new producer")
    func lost() throws {
        var machine = Self.owning()
        machine.admit(Self.records(0, 0..<3), partition: 0)
        let plan = try #require(machine.nextTransaction(at: Self.now))
        machine.transactionEnded(plan.id, .lost, at: Self.now)
        #expect(machine.takeSteps().isEmpty)
        machine.producerReady()
        Self.takeOver(&machine, own: 3)
        machine.admit(Self.records(0, 0..<5), partition: 0)
        let next = try #require(machine.nextTransaction(at: Self.now))
        #expect(next.records.map(\.origin.offset) == [3, 4])
    }

    @Test("Where the source was read the other way, a person decides")
    func otherWay() {
        let cases: [(own: Int64?, other: Int64?, isRefused: Bool)] = [
            (nil, nil, false), (5, nil, false), (5, 5, false), (6, 5, false), (nil, 0, true), (4, 5, true),
        ]
        for one in cases {
            var machine = IntakeMachine(settings: .init())
            machine.producerReady()
            machine.assigned(number: 1, partitions: [0])
            Self.takeOver(&machine, own: one.own, direct: one.other)
            #expect(machine.blocked.isEmpty != one.isRefused, "\(one)")
        }
    }

    @Test("A group's offset behind the source's end is not read over")
    func madeAnew() {
        var machine = IntakeMachine(settings: .init())
        machine.producerReady()
        machine.assigned(number: 1, partitions: [0])
        Self.takeOver(&machine, own: 101, high: 100)
        #expect(machine.blocked == [0])
    }

    @Test("A full window pauses its partition, and room resumes it")
    func flow() throws {
        var settings = IntakeMachine.Settings()
        settings.windowRecords = 4
        settings.maximumTransaction = 3
        var machine = Self.owning(settings: settings)
        machine.admit(Self.records(0, 0..<4), partition: 0)
        let full = machine.flow()
        #expect(full == FlowChange(pause: [0], resume: []))
        let plan = try #require(machine.nextTransaction(at: Self.now))
        machine.transactionEnded(plan.id, .committed, at: Self.now)
        let room = machine.flow()
        #expect(room == FlowChange(pause: [], resume: [0]))
    }

    @Test("The end of a partition behind markers is committed without a record, after a while")
    func markers() throws {
        var machine = Self.owning()
        machine.sourceEnd(partition: 0, offset: 9, at: Self.now)
        let early = machine.nextTransaction(at: Self.now)
        #expect(early == nil)
        let later = try #require(machine.nextTransaction(at: Moment(wall: 0, monotonic: 1000)))
        #expect(later.offsets == [0: 9] && later.records.isEmpty)
    }
}
