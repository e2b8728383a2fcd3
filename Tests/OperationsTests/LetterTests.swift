import BridgeCore
import Records
import Testing

@testable import Operations

@Suite("Dead letters as they are read", .timeLimit(.minutes(5)))
struct LetterTests {
    @Test("The headers say all of it, the request stream and campaign")
    func reads() throws {
        let letter = try #require(Sample.read(Sample.letter(Sample.request("order-1"), .rejected)))
        #expect(letter.place.description == "1:7")
        #expect(letter.time == Sample.now + 1000)
        #expect(letter.reason == "rejected" && letter.category == "rejected" && letter.isSafeToReplay)
        #expect(letter.eventID == "order-1" && letter.identityKind == "ce")
        #expect(letter.source == .init(topic: "requests", partition: 3, offset: 1042, timestamp: Sample.now))
        #expect(letter.generation == 0 && letter.nonce == "0123456789abcdef")
        #expect(letter.streamID == "st-1" && letter.campaignID == "cd-1")
    }

    @Test("A record of somebody else is no dead letter")
    func foreign() {
        #expect(Sample.read(Sample.request("order-1")) == nil)
        #expect(
            DeadLetter(Record(topic: "letters", partition: 0, offset: 0, timestamp: nil, key: nil, value: nil)) == nil)
    }

    @Test("Header values that are no such thing are missing, and nothing ends")
    func odd() throws {
        let record = Sample.letter(
            Sample.request("order-1"), .rejected,
            changes: [
                "generation": "1e3", "nonce": "0123456789ABCDEF", "source-partition": "-1", "attempts": "\u{1b}[2J",
            ])
        let letter = try #require(Sample.read(record))
        #expect(letter.generation == nil && letter.nonce == nil && letter.source == nil)
        #expect(Remedy(of: letter, sourceTopic: Sample.source) == .none(.incomplete))
    }

    @Test("Places are read strictly")
    func places() {
        #expect(LetterPlace("3:1042") == LetterPlace(partition: 3, offset: 1042))
        for text in ["", "3", "3:", ":1", "-1:2", "3:-2", "3:+2", "3:1:2", "3: 1", "٣:1", "99999999999:1"] {
            #expect(LetterPlace(text) == nil, "\(text)")
        }
    }

    @Test("Each filter lets its own pass and no other")
    func filters() throws {
        let letter = try #require(Sample.read(Sample.letter(Sample.request("order-1"), .outcomeUnknown)))
        func passes(_ change: (inout LetterFilter) -> Void) -> Bool {
            var filter = LetterFilter()
            change(&filter)
            #expect(!filter.isEmpty)
            let found = filter.letter(
                in: Sample.letter(Sample.request("order-1"), .outcomeUnknown), decoder: Sample.decoder)
            #expect((found != nil) == filter.passes(letter))
            return filter.passes(letter)
        }
        #expect(passes { $0.reasons = ["expired", "outcome-unknown"] } && !passes { $0.reasons = ["expired"] })
        #expect(passes { $0.category = "unknown" } && !passes { $0.category = "expired" })
        #expect(passes { $0.since = letter.time } && !passes { $0.since = letter.time + 1 })
        #expect(passes { $0.until = letter.time + 1 } && !passes { $0.until = letter.time })
        #expect(passes { $0.streamID = "st-1" } && !passes { $0.streamID = "st-2" })
        #expect(passes { $0.campaignID = "cd-1" } && !passes { $0.campaignID = "cd" })
        #expect(passes { $0.id = "order-1" } && passes { $0.id = letter.requestID } && !passes { $0.id = "order" })
    }

    @Test("Ids are compared as bytes, not as texts that look alike")
    func idBytes() throws {
        let letter = try #require(Sample.read(Sample.letter(Sample.request("caf\u{e9}"), .rejected)))
        #expect(letter.isCalled("caf\u{e9}") && !letter.isCalled("cafe\u{301}"))
    }

    @Test("Times are RFC 3339 or how long ago")
    func times() {
        let now = Sample.now
        #expect(PastTime.parse("2026-01-31T09:30:00Z", now: 0) == 1_769_851_800_000)
        #expect(
            PastTime.parse("30m", now: now) == now - 1_800_000 && PastTime.parse("7d", now: now) == now - 604_800_000)
        for text in ["", "m", "1", "1x", "-1h", "1h30m", "2026-01-31", "99999999999999999d", "9999999d"] {
            #expect(PastTime.parse(text, now: now) == nil, "\(text)")
        }
    }

    @Test("Open is what nothing has come after, and what the ledger has forgotten")
    func open() throws {
        let letter = try #require(DeadLetter(Sample.letter(Sample.request("e"), .rejected, nonce: 7)))
        let key = try #require(letter.identityKey)
        func states(_ entries: [LedgerEntry]) -> LetterStates {
            var states = LetterStates()
            for (offset, entry) in entries.enumerated() {
                states.take(
                    Record(
                        topic: "ledger", partition: 0, offset: Int64(offset), timestamp: 0, key: key,
                        value: LedgerWire.value(entry)))
            }
            return states
        }
        func entry(_ generation: Int32, _ state: LedgerEntry.State) -> LedgerEntry {
            LedgerEntry(generation: generation, sourceOffset: 4, scope: 1, state: state)
        }
        let dead = entry(0, .deadLettered(.rejected, nonce: 7))
        let attempt = Attempt(number: 2, owner: "r", startedAt: 1, tokenExpiry: 2)
        #expect(states([]).isOpen(letter))
        #expect(states([dead]).isOpen(letter))
        #expect(!states([dead, entry(1, .attempting(attempt))]).isOpen(letter))
        #expect(!states([entry(1, .started(instanceID: nil))]).isOpen(letter), "compacted")
        #expect(!states([dead, entry(1, .deadLettered(.rejected, nonce: 8))]).isOpen(letter))
        #expect(!states([entry(1, .deadLettered(.rejected, nonce: 8)), dead]).isOpen(letter))
    }
}
