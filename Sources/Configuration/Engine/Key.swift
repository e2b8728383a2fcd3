// Imports JSON, for pieces of the schema.
internal import JSON

/// A tree of settings whose properties begin as the product's defaults.
protocol SettingsRoot: Sendable {
    init()
}

typealias SettingPath<Root, Value> = any WritableKeyPath<Root, Value> & Sendable

/// One piece of text that a person wrote, and where.
struct RawText: Sendable {
    var text: String
    var source: ValueSource
}

/// What a person wrote for one key.
enum RawValue: Sendable {
    case scalar(RawText)
    case list([RawText])
    case map([(name: String, value: RawText)])
}

/// What is wrong with a value: the text goes after the key's path.
struct ValueFault: Sendable {
    var message: String
    var source: ValueSource
}

/// The one declaration of a key. Reading, the check for unknown keys, error texts, the table of effective values, the
/// JSON schema, the example and the reference page all follow from it; its default is the value that a fresh `Root` has.
struct Key<Root: SettingsRoot>: Sendable {
    enum Shape: Sendable {
        case scalar
        case list
        /// Free names: the bounds of what they may be are the receiver's.
        case map
    }

    /// Dots separate the levels; relative to the root.
    let path: String
    let shape: Shape
    let isSecret: Bool
    let isRequired: Bool
    /// Whether the value is the path of a file that must be readable.
    let isPath: Bool
    let typeName: String
    let expectation: String
    let help: String
    /// A value for the example configuration, where the default does not show what to write.
    let example: String?
    let schema: [JSONMember]
    /// Stores what was written. Gives back what is wrong with it, nothing if it was stored.
    let store: @Sendable (RawValue, inout Root) -> [ValueFault]
    /// The value as it would be written, a secret redacted; nil where there is none.
    let show: @Sendable (Root) -> String?

    /// The default as it would be written; nil where there is none.
    var defaultText: String? { show(Root()) }
}

extension Key {
    /// A key with one value, which has a default unless it is required.
    static func value<Value>(
        _ path: String, _ property: SettingPath<Root, Value>, _ type: ValueType<Value>, required: Bool = false,
        example: String? = nil, _ help: String
    ) -> Key {
        scalar(
            path, type, isRequired: required, isPath: false, example: example, help,
            store: { $1[keyPath: property] = $0 },
            show: {
                required && $0[keyPath: property] == Root()[keyPath: property] ? nil : type.write($0[keyPath: property])
            })
    }

    /// A key that may be absent.
    static func optional<Value>(
        _ path: String, _ property: SettingPath<Root, Value?>, _ type: ValueType<Value>, example: String? = nil,
        _ help: String
    ) -> Key {
        scalar(
            path, type, isRequired: false, isPath: false, example: example, help,
            store: { $1[keyPath: property] = $0 }, show: { $0[keyPath: property].map(type.write) })
    }

    /// The path of a file that may be absent from the settings, and must be readable if it is there.
    static func file(_ path: String, _ property: SettingPath<Root, String?>, example: String, _ help: String) -> Key {
        scalar(
            path, ValueType<String>.path, isRequired: false, isPath: true, example: example, help,
            store: { $1[keyPath: property] = $0 }, show: { $0[keyPath: property] })
    }

    private static func scalar<Value>(
        _ path: String, _ type: ValueType<Value>, isRequired: Bool, isPath: Bool, example: String?, _ help: String,
        store: @escaping @Sendable (Value, inout Root) -> Void, show: @escaping @Sendable (Root) -> String?
    ) -> Key {
        Key(
            path: path, shape: .scalar, isSecret: false, isRequired: isRequired, isPath: isPath, typeName: type.name,
            expectation: type.expectation, help: help, example: example, schema: type.schema,
            store: { raw, root in
                guard case .scalar(let written) = raw else { preconditionFailure("the collector gives scalars") }
                guard let value = type.parse(written.text) else { return [fault(type.expectation, written)] }
                store(value, &root)
                return []
            }, show: show)
    }

    /// A list; in a variable its elements are separated by commas.
    static func list<Value>(
        _ path: String, _ property: SettingPath<Root, [Value]>, of type: ValueType<Value>, count: ClosedRange<Int>,
        required: Bool = false, example: String? = nil, _ help: String
    ) -> Key {
        Key(
            path: path, shape: .list, isSecret: false, isRequired: required, isPath: false,
            typeName: "list of: \(type.name)",
            expectation: "a list of \(count.lowerBound) to \(count.upperBound), each \(type.expectation)", help: help,
            example: example,
            schema: [
                JSONMember("type", .string("array")), JSONMember("items", .object(type.schema)),
                JSONMember("minItems", .integer(count.lowerBound)), JSONMember("maxItems", .integer(count.upperBound)),
            ],
            store: { raw, root in
                guard case .list(let written) = raw else { preconditionFailure("the collector gives lists") }
                var values: [Value] = []
                var faults: [ValueFault] = []
                for element in written {
                    if let value = type.parse(element.text) {
                        values.append(value)
                    } else {
                        faults.append(fault(type.expectation, element))
                    }
                }
                if let last = written.last, !count.contains(written.count) {
                    faults.append(
                        ValueFault(
                            message:
                                "expected \(count.lowerBound) to \(count.upperBound) elements, found \(written.count)",
                            source: last.source))
                }
                if faults.isEmpty { root[keyPath: property] = values }
                return faults
            },
            show: { root in
                let values = root[keyPath: property]
                return values.isEmpty ? nil : values.map(type.write).joined(separator: ", ")
            })
    }

    /// A secret. It may be written itself, or in a file that the key with `File` behind its name gives the path of.
    static func secret(
        _ path: String, _ property: SettingPath<Root, Secret?>, maximumBytes: Int = 16_384, _ help: String
    ) -> Key {
        let expectation = "a text of 1 to \(maximumBytes) bytes without white space around it"
        return Key(
            path: path, shape: .scalar, isSecret: true, isRequired: false, isPath: false, typeName: "secret",
            expectation: expectation, help: help, example: nil,
            schema: ValueType<String>.line.schema,
            store: { raw, root in
                guard case .scalar(let written) = raw else { preconditionFailure("the collector gives scalars") }
                if let message = secretFault(written.text, maximumBytes) {
                    return [ValueFault(message: message, source: written.source)]
                }
                root[keyPath: property] = Secret(written.text)
                return []
            }, show: { $0[keyPath: property].map { _ in "<secret>" } })
    }

    /// Properties of librdkafka. A variable of its own for each: `<KEY>_SOCKET_TIMEOUT_MS` is `socket.timeout.ms`.
    static func properties(_ path: String, _ property: SettingPath<Root, Properties>, _ help: String) -> Key {
        Key(
            path: path, shape: .map, isSecret: false, isRequired: false, isPath: false,
            typeName: "mapping of librdkafka properties",
            expectation: "a mapping of librdkafka properties to values", help: help, example: nil,
            schema: [
                JSONMember("type", .string("object")),
                JSONMember("additionalProperties", .object(ValueType<String>.line.schema)),
            ],
            store: { raw, root in
                guard case .map(let written) = raw else { preconditionFailure("the collector gives maps") }
                var faults: [ValueFault] = []
                for (name, value) in written {
                    if let message = propertyFault(name) {
                        faults.append(ValueFault(message: "`\(shown(name))`: \(message)", source: value.source))
                    } else {
                        root[keyPath: property].values[name] = value.text
                    }
                }
                return faults
            },
            show: { root in
                let properties = root[keyPath: property]
                return properties.values.isEmpty ? nil : properties.description
            })
    }

    private static func fault(_ expectation: String, _ written: RawText) -> ValueFault {
        let found = shown(withoutSecrets(written.text))
        return ValueFault(message: "expected \(expectation), found `\(found)`", source: written.source)
    }
}

/// A value that was not taken, as it may be shown: user information and queries of addresses hold secrets.
func withoutSecrets(_ text: String) -> String {
    var rest = text[...]
    var start = ""
    if let scheme = text.firstRange(of: "://") {
        start = String(text[..<scheme.upperBound])
        rest = text[scheme.upperBound...]
    }
    if let at = rest.lastIndex(of: "@") { rest = "<hidden>" + rest[at...] }
    if !start.isEmpty, let mark = rest.firstIndex(where: { $0 == "?" || $0 == "#" }) {
        rest = rest[...mark] + "<hidden>"
    }
    return start + rest
}

/// What is wrong with a secret's text, or nil. Never holds any of it.
func secretFault(_ text: String, _ maximumBytes: Int) -> String? {
    let isSpace = { (byte: UInt8) in byte <= 0x20 || byte == 0x7F }
    guard let first = text.utf8.first, let last = text.utf8.last else { return "is empty" }
    if isSpace(first) || isSpace(last) { return "has white space or control characters around it: remove them" }
    if text.utf8.contains(0) { return "holds a NUL character" }
    return text.utf8.count > maximumBytes ? "is longer than \(maximumBytes) bytes" : nil
}
