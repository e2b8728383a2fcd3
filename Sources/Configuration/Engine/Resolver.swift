// Imports nothing.

/// Why a file could not be read, in words that go after its path.
package struct FileReadError: Error, Sendable, Equatable {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }
}

/// How the settings read files: the whole content, or why not.
package typealias FileReader = (_ path: String) throws(FileReadError) -> [UInt8]

/// Puts together what the file and the variables say, key by key, into a tree of settings. A variable wins over the
/// file. All faults are gathered; a value with a fault leaves the default in place.
struct Resolver {
    var environment: Environment
    /// What the file says, by whole path.
    var file: [String: RawValue]
    private let readFile: FileReader
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var effective: [EffectiveValue] = []
    /// Whole paths of keys that have a problem.
    private(set) var faulty: Set<String> = []
    /// Where the value of each key that was written stands.
    private(set) var sources: [String: ValueSource] = [:]

    init(environment: Environment, file: [String: RawValue], readFile: @escaping FileReader) {
        self.environment = environment
        self.file = file
        self.readFile = readFile
    }

    /// Resolves the keys below one root.
    mutating func resolve<Root>(_ keys: [Key<Root>], prefix: String, into root: inout Root) {
        for key in keys {
            let path = prefix + key.path
            if let raw = key.isSecret ? secret(key, path) : plain(key, path) {
                for fault in key.store(raw, &root) { report(path, fault.source, fault.message) }
                if key.isPath { checkReadable(path, raw) }
            } else if key.isRequired, !faulty.contains(path) {
                report(
                    path, nil,
                    "is required: expected \(key.expectation). Write it into the file or set \(variableName(path))")
            }
            effective.append(
                EffectiveValue(key: path, value: key.show(root), source: sources[path] ?? .defaultValue))
        }
    }

    mutating func report(_ key: String?, _ source: ValueSource?, _ message: String) {
        problems.append(ConfigurationProblem(key: key, source: source, message: message))
        if let key { faulty.insert(key) }
    }

    /// Keys with a problem in the file: they are not reported as missing besides.
    mutating func add(_ found: [ConfigurationProblem]) {
        problems += found
        faulty.formUnion(found.compactMap(\.key))
    }

    /// Fills in what the machine says where nothing was written.
    mutating func setFromMachine(_ key: String, _ value: String) {
        guard let index = effective.firstIndex(where: { $0.key == key && $0.source == .defaultValue }) else { return }
        effective[index] = EffectiveValue(key: key, value: value, source: .machine)
    }

    private mutating func plain<Root>(_ key: Key<Root>, _ path: String) -> RawValue? {
        let written = environment.value(of: key, path: path)
        guard key.shape == .map else {
            let chosen = written ?? file[path]
            sources[path] = chosen?.source
            return chosen
        }
        guard case .map(let inFile)? = file[path] else {
            sources[path] = written?.source
            return written
        }
        sources[path] = file[path]?.source
        guard case .map(let variables)? = written else { return file[path] }
        // The later one of a name is stored last, so the variable wins.
        return .map(inFile + variables)
    }

    private mutating func secret<Root>(_ key: Key<Root>, _ path: String) -> RawValue? {
        let filePath = path + "File"
        let variables = [environment.text(variableName(path)), environment.text(variableName(filePath))]
        let candidates = variables.contains { $0 != nil } ? variables : [scalar(path), scalar(filePath)]
        switch (candidates[0], candidates[1]) {
        case (let value?, let pathOfFile?):
            report(
                path, value.source,
                "`\(filePath)` is set too (\(pathOfFile.source)): keep one of the two")
            return nil
        case (let value?, nil):
            sources[path] = value.source
            return .scalar(value)
        case (nil, let pathOfFile?):
            sources[path] = .secretFile(pathOfFile.text)
            return read(path, pathOfFile)
        case (nil, nil): return nil
        }
    }

    private func scalar(_ path: String) -> RawText? {
        if case .scalar(let text)? = file[path] { text } else { nil }
    }

    /// A secret file's text without one final newline.
    private mutating func read(_ key: String, _ path: RawText) -> RawValue? {
        guard let bytes = content(key + "File", path) else {
            faulty.insert(key)
            return nil
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            report(key, path.source, "the file \(shown(path.text)) is not valid UTF-8 text")
            return nil
        }
        // A line end of two characters is one `Character`.
        if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
        if let message = secretFault(text, .max) {
            report(key, path.source, "the content of the file \(shown(path.text)) \(message)")
            return nil
        }
        return .scalar(RawText(text: text, source: path.source))
    }

    private mutating func checkReadable(_ key: String, _ raw: RawValue) {
        if case .scalar(let path) = raw, !faulty.contains(key) { _ = content(key, path) }
    }

    private mutating func content(_ key: String, _ path: RawText) -> [UInt8]? {
        do throws(FileReadError) {
            return try readFile(path.text)
        } catch {
            report(key, path.source, "the file \(shown(path.text)) cannot be read: \(error.message)")
            return nil
        }
    }
}

extension RawValue {
    /// Where it begins.
    var source: ValueSource? {
        switch self {
        case .scalar(let text): text.source
        case .list(let elements): elements.first?.source
        case .map(let entries): entries.first?.value.source
        }
    }
}
