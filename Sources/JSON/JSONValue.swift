// Imports nothing: a JSON text as plain values.

/// One JSON value. Names and strings are the exact UTF-8 bytes of the text after unescaping, never normalised; they
/// are compared as bytes, because `String ==` takes canonically equal texts for the same. A number is the text as it
/// was written, so that integers of any length survive. Members of an object stand in the order of the text.
package enum JSONValue: Sendable, Equatable, Hashable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// The member's value, or nil where this is no object or has no such member (compared as bytes).
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { sameBytes($0.name, name) }?.value
    }

    /// The text, or nil where this is no string.
    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The truth value, or nil where this is neither `true` nor `false`.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// True for `null` alone; a member that is not there is nil, not null.
    package var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The elements, or nil where this is no array.
    package var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members in the order of the text, or nil where this is no object.
    package var object: [JSONMember]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The number as it was written, or nil where this is no number.
    package var numberText: String? {
        if case .number(let text) = self { text } else { nil }
    }

    /// The number, where it is written as a plain integer that fits 64 bits; `1.0`, `1e3` and larger ones are nil.
    package var int64: Int64? {
        if case .number(let text) = self { Int64(text) } else { nil }
    }

    /// The number as the nearest double; infinite where it is too large. nil where this is no number.
    package var double: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// An integer as a JSON number.
    package static func integer(_ value: some BinaryInteger) -> JSONValue {
        .number(String(value))
    }

    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): sameBytes(left, right)
        case (.string(let left), .string(let right)): sameBytes(left, right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .number(let text), .string(let text): for byte in text.utf8 { hasher.combine(byte) }
        case .array(let elements): hasher.combine(elements)
        case .object(let members): hasher.combine(members)
        }
    }
}

/// A name and its value in an object. Two members are equal if name and value are equal as bytes.
package struct JSONMember: Sendable, Hashable {
    package var name: String
    package var value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }

    package static func == (left: JSONMember, right: JSONMember) -> Bool {
        sameBytes(left.name, right.name) && left.value == right.value
    }

    package func hash(into hasher: inout Hasher) {
        for byte in name.utf8 { hasher.combine(byte) }
        hasher.combine(value)
    }
}

/// Whether two texts are the same UTF-8 bytes.
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}
