/// The name of a field in log lines. Names are constants, so that a misspelt one does not compile: each target adds
/// its own as `extension LogKey { static let topic = LogKey("topic") }`.
package struct LogKey: Hashable, Sendable {
    /// The name as it stands in the line.
    package let name: String

    /// A name of lower-case ASCII letters, digits, `_` and `.`, other than `time`, `level`, `message` and `truncated`,
    /// which each line has or may have. Anything else traps: names are constants of the program.
    package init(_ name: StaticString) {
        let text = name.description
        let fits = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
        precondition(fits && !text.isEmpty, "the log key \(text) has a character that is not allowed")
        precondition(
            !["time", "level", "message", "truncated"].contains(text), "the log key \(text) is one of the line's own")
        self.name = text
    }
}

/// The fields that more than one target writes.
extension LogKey {
    /// What went wrong, as a text for people.
    package static let error = LogKey("error")
    /// The kind of an outage.
    package static let outage = LogKey("outage")
    /// How many failures of one kind are not shown by lines of their own.
    package static let repeated = LogKey("repeated")
    /// How many failures one outage had.
    package static let failures = LogKey("failures")
    /// Milliseconds since an outage began.
    package static let outageMilliseconds = LogKey("outage_ms")
    /// How many lines could not be written.
    package static let dropped = LogKey("dropped")
    /// The identity of one event, in each line about it.
    package static let requestID = LogKey("request_id")
    /// A topic's name.
    package static let topic = LogKey("topic")
    /// A partition's number.
    package static let partition = LogKey("partition")
    /// A record's offset.
    package static let offset = LogKey("offset")
}

/// The value of a field. Texts are cleaned of secrets and of control characters when the line is made.
package enum LogValue: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case double(Double)
    case bool(Bool)
    case strings([String])

    /// A whole number of any width; what does not fit into 64 bits with sign is cut to the nearest that does.
    package static func int(_ value: some BinaryInteger) -> LogValue { .integer(Int64(clamping: value)) }

    /// An error by its description.
    package static func error(_ error: any Error) -> LogValue { .string(String(describing: error)) }
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

/// Fields in their order. Written as `[.topic: .string(name), .partition: .int(number)]`.
package struct LogFields: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// One field.
    package struct Field: Equatable, Sendable {
        package var key: LogKey
        package var value: LogValue
    }

    /// The fields; no key stands twice.
    package private(set) var fields: [Field] = []

    package init(dictionaryLiteral elements: (LogKey, LogValue)...) {
        for (key, value) in elements { set(key, value) }
    }

    /// Adds a field, or gives one that is there its new value.
    package mutating func set(_ key: LogKey, _ value: LogValue) {
        if let index = fields.firstIndex(where: { $0.key == key }) {
            fields[index].value = value
        } else {
            fields.append(Field(key: key, value: value))
        }
    }

    /// These fields and those, of which the latter win.
    package func merged(with others: LogFields) -> LogFields {
        if fields.isEmpty { return others }
        var result = self
        for field in others.fields { result.set(field.key, field.value) }
        return result
    }
}
