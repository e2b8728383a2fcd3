internal import CRDKafka

/// Properties of librdkafka, by name, for one client. All of them pass through, the security ones too; unknown names and
/// bad values are errors when the client is made. Facts: librdkafka's CONFIGURATION.md of the running version.
package struct ClientSettings: Sendable {
    package var properties: [String: String]

    package init(properties: [String: String] = [:]) {
        self.properties = properties
    }
}

/// Owns a C configuration until a client takes it.
final class NativeConfiguration {
    let pointer: OpaquePointer

    /// - Parameters:
    ///   - defaults: taken where the settings name no value.
    ///   - forced: what the client's correctness rests on; another value in the settings is an error.
    ///   - removed: names that other clients of the same settings need and this one must not have.
    init(
        _ settings: ClientSettings, defaults: [String: String] = [:], forced: [String: String] = [:],
        removed: Set<String> = []
    ) throws(KafkaError) {
        var properties = settings.properties.filter { !removed.contains($0.key) }
        // Token refresh of OAUTHBEARER runs on a thread of the library, so that it never waits for ours.
        let mechanism = properties["sasl.mechanism"] ?? properties["sasl.mechanisms"] ?? ""
        usesTokens = mechanism == "OAUTHBEARER"
        pointer = rd_kafka_conf_new()
        for (name, value) in forced {
            if let given = properties[name], given != value {
                throw KafkaError(
                    .invalidArgument,
                    "property \(name): the client itself needs it to be \(value); remove it from the settings")
            }
            properties[name] = value
        }
        properties.merge(defaults) { given, _ in given }
        // Sorted, so that of two faults the same one is always named.
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            try set(name, value)
        }
        if usesTokens { rd_kafka_conf_enable_sasl_queue(pointer, 1) }
    }

    let usesTokens: Bool
    private var isTaken = false

    deinit {
        if !isTaken { rd_kafka_conf_destroy(pointer) }
    }

    func set(_ name: String, _ value: String) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: 512)
        let result = rd_kafka_conf_set(pointer, name, value, &text, text.count)
        guard result != RD_KAFKA_CONF_OK else { return }
        let reason =
            if result == RD_KAFKA_CONF_UNKNOWN {
                "unknown to librdkafka \(LibraryVersion.string); check its spelling"
            } else if Self.isSecret(name) {
                "the value is not accepted (it is not shown because it may be a secret)"
            } else {
                KafkaError.text(text)
            }
        throw KafkaError(.invalidArgument, "property \(name): \(reason)")
    }

    /// Whether the value of a property must not be shown.
    static func isSecret(_ name: String) -> Bool {
        let parts = ["password", "secret", "pem", "oauthbearer.config", "username", "assertion", "plugin"]
        return parts.contains { name.contains($0) }
    }

    /// The effective value of a property, also where nobody set it.
    func value(of name: String) -> String? {
        var size = 0
        guard rd_kafka_conf_get(pointer, name, nil, &size) == RD_KAFKA_CONF_OK else { return nil }
        var text = [CChar](repeating: 0, count: size + 1)
        guard rd_kafka_conf_get(pointer, name, &text, &size) == RD_KAFKA_CONF_OK else { return nil }
        return KafkaError.text(text)
    }

    /// The effective value of a number property that librdkafka always has.
    func number(of name: String) -> Int {
        guard let text = value(of: name), let number = Int(text) else {
            preconditionFailure("librdkafka has no number \(name)")
        }
        return number
    }

    /// Says that a client owns the C object from now on.
    func take() { isTaken = true }
}
