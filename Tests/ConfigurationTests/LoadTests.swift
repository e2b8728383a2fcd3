import Testing

@testable import Configuration

@Suite("Loading the settings", .timeLimit(.minutes(5)))
struct LoadTests {
    @Test("The least configuration loads, with the defaults for everything else")
    func minimal() throws {
        let result = loadMinimal()
        #expect(result.texts == [])
        #expect(result.warnings == [])
        let settings = try #require(result.settings)
        #expect(settings.kafka.bootstrapServers == ["kafka-1.example.com:9092"])
        #expect(settings.ledger == LedgerSettings())
        #expect(settings.group.revokeDeadline == .seconds(60))
        #expect(settings.replica.name == "host-1")
        #expect(settings.transactionalId == "campaign-bridge.host-1")
        #expect(settings.groupInstanceId == "host-1")
        let connection = try #require(settings.connections.first)
        #expect(connection.name == "main")
        #expect(connection.clientSecret?.reveal() == "s3cret")
        #expect(settings.connection(forStream: "st-any")?.name == "main")
    }

    @Test("Variables alone are enough, the connection included")
    func environmentOnly() throws {
        let result = BridgeSettings.load(
            file: nil,
            environment: [
                "CAMPAIGN_BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "a:1, [::1]:2",
                "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_BASE_URL": "https://eu-platform.kore.ai",
                "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_STREAMS": "st-1,st-2",
                "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_ACCOUNT_ID": "000012345678901234567890",
                "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_CLIENT_ID": "cs-1",
                "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_CLIENT_SECRET": "x",
                "CAMPAIGN_BRIDGE_REPLICA_NAMESPACE": "prod",
                "CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_SOCKET_TIMEOUT_MS": "5000",
                "CAMPAIGN_BRIDGE_CONFIG": "ignored", "CAMPAIGN_BRIDGE_TOPICS_FAILED": "",
            ], hostName: "h", readFile: Files().read)
        #expect(result.texts == [])
        #expect(result.warnings == [])
        let settings = try #require(result.settings)
        #expect(settings.kafka.bootstrapServers == ["a:1", "[::1]:2"])
        #expect(settings.kafka.properties.values == ["socket.timeout.ms": "5000"])
        #expect(settings.connections.map(\.name) == ["eu-west"])
        #expect(settings.connections.first?.accountId == "000012345678901234567890")
        #expect(settings.transactionalId == "campaign-bridge.prod.h")
        #expect(settings.topics.failed == nil)
    }

    @Test("A variable wins over the file, and the table of effective values says so")
    func precedence() throws {
        let result = loadMinimal(
            "ledger:\n  dedupWindow: 14d\n  maximumEntries: 5000\n", ["CAMPAIGN_BRIDGE_LEDGER_DEDUP_WINDOW": "21d"])
        #expect(result.settings?.ledger.dedupWindow == .days(21))
        #expect(
            result.effective("ledger.dedupWindow")
                == EffectiveValue(
                    key: "ledger.dedupWindow", value: "21d", source: .environment("CAMPAIGN_BRIDGE_LEDGER_DEDUP_WINDOW")
                ))
        #expect(
            result.effective("ledger.maximumEntries")?.source == .file(name: "bridge.yaml", line: 12, column: 19))
        #expect(
            result.effective("source.maximumAge")
                == EffectiveValue(key: "source.maximumAge", value: "1d", source: .defaultValue))
        #expect(
            result.effective("replica.name") == EffectiveValue(key: "replica.name", value: "host-1", source: .machine))
        #expect(
            result.effective("connections.main.clientSecret")
                == EffectiveValue(
                    key: "connections.main.clientSecret", value: "<secret>",
                    source: .secretFile("/run/secrets/clientSecret")))
        #expect(result.effective("kafka.security.password")?.value == nil)
    }

    @Test("Texts stay as they are written, whatever YAML would make of them")
    func textsAsWritten() throws {
        let text = minimalConfiguration.replacing("accountId: 65f1c2a4b7e8d90012345678", with: "accountId: 0042")
            .replacing("cs-2d7d8e1a-0000-5000-8000-000000000000", with: "1e5")
            .replacing("[\"*\"]", with: "[no, 0x10, null, 123456789012345678901234]")
        let connection = try #require(load(text).settings?.connections.first)
        #expect(connection.accountId == "0042")
        #expect(connection.clientId == "1e5")
        #expect(connection.streams == ["no", "0x10", "null", "123456789012345678901234"])
    }

    @Test("All faults are found in one run, each with its key, its place and what is expected")
    func everyFault() {
        let result = load(
            """
            kafka:
              bootstrapServer: ["a:1"]
              security: { protocol: SSL }
            group:
              sessionTimeout: 6
            ledger:
              dedupWindow: 1e3d
              maximumEntries: 1_000
            topics: nothing
            connections:
              main:
                baseUrl: http://example.com
                deadline: 20 s
                readBack: yes
                maximumAnswerBytes:
            """, ["CAMPAIGN_BRIDGE_CALLS_MAXIMUM_IN_FLIGHT": "0"])
        let texts = result.texts
        #expect(result.settings == nil)
        let expected = [
            "bridge.yaml:2:3: kafka.bootstrapServer: there is no such key; did you mean `kafka.bootstrapServers`?",
            "kafka.bootstrapServers: is required:", "CAMPAIGN_BRIDGE_KAFKA_BOOTSTRAP_SERVERS",
            "bridge.yaml:3:25: kafka.security.protocol: expected one of `plaintext`, `ssl`",
            "bridge.yaml:5:19: group.sessionTimeout: expected a duration from 1s to 30m, such as 500ms, 10s, 15m, 6h or 7d, found `6`",
            "bridge.yaml:7:16: ledger.dedupWindow: expected a duration",
            "bridge.yaml:8:19: ledger.maximumEntries: expected a whole number from 1000 to 100000000, found `1_000`",
            "bridge.yaml:9:9: topics: expected a mapping of keys to values, found a single value",
            "bridge.yaml:12:14: connections.main.baseUrl: expected an https URL",
            "bridge.yaml:13:15: connections.main.deadline: expected a duration",
            "bridge.yaml:14:15: connections.main.readBack: expected `true` or `false`, found `yes`",
            "connections.main.maximumAnswerBytes: there is no value: write one or remove the key",
            "connections.main.streams: is required", "connections.main.accountId: is required",
            "connections.main.clientSecret: is required",
            "CAMPAIGN_BRIDGE_CALLS_MAXIMUM_IN_FLIGHT: calls.maximumInFlight: expected a whole number from 1 to 10000, found `0`",
        ]
        for text in expected { #expect(texts.contains { $0.contains(text) }, "\(text) is missing in \(texts)") }
        #expect(Set(texts).count == texts.count)
        #expect(texts.count { $0.contains("maximumAnswerBytes") } == 1)
    }

    @Test(
        "An unknown key is answered with the nearest known one",
        arguments: [
            ("grop:\n  id: x\n", "`group`"), ("conections: {}\n", "`connections`"),
            ("sessionTimeout: 5s\n", "`group.sessionTimeout`"),
            ("topics:\n  deadletter: x\n", "`topics.deadLetters`"),
            ("retry:\n  initailDelay: 1s\n", "`retry.initialDelay`"),
        ])
    func suggestions(text: String, expected: String) {
        let texts = loadMinimal(text).texts
        #expect(texts.count == 1)
        #expect(texts.first?.contains("did you mean \(expected)?") == true)
        #expect(loadMinimal("zzzz: 1\n").texts == ["bridge.yaml:10:1: zzzz: there is no such key: remove it"])
    }

    @Test("A key in a connection is answered with its whole path")
    func connectionSuggestion() {
        let texts = loadMinimal(connection: "    clientID: x\n").texts
        #expect(
            texts == [
                "bridge.yaml:10:5: connections.main.clientID: there is no such key; did you mean `connections.main.clientId`?"
            ])
    }

    @Test("Variables that Kubernetes makes for Services are no settings, and no setting is named like them")
    func serviceLinks() {
        let links = [
            "PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR",
            "PORT_53_UDP_PROTO", "CONSOLE_PORT", "KAFKA_SERVICE_HOST", "SERVER_LISTEN_PORT",
            "HEADLESS_SERVICE_PORT_WEB_UI",
        ]
        let environment = Dictionary(
            uniqueKeysWithValues: links.map { ("CAMPAIGN_BRIDGE_" + $0, "tcp://10.0.0.1:8080") })
        let result = loadMinimal("", environment)
        #expect(result.texts == [])
        #expect(result.warnings == [])
        for key in KeyDescription.all { #expect(!isServiceLink(key.variable), "\(key.variable)") }
    }

    @Test(
        "Other unknown variables with the prefix are warnings with a suggestion; variables of others are not looked at")
    func unknownVariables() {
        let result = loadMinimal(
            "",
            [
                "CAMPAIGN_BRIDGE_LEDGER_DEDUPWINDOW": "1d", "CAMPAIGN_BRIDGE_CONNECTIONS_MIAN_CLIENT_SECRET": "hidden",
                "CAMPAIGN_BRIDGE_XYZ": "hidden", "KAFKA_HEAP": "1", "campaign_bridge_x": "1",
            ])
        #expect(result.texts == [])
        #expect(
            result.warnings.map(\.description) == [
                "CAMPAIGN_BRIDGE_CONNECTIONS_MIAN_CLIENT_SECRET: no setting has this name; did you mean CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_CLIENT_SECRET?",
                "CAMPAIGN_BRIDGE_LEDGER_DEDUPWINDOW: no setting has this name; did you mean CAMPAIGN_BRIDGE_LEDGER_DEDUP_WINDOW?",
                "CAMPAIGN_BRIDGE_XYZ: no setting has this name; it has no effect",
            ])
    }

    @Test("Two keys never share a variable")
    func variablesAreUnique() {
        let variables = KeyDescription.all.map(\.variable)
        #expect(Set(variables).count == variables.count)
        #expect(variableName("connections.main.clientSecret") == "CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_CLIENT_SECRET")
        #expect(variableName("connections.eu-west.baseUrl") == "CAMPAIGN_BRIDGE_CONNECTIONS_EU_WEST_BASE_URL")
    }

    @Test("A file that cannot be read is the one fault, with the system's reason")
    func unreadableFile() {
        let result = BridgeSettings.load(file: "/nowhere.yaml", environment: [:], hostName: "h", readFile: Files().read)
        #expect(result.texts == ["the configuration file /nowhere.yaml cannot be read: No such file or directory"])
        #expect(result.settings == nil)
    }

    @Test("A host name that cannot be part of an id asks for a replica name")
    func badHostName() {
        let result = load(minimalConfiguration, hostName: "büro 1")
        #expect(result.texts.count == 1)
        #expect(result.texts.first?.hasPrefix("replica.name: is required here") == true)
        #expect(load(minimalConfiguration + "replica: { name: r1 }\n", hostName: "").texts == [])
    }

    @Test("The machine's reader gives a file's bytes, its reason for a missing one, and refuses a large one")
    func machineReader() throws {
        #expect(throws: FileReadError("No such file or directory")) { try Machine.readFile("/no/such/file") }
        #expect(throws: FileReadError("it is larger than 10 bytes")) {
            try Machine.readFile("/dev/zero", maximumBytes: 10)
        }
        #expect(try Machine.readFile("/dev/null") == [])
        #expect(!Machine.hostName.isEmpty)
    }
}
