// swift-tools-version: 6.0
import PackageDescription

/// Debian keeps every header and library where the compiler looks by itself, and some of its .pc files name flags that
/// the package manager refuses with a warning; Homebrew keeps some of them apart.
func keg(_ name: String) -> String? {
    #if os(macOS)
        return name
    #else
        return nil
    #endif
}

/// The native libraries, each Debian's own; one system module each, with the C wrappers that Swift cannot import by itself.
let native: [Target] = [
    .systemLibrary(
        name: "CRDKafka", pkgConfig: keg("rdkafka"),
        providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]),
    .systemLibrary(
        name: "CCurl", pkgConfig: keg("libcurl"),
        providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
    .systemLibrary(
        name: "CMicrohttpd", pkgConfig: keg("libmicrohttpd"),
        providers: [.apt(["libmicrohttpd-dev"]), .brew(["libmicrohttpd"])]),
    .systemLibrary(
        name: "CCrypto", pkgConfig: keg("libcrypto"),
        providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
    .systemLibrary(
        name: "CYAML", pkgConfig: keg("yaml-0.1"),
        providers: [.apt(["libyaml-dev"]), .brew(["libyaml"])]),
    .systemLibrary(
        name: "CJansson", pkgConfig: keg("jansson"),
        providers: [.apt(["libjansson-dev"]), .brew(["jansson"])]),
]

/// The rooms. Dependencies point up this list only: what stands below imports what stands above. Each names all that it
/// imports: a target is compiled anew only after those that it names, and code of others may be inlined in it.
let rooms: [Target] = [
    .target(name: "Records"),
    .target(name: "NativeThread"),
    .target(name: "JSON", dependencies: ["CJansson"]),
    .target(name: "Telemetry"),
    .target(name: "TerminalText"),
    .target(name: "Terminal", dependencies: ["TerminalText"]),
    .target(name: "Configuration", dependencies: ["JSON", "CYAML"]),
    .target(name: "Kafka", dependencies: ["Records", "NativeThread", "CRDKafka"]),
    .target(name: "HTTPClient", dependencies: ["NativeThread", "CCurl"]),
    .target(name: "HTTPServer", dependencies: ["CMicrohttpd"]),
    .target(name: "BridgeCore", dependencies: ["Records", "JSON"]),
    .target(name: "Simulation", dependencies: ["BridgeCore", "Records"]),
    .target(name: "KoreAPI", dependencies: ["BridgeCore", "HTTPClient", "JSON", "CCrypto"]),
    .target(name: "KoreSimulator", dependencies: ["HTTPServer", "JSON", "CCrypto"]),
    .target(
        name: "Bridge",
        dependencies: ["Records", "JSON", "Telemetry", "Configuration", "Kafka", "HTTPServer", "BridgeCore"]),
    .target(name: "Checks", dependencies: ["Records", "Configuration", "Kafka", "BridgeCore", "KoreAPI", "Bridge"]),
    .target(name: "Operations", dependencies: ["BridgeCore", "Kafka", "JSON", "Records"]),
    .executableTarget(
        name: "campaign-bridge",
        dependencies: [
            "Records", "JSON", "Telemetry", "TerminalText", "Terminal", "Configuration", "Kafka", "HTTPServer",
            "BridgeCore", "KoreAPI", "KoreSimulator", "Bridge", "Checks", "Operations",
        ]),
    .executableTarget(name: "simulation-runner", dependencies: ["Simulation"]),
]

let tests: [Target] = [
    .testTarget(name: "NativeThreadTests", dependencies: ["NativeThread"]),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"]),
    .testTarget(name: "TerminalTextTests", dependencies: ["TerminalText"]),
    .testTarget(name: "TerminalTests", dependencies: ["Terminal", "TerminalText"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "JSON"]),
    .testTarget(name: "KafkaTests", dependencies: ["Kafka", "Records", "CRDKafka"]),
    // A server that misbehaves on command and a client that shows every byte; tests only.
    .target(name: "RawSockets", path: "Tests/RawSockets"),
    .testTarget(name: "HTTPClientTests", dependencies: ["HTTPClient", "RawSockets"]),
    .testTarget(name: "HTTPServerTests", dependencies: ["HTTPServer", "RawSockets"]),
    .testTarget(name: "BridgeCoreTests", dependencies: ["BridgeCore", "JSON", "Records"]),
    .testTarget(
        name: "KoreAPITests", dependencies: ["KoreAPI", "BridgeCore", "HTTPClient", "KoreSimulator", "RawSockets"]),
    .testTarget(name: "KoreSimulatorTests", dependencies: ["KoreSimulator", "JSON", "RawSockets"]),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"]),
    .testTarget(
        name: "BridgeTests",
        dependencies: [
            "Records", "JSON", "Telemetry", "Terminal", "Configuration", "Kafka", "HTTPClient", "BridgeCore",
            "KoreSimulator", "Bridge", "Checks", "campaign-bridge",
        ]),
    .testTarget(
        name: "ChecksTests",
        dependencies: [
            "Records", "Configuration", "Kafka", "BridgeCore", "KoreAPI", "KoreSimulator", "Bridge", "Checks",
            "campaign-bridge",
        ]),
    .testTarget(name: "OperationsTests", dependencies: ["Operations", "BridgeCore", "Records"]),
    // Schemas and documents against what the code gives; `test_contracts.py` beside them checks with an independent validator.
    .testTarget(
        name: "ContractTests",
        dependencies: ["Bridge", "BridgeCore", "Configuration", "JSON", "Operations", "Records", "Telemetry"],
        exclude: ["test_contracts.py", "requests.json"]),
]

let package = Package(
    name: "campaign-bridge",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "campaign-bridge", targets: ["campaign-bridge"])],
    targets: native + rooms + tests,
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}

/// These work once for a command, and optimising them takes a good part of a cold build's processor time. `TerminalText` is
/// not among them: `dead-letters list` makes each field visible, and took 12 s instead of 7 s for 100 000 without.
let once: Set = ["Terminal", "Configuration", "Checks", "campaign-bridge"]
for target in package.targets where once.contains(target.name) {
    target.swiftSettings?.append(.unsafeFlags(["-Onone"], .when(configuration: .release)))
}
