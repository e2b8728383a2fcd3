// Imports nothing: what must hold between several settings.

/// A rule over the settings. `message` gives what is wrong and what to do, or nil.
struct Rule<Root: Sendable>: Sendable {
    /// The keys it looks at. The first one names the place of the fault; if any of them has a fault of its own, the rule
    /// is not asked.
    let keys: [String]
    let message: @Sendable (Root) -> String?
}

extension Rule where Root == BridgeSettings {
    static var all: [Rule] {
        [
            Rule(keys: ["source.maximumAge", "source.ageMargin", "ledger.dedupWindow"]) {
                $0.source.maximumAge + $0.source.ageMargin < $0.ledger.dedupWindow
                    ? nil
                    : "with `source.ageMargin` it must be shorter than `ledger.dedupWindow` (\(durationText($0.ledger.dedupWindow))): the ledger must outlast every event"
            },
            Rule(keys: ["group.revokeDeadline", "group.maxPollInterval"]) {
                $0.group.revokeDeadline < $0.group.maxPollInterval
                    ? nil
                    : "must be shorter than `group.maxPollInterval` (\(durationText($0.group.maxPollInterval))): the group waits no longer"
            },
            Rule(keys: ["group.heartbeatInterval", "group.sessionTimeout"]) {
                $0.group.heartbeatInterval * 3 <= $0.group.sessionTimeout
                    ? nil
                    : "must be at most a third of `group.sessionTimeout` (\(durationText($0.group.sessionTimeout)))"
            },
            Rule(keys: ["group.sessionTimeout", "group.maxPollInterval"]) {
                $0.group.sessionTimeout <= $0.group.maxPollInterval
                    ? nil
                    : "must not be longer than `group.maxPollInterval` (\(durationText($0.group.maxPollInterval)))"
            },
            Rule(keys: ["hold.confirmInterval", "hold.leaseDuration"]) {
                $0.hold.confirmInterval * 2 <= $0.hold.leaseDuration
                    ? nil : "must be at most half of `hold.leaseDuration` (\(durationText($0.hold.leaseDuration)))"
            },
            Rule(keys: ["retry.initialDelay", "retry.maximumDelay"]) {
                $0.retry.initialDelay <= $0.retry.maximumDelay
                    ? nil : "must not be longer than `retry.maximumDelay` (\(durationText($0.retry.maximumDelay)))"
            },
            Rule(keys: ["topics.minInsyncReplicas", "topics.replicationFactor"]) {
                $0.topics.minInsyncReplicas <= $0.topics.replicationFactor
                    ? nil : "must not be more than `topics.replicationFactor` (\($0.topics.replicationFactor))"
            },
            Rule(keys: ["source.windowBytes", "source.maximumRecordBytes"]) {
                $0.source.windowBytes >= $0.source.maximumRecordBytes
                    ? nil
                    : "must not be less than `source.maximumRecordBytes` (\(sizeText($0.source.maximumRecordBytes)))"
            },
            Rule(keys: ["transactions.maximumBytes", "deadLetters.maximumBytes"]) {
                $0.transactions.maximumBytes >= $0.deadLetters.maximumBytes
                    ? nil
                    : "must not be less than `deadLetters.maximumBytes` (\(sizeText($0.deadLetters.maximumBytes)))"
            },
            Rule(keys: ["server.keyFile", "server.certificateFile"]) {
                pair($0.server.certificateFile, $0.server.keyFile, "server.")
            },
        ] + topicNames + security
    }

    private static var topicNames: [Rule] {
        let names: [(String, @Sendable (BridgeSettings) -> String?)] = [
            ("topics.source", { $0.topics.source }), ("topics.started", { $0.topics.started }),
            ("topics.deadLetters", { $0.topics.deadLetters }), ("topics.ledger", { $0.topics.ledger }),
            ("topics.control", { $0.topics.control }), ("topics.failed", { $0.topics.failed }),
            ("topics.intake", { $0.topics.intake }),
        ]
        return names.indices.dropFirst().map { index in
            Rule(keys: [names[index].0]) { settings in
                guard let name = names[index].1(settings) else { return nil }
                return names[..<index].first { $0.1(settings) == name }.map {
                    "is the same topic as `\($0.0)`: each needs its own"
                }
            }
        }
    }

    private static var security: [Rule] {
        let path = "kafka.security."
        return [
            Rule(keys: [path + "mechanism", path + "protocol"]) {
                let security = $0.kafka.security
                if security.securityProtocol.usesSASL, security.mechanism == nil {
                    return "is required with `kafka.security.protocol: \(security.securityProtocol.rawValue)`"
                }
                return !security.securityProtocol.usesSASL && security.mechanism != nil
                    ? "has no effect: set `kafka.security.protocol` to sasl_ssl or sasl_plaintext, or remove it" : nil
            },
            Rule(keys: [path + "username", path + "mechanism"]) {
                $0.kafka.security.mechanism?.needsPassword == true && $0.kafka.security.username == nil
                    ? "is required with this `kafka.security.mechanism`" : nil
            },
            Rule(keys: [path + "password", path + "mechanism"]) {
                $0.kafka.security.mechanism?.needsPassword == true && $0.kafka.security.password == nil
                    ? "is required with this `kafka.security.mechanism`: set `kafka.security.passwordFile` to the path of a file that holds it"
                    : nil
            },
            Rule(keys: [path + "caFile", path + "protocol"]) {
                $0.kafka.security.caFile != nil && !$0.kafka.security.securityProtocol.usesTLS
                    ? "has no effect: set `kafka.security.protocol` to ssl or sasl_ssl, or remove it" : nil
            },
            Rule(keys: [path + "certificateFile", path + "protocol"]) {
                $0.kafka.security.certificateFile != nil && !$0.kafka.security.securityProtocol.usesTLS
                    ? "has no effect: set `kafka.security.protocol` to ssl or sasl_ssl, or remove it" : nil
            },
            Rule(keys: [path + "keyFile", path + "certificateFile"]) {
                pair($0.kafka.security.certificateFile, $0.kafka.security.keyFile, path)
            },
        ]
    }
}

/// What is wrong with a certificate without its key, or the other way round.
func pair(_ certificateFile: String?, _ keyFile: String?, _ prefix: String) -> String? {
    switch (certificateFile, keyFile) {
    case (nil, nil), (_?, _?): nil
    case (_?, nil): "is required with `\(prefix)certificateFile`"
    case (nil, _?): "needs `\(prefix)certificateFile` with it"
    }
}
