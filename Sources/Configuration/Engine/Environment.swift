// Imports nothing.

/// What every variable of the bridge begins with.
let variablePrefix = "CAMPAIGN_BRIDGE_"

/// Variables with the prefix that are no settings: they say where the settings are.
private let reservedVariables: Set<String> = ["CAMPAIGN_BRIDGE_CONFIG"]

/// The variable of a key: camelCase to UPPER_SNAKE, dots and hyphens to underscores.
func variableName(_ path: String) -> String {
    var result = variablePrefix
    for character in path.utf8 {
        switch character {
        case UInt8(ascii: "."), UInt8(ascii: "-"): result.append("_")
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            result.append("_")
            result.unicodeScalars.append(Unicode.Scalar(character))
        default: result.append(contentsOf: String(UnicodeScalar(character)).uppercased())
        }
    }
    return result
}

/// Whether Kubernetes may have put this variable there, for a Service whose name begins like ours: `..._SERVICE_HOST`,
/// `..._SERVICE_PORT`, `..._SERVICE_PORT_<NAME>`, `..._PORT`, `..._PORT_<n>_TCP` and what follows that. Such a name is
/// never a setting.
func isServiceLink(_ variable: String) -> Bool {
    let parts = variable.split(separator: "_", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
        let rest = parts[(index + 1)...]
        if part == "SERVICE", rest.first == "HOST", rest.count == 1 { return true }
        if part == "SERVICE", rest.first == "PORT" { return true }
        guard part == "PORT" else { continue }
        if rest.isEmpty { return true }
        if let number = rest.first, isDigits(number.utf8), let transport = rest.dropFirst().first,
            ["TCP", "UDP", "SCTP"].contains(transport)
        {
            return true
        }
    }
    return false
}

/// The process's variables that begin with the prefix, and which of them have been used. An empty variable counts as
/// not set.
struct Environment {
    private let variables: [String: String]
    private var used: Set<String> = []

    init(_ all: [String: String]) {
        variables = all.filter {
            $0.key.hasPrefix(variablePrefix) && !$0.value.isEmpty && !isServiceLink($0.key)
                && !reservedVariables.contains($0.key)
        }
    }

    /// What is written for a key; its variable counts as used.
    mutating func value<Root>(of key: Key<Root>, path: String) -> RawValue? {
        let name = variableName(path)
        switch key.shape {
        case .scalar: return text(name).map { .scalar($0) }
        case .list:
            guard let text = text(name) else { return nil }
            return .list(
                text.text.split(separator: ",", omittingEmptySubsequences: false).map {
                    RawText(text: trimmed($0), source: text.source)
                })
        case .map:
            let prefix = name + "_"
            let found = variables.keys.filter { $0.hasPrefix(prefix) }.sorted()
            used.formUnion(found)
            guard !found.isEmpty else { return nil }
            return .map(
                found.map { variable in
                    let property = String(variable.dropFirst(prefix.count).lowercased().map { $0 == "_" ? "." : $0 })
                    return (property, RawText(text: variables[variable] ?? "", source: .environment(variable)))
                })
        }
    }

    /// The variable of this name; it counts as used.
    mutating func text(_ name: String) -> RawText? {
        used.insert(name)
        return variables[name].map { RawText(text: $0, source: .environment(name)) }
    }

    /// Names that stand between a prefix and a suffix in variables.
    func names(between prefix: String, and suffix: String) -> [String] {
        variables.keys.sorted().compactMap { variable in
            guard variable.hasPrefix(prefix), variable.hasSuffix(suffix), variable.count > prefix.count + suffix.count
            else {
                return nil
            }
            return String(variable.dropFirst(prefix.count).dropLast(suffix.count))
        }
    }

    /// A warning for each variable with the prefix that no key has used.
    func warnings(known: [String]) -> [ConfigurationProblem] {
        variables.keys.filter { !used.contains($0) }.sorted().map { variable in
            let advice = nearest(to: variable, among: known).map { "did you mean \($0)?" } ?? "it has no effect"
            return ConfigurationProblem(
                key: nil, source: .environment(shown(variable)), message: "no setting has this name; \(advice)")
        }
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
