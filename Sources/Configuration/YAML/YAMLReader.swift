// Imports CYAML, and lets no C type out.
internal import CYAML

/// Reads one YAML document with libyaml into a tree.
///
/// libyaml looks neither for repeated keys nor for the size of what aliases stand for; both are done here. UTF-8 only;
/// a byte order mark and CRLF are fine. Tags are refused except those of YAML's own scalar types, which change nothing:
/// types come from the settings, not from the document.
struct YAMLReader {
    /// What was wrong without ending the reading: repeated keys.
    private(set) var faults: [YAMLFault] = []
    private let limits: YAMLLimits
    private var nodes = 0
    private var anchors: [String: YAMLNode] = [:]

    init(limits: YAMLLimits = YAMLLimits()) {
        self.limits = limits
    }

    /// The document's root, or nil where there is nothing but comments.
    mutating func read(_ bytes: [UInt8]) throws(YAMLFault) -> YAMLNode? {
        guard bytes.count <= limits.maximumBytes else {
            throw YAMLFault(message: "the file is larger than \(limits.maximumBytes) bytes", line: 1, column: 1)
        }
        // libyaml counts a byte order mark as a column, which keeps `---` behind it from beginning a document.
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        let events = try YAMLEvent.all(of: text, maximum: limits.maximumNodes * 2)
        var rest = events[...]
        guard let first = rest.popFirst() else { return nil }
        let root = try node(first, &rest, depth: 0)
        if let next = rest.first {
            throw YAMLFault(
                message: "a second document begins here; the file must hold one", line: next.line, column: next.column)
        }
        return root
    }

    private mutating func node(
        _ event: YAMLEvent, _ rest: inout ArraySlice<YAMLEvent>, depth: Int
    ) throws(YAMLFault) -> YAMLNode {
        if let tag = event.tag, !tag.hasPrefix("tag:yaml.org,2002:") {
            throw YAMLFault(
                message: "tags are not used here: write the value alone", line: event.line, column: event.column)
        }
        try account(1, event)
        var result = YAMLNode(content: .sequence([]), line: event.line, column: event.column)
        switch event.kind {
        case .alias(let name):
            guard let target = anchors[name] else {
                throw YAMLFault(
                    message: "no anchor of this name stands before it", line: event.line, column: event.column)
            }
            try account(target.count, event)
            try checkDepth(depth + target.depth, event)
            result.content = target.content
            return result
        case .scalar(let text, let isPlain):
            result.content = .scalar(text, isPlain: isPlain)
        case .sequenceStart:
            try checkDepth(depth + 1, event)
            var elements: [YAMLNode] = []
            while let next = rest.popFirst(), next.kind != .end {
                elements.append(try node(next, &rest, depth: depth + 1))
            }
            result.content = .sequence(elements)
        case .mappingStart:
            try checkDepth(depth + 1, event)
            result.content = .mapping(try entries(&rest, depth: depth + 1))
        case .end:
            preconditionFailure("libyaml ended what it had not begun")
        }
        if let anchor = event.anchor { anchors[anchor] = result }
        return result
    }

    private mutating func entries(
        _ rest: inout ArraySlice<YAMLEvent>, depth: Int
    ) throws(YAMLFault) -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var lines: [String: Int] = [:]
        while let key = rest.popFirst(), key.kind != .end {
            guard case .scalar(let name, _) = key.kind else {
                throw YAMLFault(message: "a key must be a plain word", line: key.line, column: key.column)
            }
            try account(1, key)
            guard let next = rest.popFirst() else { break }
            let value = try node(next, &rest, depth: depth)
            if let first = lines[name] {
                faults.append(
                    YAMLFault(
                        message: "the key `\(shown(name))` stands here and in line \(first): keep one", line: key.line,
                        column: key.column))
                continue
            }
            lines[name] = key.line
            entries.append(YAMLEntry(name: name, value: value, line: key.line, column: key.column))
        }
        return entries
    }

    private mutating func account(_ count: Int, _ event: YAMLEvent) throws(YAMLFault) {
        nodes += count
        if nodes > limits.maximumNodes {
            throw YAMLFault(
                message: "the file holds more than \(limits.maximumNodes) values, aliases included", line: event.line,
                column: event.column)
        }
    }

    private func checkDepth(_ depth: Int, _ event: YAMLEvent) throws(YAMLFault) {
        if depth > limits.maximumDepth {
            throw YAMLFault(
                message: "lists and mappings are nested deeper than \(limits.maximumDepth)", line: event.line,
                column: event.column)
        }
    }
}
