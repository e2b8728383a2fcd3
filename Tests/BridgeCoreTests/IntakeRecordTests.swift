import Records
import Testing

@testable import BridgeCore

/// The way of a record through the intake topic.
@Suite("Intake records")
struct IntakeRecordTests {
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
        func moved(_ record: Record, answering key: [UInt8], finding: String? = nil) -> Int32? {
            var replay = record
            replay.offset = 50
            replay.headers += [
                Header(Replay.HeaderName.generation, "1"), Header(Replay.HeaderName.nonce, "0a"),
                Header(Replay.HeaderName.identity, String(decoding: key, as: UTF8.self)),
            ]
            if let finding { replay.headers.append(Header(Replay.HeaderName.finding, finding)) }
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
            // Of one that was not whole only a person's word is left.
            var rest = event
            rest.value = nil
            let named = EventIdentity.cloudEvent(source: "/crm", id: "e\(offset)").key
            #expect(moved(rest, answering: named, finding: "started") == before)
        }
    }

    @Test("A resolution of what was too large to be moved goes where that stands")
    func shortenedResolutions() {
        let offsets: ClosedRange<Int64> = 1...20
        for offset in offsets {
            let record = Self.event("e\(offset)", offset: offset)
            var moved = Self.mover.move(record)
            moved.shorten()
            var resolution = record
            resolution.value = nil
            resolution.headers = [
                Header(Replay.HeaderName.generation, "1"), Header(Replay.HeaderName.nonce, "0a"),
                Header(
                    Replay.HeaderName.identity,
                    String(decoding: Self.decoder.decode(Self.stored(moved)).identity.key, as: UTF8.self)),
                Header(Replay.HeaderName.finding, "started"),
            ]
            #expect(Self.mover.move(resolution).outgoing.partition == moved.outgoing.partition)
        }
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
                entryKey: decoded.identity.key, generation: 0, attempts: 0, shortening: .none),
            reason: .invalidJSON, message: "m", nonce: 1)
        func text(_ name: String) -> String? {
            letter.headers.first { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(text("campaign-bridge-omitted") == "key,value,headers")
        #expect(text("campaign-bridge-value-size") == String(record.value?.count ?? 0))
        #expect(text("campaign-bridge-value-hash") == KeyHash(record.value ?? [], key: .fixed).hex)
        #expect(text("campaign-bridge-source-topic") == "source")
    }
}
