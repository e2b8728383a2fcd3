// Imports JSON, for pieces of the schema.
internal import JSON

/// How a setting of one type is written: reading, writing, what an error text asks for, and its JSON schema. There is
/// no guessing: a text is taken as it was written and must fit the type.
struct ValueType<Value: Sendable & Equatable>: Sendable {
    /// A few words for the reference page.
    let name: String
    /// What an error text asks for, after "expected".
    let expectation: String
    /// The value, or nil where the text is not of this type.
    let parse: @Sendable (String) -> Value?
    /// The value as it would be written.
    let write: @Sendable (Value) -> String
    /// Members of the JSON schema that describe it.
    let schema: [JSONMember]
}

extension ValueType where Value == Bool {
    static var flag: Self {
        ValueType(
            name: "`true` or `false`", expectation: "`true` or `false`",
            parse: { $0 == "true" ? true : $0 == "false" ? false : nil },
            write: { $0 ? "true" : "false" },
            schema: [JSONMember("type", .string("boolean"))])
    }
}

extension ValueType where Value == Int {
    /// A plain decimal integer.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        ValueType(
            name: "integer, \(range.lowerBound) to \(range.upperBound)",
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { wholeNumber($0).flatMap { range.contains($0) ? $0 : nil } },
            write: { String($0) },
            schema: [
                JSONMember("type", .string("integer")), JSONMember("minimum", .integer(range.lowerBound)),
                JSONMember("maximum", .integer(range.upperBound)),
            ])
    }

    /// A number of bytes with its unit.
    static func size(_ range: ClosedRange<Int>) -> Self {
        ValueType(
            name: "size, \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))",
            expectation:
                "a size from \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound)), such as 512B, 64KiB or 1MiB",
            parse: { parseSize($0).flatMap { range.contains($0) ? $0 : nil } },
            write: { sizeText($0) },
            schema: [JSONMember("type", .string("string")), JSONMember("pattern", .string("^[0-9]+(B|KiB|MiB|GiB)$"))])
    }
}

extension ValueType where Value == Duration {
    /// A length of time with its unit.
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        ValueType(
            name: "duration, \(durationText(range.lowerBound)) to \(durationText(range.upperBound))",
            expectation:
                "a duration from \(durationText(range.lowerBound)) to \(durationText(range.upperBound)), such as 500ms, 10s, 15m, 6h or 7d",
            parse: { parseDuration($0).flatMap { range.contains($0) ? $0 : nil } },
            write: { durationText($0) },
            schema: [JSONMember("type", .string("string")), JSONMember("pattern", .string("^[0-9]+(ms|s|m|h|d)$"))])
    }
}

extension ValueType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a closed list of words.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue)
        let list = words.map { "`\($0)`" }.joined(separator: ", ")
        return ValueType(
            name: list, expectation: "one of \(list)",
            parse: { Value(rawValue: $0) }, write: { $0.rawValue },
            schema: [JSONMember("type", .string("string")), JSONMember("enum", .array(words.map { .string($0) }))])
    }
}

extension ValueType where Value == String {
    /// A text that `isValid` takes. YAML editors take unquoted digits for numbers, so the schema allows all scalars.
    static func text(
        _ name: String, expected: String, pattern: String? = nil, _ isValid: @escaping @Sendable (String) -> Bool
    )
        -> Self
    {
        let types: [JSONValue] = [.string("string"), .string("number"), .string("boolean")]
        return ValueType(
            name: name, expectation: expected, parse: { isValid($0) ? $0 : nil }, write: { $0 },
            schema: [JSONMember("type", .array(types))] + (pattern.map { [JSONMember("pattern", .string($0))] } ?? []))
    }
}

/// Plain decimal digits, perhaps after a minus sign; nothing else (`+1`, `1_000`, `0x10`, `1e3`, `007` are none).
func wholeNumber(_ text: String) -> Int? {
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
    guard digits.count >= text.utf8.count - 1, isDigits(digits), digits.count == 1 || digits.first != UInt8(ascii: "0")
    else {
        return nil
    }
    return Int(text)
}

func isDigits(_ bytes: some Collection<UInt8>) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}

private let sizeUnits: [(name: String, bytes: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]
private let durationUnits: [(name: String, milliseconds: Int)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
]

/// Bytes of a text such as `64KiB`; nil without a unit, or where it does not fit an integer.
func parseSize(_ text: String) -> Int? {
    parse(text, sizeUnits.map { ($0.name, $0.bytes) })
}

func sizeText(_ bytes: Int) -> String {
    guard bytes != 0, let unit = sizeUnits.first(where: { bytes % $0.bytes == 0 }) else { return "\(bytes)B" }
    return "\(bytes / unit.bytes)\(unit.name)"
}

/// A text such as `500ms` or `7d`; nil without a unit, or where it does not fit.
func parseDuration(_ text: String) -> Duration? {
    parse(text, durationUnits.map { ($0.name, $0.milliseconds) }).map { .milliseconds($0) }
}

func durationText(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    guard milliseconds != 0, let unit = durationUnits.first(where: { milliseconds % $0.milliseconds == 0 }) else {
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }
    return "\(milliseconds / unit.milliseconds)\(unit.name)"
}

private func parse(_ text: String, _ units: [(String, Int)]) -> Int? {
    let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let number = wholeNumber(String(digits) ?? ""),
        let unit = units.first(where: { $0.0.utf8.elementsEqual(text.utf8.dropFirst(digits.count)) })
    else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.1)
    return overflow ? nil : product
}

extension Duration {
    static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
    static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }
    static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}
