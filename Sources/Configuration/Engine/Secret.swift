// Imports nothing.

/// A text that no log, error, metric or dump may show. Printing it in any way gives `<secret>`.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The text itself, for the library call that needs it.
    package func reveal() -> String { text }

    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Properties passed through to librdkafka as they are written. Printing shows no value whose name looks like a secret.
package struct Properties: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    package var values: [String: String] = [:]

    package init(_ values: [String: String] = [:]) {
        self.values = values
    }

    /// Names and values in the order of the names, values of secret-looking names replaced.
    package var description: String {
        values.keys.sorted().map { "\($0)=\(Self.isSecret($0) ? "<secret>" : values[$0] ?? "")" }.joined(
            separator: ", ")
    }

    package var customMirror: Mirror { Mirror(self, children: ["description": description]) }

    /// Whether a property's name suggests that its value must not be shown.
    package static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["password", "secret", "token", "jaas", "key", "pem", "oauthbearer.config"].contains {
            name.contains($0)
        }
    }
}
