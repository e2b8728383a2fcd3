// Imports nothing.

/// Walks the file's tree and gathers what is written for each known key. Unknown keys, and values of the wrong shape,
/// become problems; types are looked at later, together with the variables.
struct FileCollector {
    private let fileName: String
    private(set) var values: [String: RawValue] = [:]
    private(set) var problems: [ConfigurationProblem] = []

    init(fileName: String) {
        self.fileName = fileName
    }

    /// Gathers the keys of `index` from `node`.
    /// - Parameters:
    ///   - prefix: what stands before the index's paths in whole paths, with its dot; "" at the root.
    ///   - skipped: names of this level that others look after.
    mutating func collect(
        _ node: YAMLNode, _ index: KeyIndex, section: String = "", prefix: String = "", skipped: Set<String> = []
    ) {
        if node.isEmpty { return }
        guard case .mapping(let entries) = node.content else {
            let place = (prefix + section).isEmpty ? nil : trimmed(prefix + section)
            report(place, node.line, node.column, "expected a mapping of keys to values, found \(node.kind)")
            return
        }
        for entry in entries where !skipped.contains(entry.name) {
            let path = section.isEmpty ? entry.name : section + "." + entry.name
            let whole = prefix + path
            switch index[path] {
            case .section: collect(entry.value, index, section: path, prefix: prefix)
            case .scalar: scalar(entry, whole)
            case .list: list(entry, whole)
            case .map: map(entry, whole)
            case nil: unknown(entry, index, section, prefix)
            }
        }
    }

    /// Says what is wrong at a place of the file.
    mutating func report(_ key: String?, _ line: Int, _ column: Int, _ message: String) {
        problems.append(ConfigurationProblem(key: key, source: source(line, column), message: message))
    }

    private func source(_ line: Int, _ column: Int) -> ValueSource {
        .file(name: fileName, line: line, column: column)
    }

    private mutating func scalar(_ entry: YAMLEntry, _ key: String) {
        guard let text = text(entry.value, key) else { return }
        values[key] = .scalar(text)
    }

    private mutating func list(_ entry: YAMLEntry, _ key: String) {
        switch entry.value.content {
        case .sequence(let elements):
            let texts = elements.compactMap { text($0, key) }
            if elements.isEmpty {
                report(key, entry.value.line, entry.value.column, "the list is empty: remove the key or add an element")
            } else if texts.count == elements.count {
                values[key] = .list(texts)
            }
        case .scalar, .mapping:
            report(
                key, entry.value.line, entry.value.column,
                "expected a list, one element a line after `- `, found \(entry.value.kind)")
        }
    }

    private mutating func map(_ entry: YAMLEntry, _ key: String) {
        if entry.value.isEmpty { return }
        guard case .mapping(let entries) = entry.value.content else {
            report(
                key, entry.value.line, entry.value.column,
                "expected a mapping of names to values, found \(entry.value.kind)")
            return
        }
        values[key] = .map(
            entries.compactMap { entry in text(entry.value, key + "." + entry.name).map { (entry.name, $0) } })
    }

    private mutating func text(_ node: YAMLNode, _ key: String) -> RawText? {
        guard case .scalar(let text, _) = node.content, !node.isEmpty else {
            let advice =
                node.isEmpty
                ? "there is no value: write one or remove the key" : "expected a single value, found \(node.kind)"
            report(key, node.line, node.column, advice)
            return nil
        }
        return RawText(text: text, source: source(node.line, node.column))
    }

    private mutating func unknown(_ entry: YAMLEntry, _ index: KeyIndex, _ section: String, _ prefix: String) {
        let whole = prefix + (section.isEmpty ? "" : section + ".") + shown(entry.name)
        let advice = index.suggestion(for: entry.name, in: section).map { "did you mean `\(prefix)\($0)`?" }
        report(whole, entry.line, entry.column, "there is no such key" + (advice.map { "; " + $0 } ?? ": remove it"))
    }

    private func trimmed(_ path: String) -> String {
        path.hasSuffix(".") ? String(path.dropLast()) : path
    }
}
