import Testing

@testable import Configuration

@Suite("Secrets", .timeLimit(.minutes(5)))
struct SecretTests {
    private func secret(_ content: String) -> LoadResult {
        loadMinimal(files: Files(contents: ["/run/secrets/clientSecret": content]))
    }

    @Test(
        "One newline at the end of the file is not part of the secret",
        arguments: [
            "p w", "p w\n", "p w\r\n",
        ])
    func finalNewline(content: String) {
        #expect(secret(content).settings?.connections.first?.clientSecret?.reveal() == "p w")
    }

    @Test(
        "Other white space around it, or nothing in it, names the path and never the content",
        arguments: [
            (" hidden", "has white space"), ("hidden \n", "has white space"), ("hidden\n\n", "has white space"),
            ("\thidden", "has white space"), ("hidden\r", "has white space"), ("", "is empty"), ("\n", "is empty"),
            ("hid\u{0}den", "NUL"),
            (String(repeating: "hidden", count: 5000), "longer than 16384 bytes"),
        ])
    func badContent(content: String, expected: String) {
        let texts = secret(content).texts
        #expect(texts.count == 1)
        #expect(texts.first?.contains(expected) == true)
        #expect(texts.first?.contains("connections.main.clientSecret") == true)
        #expect(texts.first?.contains("hid") == false)
        if !content.hasPrefix("hiddenhidden") { #expect(texts.first?.contains("/run/secrets/clientSecret") == true) }
    }

    @Test(
        "An address that is not taken is shown without what may be a secret in it",
        arguments: [
            ("http://user:pass@proxy:3128", "http://<hidden>@proxy:3128"),
            ("user:pa@ss@proxy", "<hidden>@proxy"), ("https://host/a?key=pass", "https://host/a?<hidden>"),
            ("https://u:p?x@host/#pass", "https://<hidden>@host/#<hidden>"), ("1_000", "1_000"), ("a?b", "a?b"),
        ])
    func addresses(text: String, shown: String) {
        #expect(withoutSecrets(text) == shown)
    }

    @Test("A missing file, and one that is not UTF-8, are faults that name the path")
    func unreadable() {
        #expect(
            loadMinimal(files: Files(contents: [:])).texts == [
                "bridge.yaml:9:23: connections.main.clientSecretFile: the file /run/secrets/clientSecret cannot be read: No such file or directory"
            ])
        let result = BridgeSettings.load(
            text: Array(minimalConfiguration.utf8), fileName: "bridge.yaml", environment: [:], hostName: "h",
            readFile: { _ throws(FileReadError) in [0xFF, 0x41] })
        #expect(result.texts.count == 1)
        #expect(result.texts.first?.contains("is not valid UTF-8") == true)
    }

    @Test("A secret and its file at once are a fault, unless they come from file and variable")
    func twice() {
        let both = loadMinimal(connection: "    clientSecret: hidden\n")
        #expect(
            both.texts == [
                "bridge.yaml:10:19: connections.main.clientSecret: `connections.main.clientSecretFile` is set too (bridge.yaml:9:23): keep one of the two"
            ])
        let variable = loadMinimal("", ["CAMPAIGN_BRIDGE_CONNECTIONS_MAIN_CLIENT_SECRET": "from variable"])
        #expect(variable.settings?.connections.first?.clientSecret?.reveal() == "from variable")
    }

    @Test("No text of the result shows a secret, however it is printed")
    func neverShown() throws {
        let result = loadMinimal(
            """
            kafka.x: 1
            """, connection: "    privateKey: hidden-2\n",
            [
                "CAMPAIGN_BRIDGE_KAFKA_SECURITY_KEY_PASSWORD": " hidden-1",
                "CAMPAIGN_BRIDGE_KAFKA_SECURITY_PASSWORD": "hidden-3 ",
                "CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_SSL_KEY_PEM": "hidden-4",
            ])
        #expect(result.texts.count >= 4)
        #expect(!"\(result.problems) \(result.effective) \(result.warnings)".contains("hidden"))

        let good = loadMinimal(
            "",
            [
                "CAMPAIGN_BRIDGE_KAFKA_SECURITY_KEY_PASSWORD": "hidden-5",
                "CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_SSL_KEY_PEM": "hidden-6",
            ],
            files: Files(contents: ["/run/secrets/clientSecret": "hidden-7"]))
        let settings = try #require(good.settings)
        var dumped = ""
        dump(settings, to: &dumped)
        let printed = "\(settings) \(String(reflecting: settings)) \(good.effective) \(dumped)"
        #expect(!printed.contains("hidden"))
        #expect(printed.contains("<secret>"))
        #expect(good.effective("kafka.properties")?.value == "ssl.key.pem=<secret>")
        #expect(settings.kafka.properties.values["ssl.key.pem"] == "hidden-6")
    }

    @Test("Properties that the bridge sets are refused with the key to use instead")
    func reservedProperties() {
        let result = loadMinimal(
            "",
            ["CAMPAIGN_BRIDGE_KAFKA_CONSUMER_PROPERTIES_GROUP_ID": "x", "CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_ACKS": "0"])
        #expect(
            result.texts == [
                "CAMPAIGN_BRIDGE_KAFKA_PROPERTIES_ACKS: kafka.properties: `acks`: this property cannot be set here: the bridge's promises depend on it, and the bridge sets it",
                "CAMPAIGN_BRIDGE_KAFKA_CONSUMER_PROPERTIES_GROUP_ID: kafka.consumerProperties: `group.id`: this property cannot be set here: use `group.id`",
            ])
    }
}
