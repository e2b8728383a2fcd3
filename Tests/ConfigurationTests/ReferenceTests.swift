import Foundation
import JSON
import Testing

@testable import Configuration

@Suite("Documents made from the declarations", .timeLimit(.minutes(5)))
struct ReferenceTests {
    /// With UPDATE_DOCS=1 the tests write the files instead of comparing them.
    @Test(
        "The committed document is what the declarations give",
        arguments: [
            "docs/configuration.md", "docs/configuration.schema.json", "docs/campaign-bridge.example.yaml",
        ])
    func committed(path: String) throws {
        let text =
            switch path {
            case "docs/configuration.md": referencePage()
            case "docs/configuration.schema.json": jsonSchema()
            default: exampleConfiguration
            }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let stored = try String(contentsOf: file, encoding: .utf8)
        #expect(stored == text, "run the tests with UPDATE_DOCS=1 and commit \(path)")
    }

    @Test("The reference names every key, its variable and its default")
    func reference() {
        let page = referencePage()
        for key in KeyDescription.all {
            #expect(page.contains("| `\(key.path)`<br>`\(key.variable)"), "\(key.path)")
            #expect(!key.help.isEmpty && key.help.hasSuffix("."), "\(key.path)")
        }
        #expect(!page.contains("\n\n\n"))
    }

    @Test("The example loads as it is, and shows the defaults")
    func exampleLoads() throws {
        let result = load(exampleConfiguration)
        #expect(result.texts == [])
        #expect(result.warnings == [])
    }

    @Test("Every line of the example that is commented out is a setting that is understood")
    func exampleUncommented() {
        let text = exampleConfiguration.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let body = line.drop { $0 == " " }
            let isSetting =
                body.hasPrefix("# ") && body.dropFirst(2).prefix { $0.isLetter }.count > 0
                && body.dropFirst(2).drop { $0.isLetter }.hasPrefix(": ")
            return isSetting ? line.prefix(line.count - body.count) + body.dropFirst(2) : line
        }.joined(separator: "\n")
        let result = load(text)
        let paths = Set(result.effective.map(\.key))
        #expect(paths.count == Key<BridgeSettings>.all.count + Key<ConnectionSettings>.all.count)
        // Files of the example are not there, and some settings exclude each other; nothing else may be wrong.
        let unexpected = result.texts.filter { text in
            !["cannot be read", "has no effect", "is required with"].contains { text.contains($0) }
        }
        #expect(unexpected == [])
        for key in KeyDescription.all where key.path.hasPrefix("ledger.") || key.path.hasPrefix("topics.") {
            #expect(result.effective(key.path)?.source != .defaultValue, "\(key.path)")
        }
    }

    @Test("The schema is JSON and knows every key at its place")
    func schema() throws {
        let schema = try JSONReader.parse(Array(jsonSchema().utf8), limits: JSONLimits(maximumDepth: 32))
        for key in KeyDescription.all {
            var node: JSONValue? = schema
            for name in key.path.split(separator: ".") {
                node = name == "<name>" ? node?["additionalProperties"] : node?["properties"]?[String(name)]
            }
            #expect(node?["description"]?.string == key.help, "\(key.path)")
            #expect(node?["type"] != nil, "\(key.path)")
        }
        #expect(schema["additionalProperties"] == .bool(false))
        #expect(schema["properties"]?["ledger"]?["properties"]?["maximumEntries"]?["default"]?.int64 == 2_000_000)
    }

    @Test("Every default is a value that its own key takes")
    func defaultsAreValid() {
        for key in KeyDescription.all where !key.isSecret && !key.isList && !key.isMap {
            guard let text = key.defaultText, !key.path.hasPrefix("connections.") else { continue }
            let result = loadMinimal("", [key.variable: text])
            #expect(result.texts == [], "\(key.path)")
            #expect(result.effective(key.path)?.value == text)
        }
    }
}
