// Imports nothing.

/// What came of loading the settings.
package struct LoadResult: Sendable {
    /// nil exactly if there are problems.
    package var settings: BridgeSettings?
    /// Everything that is wrong, in the order file, keys, rules.
    package var problems: [ConfigurationProblem]
    /// What works and is probably not meant.
    package var warnings: [ConfigurationProblem]
    /// Every setting as it is in force, in the order of the reference page.
    package var effective: [EffectiveValue]
}

extension BridgeSettings {
    /// Reads the settings: a YAML file, over which variables win, and files with secrets. All faults are found in one
    /// run. Does nothing but call `readFile`, on the caller's thread.
    /// - Parameters:
    ///   - file: path of the YAML file; nil where everything comes from variables.
    ///   - environment: all variables of the process.
    ///   - hostName: the replica's name where none is configured.
    ///   - readFile: reads a whole file, of bounded size.
    package static func load(
        file: String?, environment: [String: String], hostName: String, readFile: @escaping FileReader
    ) -> LoadResult {
        guard let file else {
            return load(text: [], fileName: "", environment: environment, hostName: hostName, readFile: readFile)
        }
        do throws(FileReadError) {
            let text = try readFile(file)
            return load(text: text, fileName: file, environment: environment, hostName: hostName, readFile: readFile)
        } catch {
            let message = "the configuration file \(shown(file)) cannot be read: \(error.message)"
            return LoadResult(
                settings: nil, problems: [ConfigurationProblem(key: nil, source: nil, message: message)], warnings: [],
                effective: [])
        }
    }

    /// The same for a YAML text at hand; `fileName` stands in error texts only.
    package static func load(
        text: [UInt8], fileName: String, environment: [String: String], hostName: String, readFile: @escaping FileReader
    ) -> LoadResult {
        var loader = SettingsLoader(fileName: fileName, environment: environment, readFile: readFile)
        return loader.load(text, hostName: hostName)
    }
}

/// Loads once: file, then keys, then rules.
private struct SettingsLoader {
    private let fileName: String
    private var resolver: Resolver
    private var settings = BridgeSettings()
    private let connectionIndex = KeyIndex(Key<ConnectionSettings>.all)

    init(fileName: String, environment: [String: String], readFile: @escaping FileReader) {
        self.fileName = fileName
        resolver = Resolver(environment: Environment(environment), file: [:], readFile: readFile)
    }

    mutating func load(_ text: [UInt8], hostName: String) -> LoadResult {
        var reader = YAMLReader()
        let root: YAMLNode?
        do throws(YAMLFault) {
            root = try reader.read(text)
        } catch {
            return LoadResult(settings: nil, problems: [problem(error)], warnings: [], effective: [])
        }
        var collector = FileCollector(fileName: fileName)
        var names: [String] = []
        if let root {
            collector.collect(
                root, KeyIndex(Key<BridgeSettings>.all, sections: ["connections"]), skipped: ["connections"])
            names = collector.collectConnections(root, connectionIndex)
        }
        resolver.file = collector.values
        resolver.add(reader.faults.map(problem))
        resolver.add(collector.problems)

        resolver.resolve(Key<BridgeSettings>.all, prefix: "", into: &settings)
        useHostName(hostName)
        resolveConnections(names)
        checkRules()
        let warnings = warnings()
        return LoadResult(
            settings: resolver.problems.isEmpty ? settings : nil, problems: resolver.problems, warnings: warnings,
            effective: resolver.effective)
    }

    private func problem(_ fault: YAMLFault) -> ConfigurationProblem {
        ConfigurationProblem(
            key: nil, source: .file(name: fileName, line: fault.line, column: fault.column), message: fault.message)
    }

    private mutating func useHostName(_ hostName: String) {
        guard settings.replica.name == nil, !resolver.faulty.contains("replica.name") else { return }
        guard ValueType<String>.identifier.parse(hostName) != nil else {
            resolver.report(
                "replica.name", nil,
                "is required here, as the host name `\(shown(hostName))` is not fit for it: expected \(ValueType<String>.identifier.expectation). Set it in the file or by \(variableName("replica.name"))"
            )
            return
        }
        settings.replica.name = hostName
        resolver.setFromMachine("replica.name", hostName)
    }

    /// Connections are named in the file; one that the file does not have is made by the variable of its `baseUrl`.
    private mutating func resolveConnections(_ inFile: [String]) {
        var names = inFile
        let variables = Set(inFile.map { variableName("connections.\($0)") })
        for name in resolver.environment.names(between: variableName("connections") + "_", and: "_BASE_URL") {
            let connection = name.lowercased().split(separator: "_", omittingEmptySubsequences: false).joined(
                separator: "-")
            guard !variables.contains(variableName("connections.\(connection)")) else { continue }
            if isConnectionName(connection) { names.append(connection) }
        }
        for name in names.sorted() {
            var connection = ConnectionSettings()
            connection.name = name
            resolver.resolve(Key<ConnectionSettings>.all, prefix: "connections.\(name).", into: &connection)
            settings.connections.append(connection)
        }
        if names.isEmpty, !resolver.faulty.contains("connections") {
            resolver.report(
                "connections", nil,
                "at least one connection is required, such as `connections.main` with `baseUrl`, `streams`, `accountId`, `clientId` and `clientSecretFile`"
            )
        }
    }

    private mutating func checkRules() {
        for rule in Rule<BridgeSettings>.all { check(rule, settings, connection: "") }
        for connection in settings.connections {
            let context = ConnectionInContext(connection: connection, settings: settings)
            for rule in Rule<ConnectionInContext>.all { check(rule, context, connection: connection.name) }
        }
    }

    private mutating func check<Root>(_ rule: Rule<Root>, _ root: Root, connection: String) {
        let keys = rule.keys.map { whole($0, connection) }
        guard !keys.contains(where: resolver.faulty.contains), let message = rule.message(root) else { return }
        resolver.report(keys[0], keys.compactMap { resolver.sources[$0] }.first, message)
    }

    private func warnings() -> [ConfigurationProblem] {
        var known = Key<BridgeSettings>.all.flatMap { variables($0, "") }
        for connection in settings.connections {
            known += Key<ConnectionSettings>.all.flatMap { variables($0, "connections.\(connection.name).") }
        }
        var result = resolver.environment.warnings(known: known)
        for connection in settings.connections {
            let context = ConnectionInContext(connection: connection, settings: settings)
            for rule in Rule<ConnectionInContext>.warnings {
                guard let message = rule.message(context) else { continue }
                let key = whole(rule.keys[0], connection.name)
                result.append(ConfigurationProblem(key: key, source: resolver.sources[key], message: message))
            }
        }
        return result
    }

    private func whole(_ key: String, _ connection: String) -> String {
        key.hasPrefix(".") ? "connections.\(connection)\(key)" : key
    }
}

/// The variables of a key.
func variables<Root>(_ key: Key<Root>, _ prefix: String) -> [String] {
    [variableName(prefix + key.path)] + (key.isSecret ? [variableName(prefix + key.path + "File")] : [])
}

/// Lower-case letters, digits and hyphens, beginning with a letter: what a variable's name can be turned back into.
func isConnectionName(_ name: String) -> Bool {
    isWord(name, 40, "-") && name == name.lowercased() && ("a"..."z").contains(name.first ?? "-")
}

extension FileCollector {
    /// Gathers the connections' keys and gives back the connections' names.
    fileprivate mutating func collectConnections(_ root: YAMLNode, _ index: KeyIndex) -> [String] {
        guard case .mapping(let entries) = root.content,
            let section = entries.first(where: { $0.name == "connections" }),
            !section.value.isEmpty
        else { return [] }
        guard case .mapping(let connections) = section.value.content else {
            report(
                "connections", section.value.line, section.value.column,
                "expected a mapping of names to connections, found \(section.value.kind)")
            return []
        }
        var names: [String] = []
        for entry in connections {
            let key = "connections.\(shown(entry.name))"
            guard isConnectionName(entry.name) else {
                report(
                    key, entry.line, entry.column,
                    "the name of a connection is at most 40 lower-case letters, digits and hyphens, beginning with a letter"
                )
                continue
            }
            let variable = variableName(key)
            if let twin = names.first(where: { variableName("connections.\($0)") == variable }) {
                report(
                    key, entry.line, entry.column, "its variables would be the same as those of `connections.\(twin)`")
                continue
            }
            names.append(entry.name)
            collect(entry.value, index, prefix: key + ".")
        }
        return names
    }
}
