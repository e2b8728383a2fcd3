import Testing

@testable import JSON

private func parse(_ text: String, _ limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
    try JSONReader.parse(Array(text.utf8), limits: limits)
}

private func kind(_ bytes: [UInt8], _ limits: JSONLimits = .default) -> JSONError.Kind? {
    do throws(JSONError) {
        _ = try JSONReader.parse(bytes, limits: limits)
        return nil
    } catch {
        return error.kind
    }
}

private func fault(_ text: String, _ limits: JSONLimits = .default) -> JSONError? {
    do throws(JSONError) {
        _ = try parse(text, limits)
        return nil
    } catch {
        return error
    }
}

private func kind(_ text: String) -> JSONError.Kind? { kind(Array(text.utf8)) }

@Suite("The JSON reader", .timeLimit(.minutes(5)))
struct JSONReaderTests {
    @Test("Every kind of value is read, members in the order of the text")
    func everyKind() throws {
        let value = try parse(#" {"b":[null,true,false],"a":-1.50e+3,"text":"x\ny","o":{},"e":[]} "#)
        #expect(
            value
                == .object([
                    JSONMember("b", .array([.null, .bool(true), .bool(false)])),
                    JSONMember("a", .number("-1.50e+3")),
                    JSONMember("text", .string("x\ny")),
                    JSONMember("o", .object([])),
                    JSONMember("e", .array([])),
                ]))
        #expect(value["a"]?.double == -1500)
        #expect(value["missing"] == nil)
        #expect(value["b"]?.array?.first?.isNull == true)
    }

    @Test("A scalar is a value", arguments: ["null", "true", "0", "\"\"", " 12 ", "-0"])
    func scalars(text: String) {
        #expect(kind(text) == nil)
    }

    @Test("Numbers of any length keep their text and their place among other values")
    func longNumbers() throws {
        let long = String(repeating: "9", count: 5000)
        let value = try parse(#"{"1":\#(long),"s":"12 -3 \" 4","2":[1e999,0,-0.0],"3":18446744073709551616}"#)
        #expect(value["1"] == .number(long))
        #expect(value["2"] == .array([.number("1e999"), .number("0"), .number("-0.0")]))
        #expect(value["3"]?.numberText == "18446744073709551616")
        #expect(value["3"]?.int64 == nil)
        #expect(value["s"] == .string("12 -3 \" 4"))
    }

    @Test(
        "Only plain integers that fit are integers",
        arguments: [("7", 7), ("-7", -7), ("9223372036854775807", Int64.max)])
    func integers(text: String, expected: Int64) throws {
        #expect(try parse(text).int64 == expected)
        #expect(try parse("1.0").int64 == nil)
        #expect(try parse("1e3").int64 == nil)
    }

    @Test(
        "What is not a JSON number is refused",
        arguments: [
            "01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "1.2.3", "0x10", "NaN", "Infinity", "-Infinity", "1-2",
            "00", "1 2",
            "[1 2]", "12abc", "1_0", "-a",
        ])
    func notNumbers(text: String) {
        #expect(kind(text) != nil)
    }

    @Test(
        "What is wrong is named",
        arguments: [
            ("", JSONError.Kind.empty), (" \n", .empty), ("{", .unexpectedEnd), ("\"a", .unexpectedEnd),
            ("[1", .unexpectedEnd),
            ("{} x", .trailingText), ("{}{}", .trailingText), ("{'a':1}", .invalidSyntax), ("[1,]", .invalidSyntax),
            ("{\"a\":1,}", .invalidSyntax), ("// c\n1", .invalidSyntax), (#"{"a":1,"a":2}"#, .duplicateName),
            (#"{"a":1,"\u0061":2}"#, .duplicateName), (#"{"x":{"a":1,"a":1}}"#, .duplicateName),
            (#"{"é":1,"\u00e9":2}"#, .duplicateName), (#""\u0000""#, .nulCharacter),
            ("{\"a\\u0000\":1}", .nulCharacter),
            ("\u{0}", .nulCharacter), ("\"\u{0}\"", .nulCharacter), (#""\ud800""#, .invalidSyntax),
            (#""\udc00\ud800""#, .invalidSyntax), ("\"\n\"", .invalidSyntax), (#""\x""#, .invalidSyntax),
            ("\u{FEFF}{}", .invalidSyntax), ("tru", .invalidSyntax), ("[[}", .invalidSyntax),
        ])
    func faults(text: String, expected: JSONError.Kind) {
        #expect(kind(text) == expected)
    }

    @Test(
        "Bytes that are not UTF-8 are refused, in values, names and fields that nobody reads",
        arguments: [
            [0x80], [0xC3], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        #expect(kind(Array("{\"x\":\"".utf8) + bytes + Array("\"}".utf8)) == .invalidUTF8)
        #expect(kind(Array("{\"".utf8) + bytes + Array("\":1}".utf8)) == .invalidUTF8)
        #expect(kind(bytes) == .invalidUTF8)
    }

    @Test("Canonically equal texts stay different names and different values")
    func noNormalising() throws {
        let value = try parse("{\"\u{e9}\":1,\"e\u{301}\":2,\"\u{212A}\":3,\"K\":4}")
        #expect(value["e\u{301}"]?.int64 == 2)
        #expect(value["\u{e9}"]?.int64 == 1)
        #expect(value["K"]?.int64 == 4)
        #expect(JSONValue.string("\u{e9}") != .string("e\u{301}"))
        #expect(try Array(#require(parse(#""e\u0301""#).string).utf8) == [0x65, 0xCC, 0x81])
        #expect(try Array(#require(parse(#""\ud83d\ude00\/""#).string).utf8) == [0xF0, 0x9F, 0x98, 0x80, 0x2F])
    }

    @Test("Depth and size are bounded, and brackets inside strings do not count")
    func bounds() throws {
        let limits = JSONLimits(maximumBytes: 40, maximumDepth: 3)
        #expect(kind(Array("[[[\"[[[[\"]]]".utf8), limits) == nil)
        #expect(kind(Array("[[{\"a\":[]}]]".utf8), limits) == .tooDeep)
        #expect(kind(Array(repeating: UInt8(ascii: " "), count: 41), limits) == .tooLarge)
        #expect(kind(Array(repeating: UInt8(ascii: "["), count: 1_000_000)) == .tooDeep)
        #expect(kind("]]]][[[[") == .invalidSyntax)
    }

    @Test("An error says where, counted with the numbers in their place, and quotes nothing")
    func errorPlace() throws {
        let error = try #require(fault("{\n  \"a\": 123456789012345678901234567890, secret}"))
        #expect(error.kind == .invalidSyntax)
        #expect(error.line == 2)
        #expect(error.position > 40)
        #expect(!error.description.contains("secret"))
        let deep = fault("[\n\"é\",[]]", JSONLimits(maximumDepth: 1))
        #expect(deep == JSONError(kind: .tooDeep, line: 2, column: 5, position: 7))
    }
}
