// Imports JSON, to build the schema.
internal import JSON

/// The JSON Schema (draft 2020-12) of the configuration file, indented, made from the declarations of the keys. It knows
/// types, ranges of integers and names; bounds of durations and sizes, and what holds between keys, only `check` knows.
package func jsonSchema() -> String {
    var root = SchemaNode()
    for key in KeyDescription.all {
        root.insert(key, key.path.split(separator: ".").map(String.init)[...])
    }
    let head: [JSONMember] = [
        JSONMember("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
        JSONMember("title", .string("CampaignBridge configuration")),
    ]
    guard case .object(let members) = root.json else { return "" }
    return indented(.object(head + members), 0) + "\n"
}

/// A mapping of the file, or one key.
private struct SchemaNode {
    var key: KeyDescription?
    var names: [String] = []
    var children: [String: SchemaNode] = [:]

    mutating func insert(_ key: KeyDescription, _ path: ArraySlice<String>) {
        guard let name = path.first else {
            self.key = key
            return
        }
        if children[name] == nil { names.append(name) }
        children[name, default: SchemaNode()].insert(key, path.dropFirst())
    }

    /// A key below a section; what is required may come from a variable, so the schema does not demand it.
    var json: JSONValue {
        if let key {
            var members = [JSONMember("description", .string(key.help))] + key.schema
            if let text = key.defaultText { members.append(JSONMember("default", defaultValue(key, text))) }
            return .object(members)
        }
        if let connection = children["<name>"] {
            return .object([
                JSONMember("type", .array([.string("object"), .string("null")])),
                JSONMember("propertyNames", .object([JSONMember("pattern", .string("^[a-z][a-z0-9-]{0,39}$"))])),
                JSONMember("additionalProperties", connection.json),
            ])
        }
        return .object([
            JSONMember("type", .array([.string("object"), .string("null")])),
            JSONMember("additionalProperties", .bool(false)),
            JSONMember("properties", .object(names.map { JSONMember($0, children[$0]?.json ?? .null) })),
        ])
    }

    private func defaultValue(_ key: KeyDescription, _ text: String) -> JSONValue {
        switch key.schema.first?.value.string {
        case "integer": .number(text)
        case "boolean": .bool(text == "true")
        default: .string(text)
        }
    }
}

private func indented(_ value: JSONValue, _ level: Int) -> String {
    let inner = String(repeating: "  ", count: level + 1)
    let outer = String(repeating: "  ", count: level)
    switch value {
    case .object(let members) where !members.isEmpty:
        let lines = members.map { inner + text(.string($0.name)) + ": " + indented($0.value, level + 1) }
        return "{\n" + lines.joined(separator: ",\n") + "\n" + outer + "}"
    default:
        return text(value)
    }
}

private func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }
