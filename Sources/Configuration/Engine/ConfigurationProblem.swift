// Imports nothing.

/// Where a value was set.
package enum ValueSource: Sendable, Equatable, CustomStringConvertible {
    case defaultValue
    case file(name: String, line: Int, column: Int)
    case environment(String)
    /// The content of a file that a `...File` key names.
    case secretFile(String)
    /// Taken from the machine: the host name.
    case machine

    package var description: String {
        switch self {
        case .defaultValue: "default"
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .environment(let variable): variable
        case .secretFile(let path): "secret file \(path)"
        case .machine: "host name"
        }
    }
}

/// One thing that is wrong, or worth saying, about the configuration. Never holds a secret.
package struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The key's whole path, such as `connections.main.deadline`; nil where it is not about one key.
    package var key: String?
    /// Where the value stands; nil where nothing was written.
    package var source: ValueSource?
    /// What is expected, or what to do.
    package var message: String

    package init(key: String?, source: ValueSource?, message: String) {
        self.key = key
        self.source = source
        self.message = message
    }

    /// One line: place, key, text.
    package var description: String {
        var parts: [String] = []
        switch source {
        case nil, .defaultValue: break
        case let source?: parts.append(source.description)
        }
        if let key { parts.append(key) }
        return (parts + [message]).joined(separator: ": ")
    }
}

/// A setting as it is in force, for `check`.
package struct EffectiveValue: Sendable, Equatable {
    /// The whole path.
    package var key: String
    /// The value as it would be written, `<secret>` for a secret; nil where there is none.
    package var value: String?
    package var source: ValueSource
}

/// A piece of what a person wrote, made fit for one line of an error text.
func shown(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(60) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        result.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return text.unicodeScalars.count > 60 ? result + "..." : result
}
