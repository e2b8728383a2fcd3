// Imports JSON, for the schema.
internal import JSON

/// A key as the reference, the example and the schema see it, whatever its root.
struct KeyDescription {
    /// Whole path, with `<name>` for a connection's name.
    var path: String
    var typeName: String
    var defaultText: String?
    var isRequired: Bool
    var isSecret: Bool
    var isList: Bool
    var isMap: Bool
    var help: String
    var example: String?
    var schema: [JSONMember]

    var section: String { String(path.split(separator: ".")[0]) }

    /// The key in its table, the variable below it.
    var variable: String {
        variableName(path.replacing("<name>", with: "")).replacing("CONNECTIONS__", with: "CONNECTIONS_<NAME>_")
    }

    /// Every key, connections between source and calls, secrets followed by the key of their file.
    static let all: [KeyDescription] = {
        let keys = Key<BridgeSettings>.all.map { describe($0, "") }
        let connections = Key<ConnectionSettings>.all.map { describe($0, "connections.<name>.") }
        let split = keys.firstIndex { $0.section == "calls" } ?? keys.endIndex
        return (keys[..<split] + connections + keys[split...]).flatMap { $0.isSecret ? [$0.fileKey, $0] : [$0] }
    }()

    private static func describe<Root>(_ key: Key<Root>, _ prefix: String) -> KeyDescription {
        KeyDescription(
            path: prefix + key.path, typeName: key.typeName, defaultText: key.defaultText, isRequired: key.isRequired,
            isSecret: key.isSecret, isList: key.shape == .list, isMap: key.shape == .map, help: key.help,
            example: key.example, schema: key.schema)
    }

    private var fileKey: KeyDescription {
        var result = self
        result.path += "File"
        result.typeName = "path of a file"
        result.isSecret = false
        result.help = "Path of a file with this: " + help
        let name = path.split(separator: ".").last ?? ""
        result.example = "/run/secrets/\(name)"
        result.schema = ValueType<String>.path.schema
        return result
    }
}

/// Titles and introductions of the sections, in the order of the page.
private let sections: [String: String] = [
    "kafka": "Brokers, login and the client.",
    "group": "The consumer group that the replicas form.",
    "replica":
        "What tells one replica from another. The transactional id is `<group.id>.<replica.namespace>.<replica.name>`; where one of them has a dot of its own, their lengths follow, as in `.15-10-6`.",
    "transactions": "Intents, outcomes and offsets are written in transactions, one after another.",
    "topics": "Names of the topics, and how `campaign-bridge topics` creates them.",
    "ledger": "The memory of what has been started.",
    "source": "How requests are read, and how many of them may wait inside the bridge.",
    "connections":
        "Any number of connections to the platform, each under a name of its own. The name is lower-case letters, digits and hyphens; in variables it is upper-case, with underscores.",
    "calls": "Bounds for all connections together.",
    "retry": "Events that provably were not started are tried again until they expire.",
    "circuit": "A connection that keeps failing pauses.",
    "doubt": "Calls whose outcome is not known.",
    "hold": "Holds stop intents on every replica.",
    "results": "Started events.",
    "deadLetters": "Dead letters.",
    "server": "Health and metrics over HTTP.",
    "logging": "Log lines go to standard error.",
    "metrics": "Bounds of the metrics.",
    "shutdown": "What happens at SIGTERM and SIGINT.",
]

/// The reference page `docs/configuration.md`, made from the declarations of the keys.
package func referencePage() -> String {
    var page = introduction
    var current = ""
    for key in KeyDescription.all {
        if key.section != current {
            current = key.section
            page +=
                "\n## `\(current)`\n\n\(sections[current] ?? "")\n\n| Key and variable | Type | Default | Meaning |\n|---|---|---|---|\n"
        }
        let byDefault =
            key.isRequired
            ? "**required**" : key.defaultText.map { "`\($0)`" } ?? (key.path == "replica.name" ? "host name" : "none")
        let variable = key.isMap ? key.variable + "_<PROPERTY>" : key.variable
        page +=
            "| `\(key.path)`<br>`\(variable)` | \(cell(key.typeName)) | \(cell(byDefault)) | \(cell(key.help)) |\n"
    }
    return page
}

private func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }

private let introduction = """
    # Configuration

    One YAML file, given by `--config` or `CAMPAIGN_BRIDGE_CONFIG`. Every value can also be set by the variable under its
    key, and a variable wins over the file; an empty variable counts as not set. `campaign-bridge check` prints every value
    in force and where it comes from, and reports all faults at once. `docs/configuration.schema.json` lets editors
    complete and check the file. This page is made from the declarations in the code.

    - **Texts** are taken as they are written: `0042`, `no` and `1e5` stay what they are, with or without quotes.
    - **Flags** are `true` and `false`, nothing else. **Integers** are plain decimal digits.
    - **Durations** are a whole number and a unit: `ms`, `s`, `m`, `h`, `d`. **Sizes** use `B`, `KiB`, `MiB`, `GiB`.
    - **Lists** are YAML lists; in a variable, elements are separated by commas.
    - **Properties** of librdkafka have a variable each: `CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_SOCKET_TIMEOUT_MS` sets
      `socket.timeout.ms`. Values of properties whose name looks like a secret are never shown.
    - **Secrets** belong in files: `clientSecretFile: /run/secrets/client-secret`. One newline at the end is not part of
      the secret. Secrets are never shown.
    - Unknown keys and repeated keys are errors; unknown variables that begin with `CAMPAIGN_BRIDGE_` are warnings. Names
      that Kubernetes makes for a Service (`CAMPAIGN_BRIDGE_PORT`, `CAMPAIGN_BRIDGE_SERVICE_HOST` and the like) are ignored.
    - The file is UTF-8 and holds one document of at most 1 MiB; anchors and aliases may be used, merge keys and tags not.

    The least that works is brokers and one connection:

    ```yaml
    \(minimalConfiguration)```

    """

/// The least that works: what it needs besides is a file with the client secret at the path it names.
package let minimalConfiguration = """
    kafka:
      bootstrapServers: ["kafka-1.example.com:9092"]
    connections:
      main:
        baseUrl: https://platform.kore.ai
        streams: ["*"]
        accountId: 65f1c2a4b7e8d90012345678
        clientId: cs-2d7d8e1a-0000-5000-8000-000000000000
        clientSecretFile: /run/secrets/clientSecret

    """

/// A file with every key: what is required is set, everything else stands there as a comment with its default or an
/// example.
package let exampleConfiguration: String = {
    var text =
        "# Every setting of CampaignBridge. What is commented out shows the default, or an example where there is none.\n"
    var open: [String] = []
    for key in KeyDescription.all where !key.isSecret {
        let path = key.path.replacing("<name>", with: "main").split(separator: ".").map(String.init)
        let shared = zip(open, path.dropLast()).prefix { $0 == $1 }.count
        for level in shared..<(path.count - 1) {
            if level == 0 { text += "\n" }
            text += indent(level) + path[level] + ":\n"
        }
        open = path.dropLast()
        let isSet = key.isRequired || key.path.hasSuffix(".clientSecretFile")
        text += indent(path.count - 1) + "# \(key.help)\n"
        text += indent(path.count - 1) + (isSet ? "" : "# ") + "\(path[path.count - 1]): \(exampleValue(key))\n"
    }
    return text
}()

private func indent(_ level: Int) -> String { String(repeating: "  ", count: level) }

private func exampleValue(_ key: KeyDescription) -> String {
    if key.isMap { return "{ socket.keepalive.enable: \"true\" }" }
    let text = key.example ?? key.defaultText ?? ""
    return text.contains(where: { "*[]".contains($0) }) && !key.isList ? "\"\(text)\"" : text
}
