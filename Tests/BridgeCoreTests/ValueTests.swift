import Records
import Testing

@testable import BridgeCore

@Suite("Times, hashes, identities", .timeLimit(.minutes(5)))
struct ValueTests {
    @Test(
        "Times are read strictly by RFC 3339",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-01-31T09:30:00Z", 1_769_851_800_000),
            ("2026-01-31t09:30:00z", 1_769_851_800_000), ("2026-01-31T10:30:00+01:00", 1_769_851_800_000),
            ("2026-01-31T00:00:00-09:30", 1_769_851_800_000), ("2026-01-31T09:30:00-00:00", 1_769_851_800_000),
            ("2026-01-31T09:30:00.5Z", 1_769_851_800_500), ("2026-01-31T09:30:00.0509Z", 1_769_851_800_050),
            ("2026-01-31T09:30:00.9999999999999999999999Z", 1_769_851_800_999),
            ("2026-01-31T09:30:59.999Z", 1_769_851_859_999), ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("1969-12-31T23:59:59.999Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("2016-12-31T23:59:60Z", 1_483_228_799_999), ("2016-12-31T23:59:60.5Z", 1_483_228_799_999),
            ("2023-02-29T00:00:00Z", nil), ("1900-02-29T00:00:00Z", nil), ("2026-02-30T00:00:00Z", nil),
            ("2026-04-31T00:00:00Z", nil), ("2026-00-01T00:00:00Z", nil), ("2026-13-01T00:00:00Z", nil),
            ("2026-01-00T00:00:00Z", nil), ("2026-01-31T24:00:00Z", nil), ("2026-01-31T23:60:00Z", nil),
            ("2026-01-31T23:59:61Z", nil), ("2026-01-31T09:30:00", nil), ("2026-01-31T09:30Z", nil),
            ("2026-01-31 09:30:00Z", nil), ("2026-01-31T09:30:00.Z", nil), ("2026-01-31T09:30:00,5Z", nil),
            ("2026-01-31T09:30:00Z ", nil), (" 2026-01-31T09:30:00Z", nil), ("2026-01-31T09:30:00Zx", nil),
            ("2026-01-31T09:30:00+0100", nil), ("2026-01-31T09:30:00+24:00", nil),
            ("2026-01-31T09:30:00+01:60", nil), ("2026-01-31T09:30:00+01", nil), ("2026-1-31T09:30:00Z", nil),
            ("26-01-31T09:30:00Z", nil), ("-026-01-31T09:30:00Z", nil), ("2026-01-31", nil), ("", nil),
            ("２026-01-31T09:30:00Z", nil), ("2026-01-31T09:30:00Z\0", nil), ("2026-W05-6T09:30:00Z", nil),
        ] as [(String, Int64?)])
    func times(text: String, milliseconds: Int64?) {
        #expect(RFC3339.parse(text) == milliseconds)
    }

    @Test(
        "Times are written in UTC with milliseconds, and read back",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_769_851_800_050, "2026-01-31T09:30:00.050Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func format(milliseconds: Int64, text: String) {
        #expect(RFC3339.format(milliseconds) == text)
        #expect(RFC3339.parse(text) == milliseconds)
    }

    @Test(
        "A time before year 0 or after year 9999 is written as the first or last that the form has",
        arguments: [
            (-62_167_219_200_001, "0000-01-01T00:00:00.000Z"), (.min, "0000-01-01T00:00:00.000Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"), (.max, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func formatBeyond(milliseconds: Int64, text: String) {
        #expect(RFC3339.format(milliseconds) == text)
        #expect(RFC3339.parse(text) != nil)
    }

    @Test("Every day of eight hundred years is read as it was written")
    func days() {
        var wrong = 0
        for day in -146_097..<146_097 {
            let time = Int64(day) * 86_400_000 + 43_200_000
            if RFC3339.parse(RFC3339.format(time)) != time { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test(
        "The hash is SipHash-2-4 with 128 bits, by the vectors of its reference implementation",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
            (7, "a1f1ebbed8dbc153c0b84aa61ff08239"), (8, "3b62a9ba6258f5610f83e264f31497b4"),
            (9, "264499060ad9baabc47f8b02bb6d71ed"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
            (16, "6ee2a4ca67b054bbfd3315bf85230577"), (63, "5150d1772f50834a503e069a973fbd7c"),
        ])
    func sipHash(length: Int, expected: String) {
        // The vectors' key is the bytes 0 to 15, their input the bytes 0 to length - 1.
        let hash = KeyHash((0..<length).map { UInt8($0) }, key: .fixed)
        #expect(Hex.digits(hash.low.byteSwapped) + Hex.digits(hash.high.byteSwapped) == expected)
    }

    @Test("The hash depends on its key")
    func keyed() {
        #expect(KeyHash([1], key: .fixed) != KeyHash([1], key: HashKey(first: 0, second: 0)))
    }

    @Test("No two identities share a key, whatever characters they hold")
    func injective() {
        let parts = [
            "", "a", "b", "ab", "a|b", "|", "\"", "\\", "\",\"", "a\",\"b", "é", "e\u{301}", "É", "%61", "A", "\u{1}",
            ",",
        ]
        var keys: Set<[UInt8]> = []
        var count = 0
        for source in parts {
            for id in parts {
                keys.insert(EventIdentity.cloudEvent(source: source, id: id).key)
                count += 1
            }
            keys.insert(EventIdentity.field(source).key)
            keys.insert(EventIdentity.header(source).key)
            count += 2
        }
        #expect(keys.count == count)
    }

    @Test("A position tells topics, partitions, offsets, times and values apart")
    func positions() {
        var all = [record("v"), record("w"), record(nil), record("")]
        all.append(record("v", offset: 1))
        all.append(record("v", partition: 1))
        all.append(record("v", timestamp: 1))
        all.append(record("v", timestamp: nil))
        var other = record("v")
        other.topic = "b"
        all.append(other)
        #expect(Set(all.map { EventIdentity.position(of: $0).key }).count == all.count)
    }

    @Test("An identity is read back from its key")
    func readBack() throws {
        let identities: [EventIdentity] = [
            .cloudEvent(source: "/crm\"\\", id: "e\n1é"), .field("f"), .header("h"),
            .position(of: record("v", offset: 9)),
        ]
        for identity in identities {
            let back = try #require(EventIdentity(key: identity.key))
            #expect(back.kind == identity.kind && back.eventID == identity.eventID && back.source == identity.source)
            #expect(back.requestID == identity.requestID)
        }
        for text in ["", "{}", "[]", #"["ce"]"#, #"["other","x"]"#, "[1,2]"] {
            #expect(EventIdentity(key: Array(text.utf8)) == nil)
        }
    }

    @Test(
        "A trace context is taken only where it is well formed",
        arguments: [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false), ("", false),
        ])
    func trace(text: String, isValid: Bool) {
        #expect((TraceContext.valid(text) != nil) == isValid)
        var random = SeededRandom(seed: 1)
        let child = TraceContext.child(of: text, random: &random)
        #expect(TraceContext.valid(child) != nil)
        #expect(child != text)
        #expect(child.prefix(35).elementsEqual(text.prefix(35)) == isValid)
    }

    @Test("An identifier holds letters, digits, - and _ only")
    func identifiers() {
        for good in ["a", "Z-_9", String(repeating: "x", count: 128)] { #expect(Identifier.isValid(good)) }
        for bad in ["", "a/b", "..", "a b", "a%2f", "é", "a\n", "a\0", String(repeating: "x", count: 129)] {
            #expect(!Identifier.isValid(bad))
        }
    }
}
