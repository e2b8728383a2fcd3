// Imports nothing: what must hold between the settings of a connection, between connections, and what deserves a warning.

/// A connection together with the whole, for rules that look at both.
struct ConnectionInContext: Sendable {
    var connection: ConnectionSettings
    var settings: BridgeSettings
}

extension Rule where Root == ConnectionInContext {
    /// Keys beginning with a dot are the connection's own.
    static var all: [Rule] {
        [
            Rule(keys: [".connectTimeout", ".deadline"]) {
                $0.connection.connectTimeout <= $0.connection.deadline
                    ? nil : "must not be longer than `deadline` (\(durationText($0.connection.deadline)))"
            },
            Rule(keys: [".deadline", "group.revokeDeadline"]) {
                $0.connection.deadline < $0.settings.group.revokeDeadline
                    ? nil
                    : "must be shorter than `group.revokeDeadline` (\(durationText($0.settings.group.revokeDeadline))): partitions are given up only after their calls have ended"
            },
            Rule(keys: [".deadline", "shutdown.drainDeadline"]) {
                $0.connection.deadline < $0.settings.shutdown.drainDeadline
                    ? nil
                    : "must be shorter than `shutdown.drainDeadline` (\(durationText($0.settings.shutdown.drainDeadline))): a stop must not cut off calls"
            },
            Rule(keys: [".clientSecret", ".algorithm"]) {
                let algorithm = $0.connection.algorithm
                if algorithm.usesPrivateKey {
                    return $0.connection.clientSecret == nil
                        ? nil : "has no effect with `algorithm: \(algorithm.rawValue)`: remove it"
                }
                return $0.connection.clientSecret == nil
                    ? "is required with `algorithm: \(algorithm.rawValue)`: set `clientSecretFile` to the path of a file that holds it"
                    : nil
            },
            Rule(keys: [".privateKey", ".algorithm"]) {
                let algorithm = $0.connection.algorithm
                if algorithm.usesPrivateKey {
                    return $0.connection.privateKey == nil
                        ? "is required with `algorithm: \(algorithm.rawValue)`: set `privateKeyFile` to the path of a PEM file"
                        : nil
                }
                return $0.connection.privateKey == nil
                    ? nil : "has no effect with `algorithm: \(algorithm.rawValue)`: remove it"
            },
            Rule(keys: [".keyFile", ".certificateFile"]) {
                pair($0.connection.certificateFile, $0.connection.keyFile, "")
            },
            Rule(keys: [".tokenMargin", ".clockLeeway"]) {
                $0.connection.clockLeeway < $0.connection.tokenMargin
                    ? nil
                    : "must be longer than `clockLeeway` (\(durationText($0.connection.clockLeeway))): a token would have expired before it arrives"
            },
            Rule(keys: [".streams"]) { context in
                for stream in context.connection.streams {
                    if context.connection.streams.count(where: { $0 == stream }) > 1 {
                        return "`\(stream)` stands in the list twice"
                    }
                    let other = context.settings.connections.first {
                        $0.name != context.connection.name && $0.streams.contains(stream)
                    }
                    if let other {
                        return "`\(stream)` belongs to the connection `\(other.name)` too: one stream, one connection"
                    }
                }
                return nil
            },
            Rule(keys: [".exclusive", "source.rekey"]) {
                $0.connection.isExclusive && $0.settings.source.isRekeyed
                    ? "needs a source keyed by campaign, and `source.rekey` moves records by event: events of one campaign can be in two replicas. Set one of the two to false"
                    : nil
            },
        ]
    }

    /// What works and is probably not meant.
    static var warnings: [Rule] {
        [
            Rule(keys: [".exclusive"]) {
                $0.connection.isExclusive && !$0.connection.readBack ? "has no effect without `readBack: true`" : nil
            },
            Rule(keys: [".maximumInFlight", "calls.maximumInFlight"]) {
                $0.connection.maximumInFlight > $0.settings.calls.maximumInFlight
                    && $0.connection.maximumInFlight != ConnectionSettings().maximumInFlight
                    ? "is more than `calls.maximumInFlight` (\($0.settings.calls.maximumInFlight)), which holds for all together"
                    : nil
            },
        ]
    }
}
