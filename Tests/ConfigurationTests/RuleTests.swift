import Testing

@testable import Configuration

@Suite("What must hold between settings", .timeLimit(.minutes(5)))
struct RuleTests {
    @Test("The defaults break no rule")
    func defaults() {
        #expect(loadMinimal().texts == [])
    }

    @Test(
        "A rule that is broken names its first key and says why",
        arguments: [
            ("source: { maximumAge: 7d }", "source.maximumAge: with `source.ageMargin` it must be shorter"),
            ("source: { maximumAge: 167h, ageMargin: 1h }", "source.maximumAge: with `source.ageMargin`"),
            ("ledger: { dedupWindow: 25h }", "source.maximumAge: with `source.ageMargin`"),
            (
                "group: { revokeDeadline: 5m }",
                "group.revokeDeadline: must be shorter than `group.maxPollInterval` (5m)"
            ),
            (
                "group: { revokeDeadline: 20s }",
                "connections.main.deadline: must be shorter than `group.revokeDeadline` (20s)"
            ),
            ("group: { heartbeatInterval: 3s }", "group.heartbeatInterval: must be at most a third"),
            (
                "group: { sessionTimeout: 6m }",
                "group.sessionTimeout: must not be longer than `group.maxPollInterval` (5m)"
            ),
            ("hold: { confirmInterval: 16s }", "hold.confirmInterval: must be at most half"),
            ("retry: { initialDelay: 61s }", "retry.initialDelay: must not be longer than `retry.maximumDelay` (1m)"),
            ("topics: { minInsyncReplicas: 4 }", "topics.minInsyncReplicas: must not be more than"),
            ("topics: { ledger: campaign-started }", "topics.ledger: is the same topic as `topics.started`"),
            ("topics: { failed: campaign-start-control }", "topics.failed: is the same topic as `topics.control`"),
            ("source: { windowBytes: 1MiB, maximumRecordBytes: 2MiB }", "source.windowBytes: must not be less"),
            ("transactions: { maximumBytes: 64KiB }", "transactions.maximumBytes: must not be less"),
            (
                "shutdown: { drainDeadline: 20s }",
                "connections.main.deadline: must be shorter than `shutdown.drainDeadline` (20s)"
            ),
            (
                "server: { certificateFile: /run/secrets/clientSecret }",
                "server.keyFile: is required with `server.certificateFile`"
            ),
            ("server: { keyFile: /run/secrets/clientSecret }", "server.keyFile: needs `server.certificateFile`"),
        ])
    func broken(text: String, expected: String) {
        expectOne(loadMinimal(text + "\n"), expected)
    }

    @Test(
        "The login must be whole and fit the protocol",
        arguments: [
            ("protocol: sasl_ssl", ["kafka.security.mechanism: is required"]),
            ("mechanism: PLAIN, username: u, password: p", ["kafka.security.mechanism: has no effect"]),
            (
                "protocol: sasl_ssl, mechanism: SCRAM-SHA-512",
                ["kafka.security.username: is required", "kafka.security.password: is required"]
            ),
            ("protocol: sasl_ssl, mechanism: OAUTHBEARER", []),
            ("caFile: /run/secrets/clientSecret", ["kafka.security.caFile: has no effect"]),
            ("protocol: ssl, certificateFile: /run/secrets/clientSecret", ["kafka.security.keyFile: is required with"]),
            ("protocol: ssl, caFile: /nowhere", ["kafka.security.caFile: the file /nowhere cannot be read"]),
        ])
    func login(security: String, expected: [String]) {
        let text = minimalConfiguration.replacing("kafka:\n", with: "kafka:\n  security: { \(security) }\n")
        let texts = load(text).texts
        #expect(texts.count == expected.count)
        for (text, expected) in zip(texts, expected) { #expect(text.contains(expected)) }
    }

    @Test(
        "A connection that contradicts itself is a fault",
        arguments: [
            ("deadline: 4s", "connections.main.connectTimeout: must not be longer than `deadline` (4s)"),
            (
                "algorithm: RS256\n    privateKey: x",
                "connections.main.clientSecret: has no effect with `algorithm: RS256`"
            ),
            ("privateKey: x", "connections.main.privateKey: has no effect with `algorithm: HS256`"),
            ("clockLeeway: 20s", "connections.main.tokenMargin: must be longer than `clockLeeway`"),
            ("certificateFile: /run/secrets/clientSecret", "connections.main.keyFile: is required with"),
        ])
    func connection(text: String, expected: String) {
        expectOne(loadMinimal(connection: "    \(text)\n"), expected)
    }

    @Test("A stream belongs to one connection")
    func streams() {
        let second = minimalConfiguration.split(separator: "\n").dropFirst(4).joined(separator: "\n") + "\n"
        let result = load(minimalConfiguration + "  other:\n" + second)
        #expect(result.texts.count == 2)
        #expect(result.texts.first?.contains("`*` belongs to the connection `other` too") == true)
        let named = load(minimalConfiguration + "  other:\n" + second.replacing("[\"*\"]", with: "[st-1]"))
        #expect(named.texts == [])
        #expect(named.settings?.connection(forStream: "st-1")?.name == "other")
        #expect(named.settings?.connection(forStream: "st-2")?.name == "main")
        expectOne(load(minimalConfiguration.replacing("[\"*\"]", with: "[a, b, a]")), "`a` stands in the list twice")
    }

    @Test("No connection at all is a fault that says what one needs")
    func noConnection() {
        expectOne(load("kafka: { bootstrapServers: [\"a:1\"] }\n"), "connections: at least one connection is required")
        expectOne(load("kafka: { bootstrapServers: [\"a:1\"] }\nconnections:\n"), "connections: at least one")
    }

    @Test("Names of connections must have a variable form of their own")
    func connectionNames() {
        let one = minimalConfiguration.replacing("  main:", with: "  Main:")
        #expect(load(one).texts.contains { $0.contains("connections.Main: the name of a connection is") })
    }

    @Test("What has no effect is a warning")
    func warnings() {
        let result = loadMinimal(connection: "    exclusive: true\n    maximumInFlight: 300\n")
        #expect(result.settings != nil)
        #expect(
            result.warnings.map(\.description) == [
                "bridge.yaml:10:16: connections.main.exclusive: has no effect without `readBack: true`",
                "bridge.yaml:11:22: connections.main.maximumInFlight: is more than `calls.maximumInFlight` (256), which holds for all together",
            ])
    }

    private func expectOne(_ result: LoadResult, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation)
    {
        #expect(result.texts.count == 1, "\(result.texts)", sourceLocation: sourceLocation)
        #expect(result.texts.first?.contains(expected) == true, "\(result.texts)", sourceLocation: sourceLocation)
        #expect(result.settings == nil, sourceLocation: sourceLocation)
    }
}
