// Imports nothing: a YAML document as a small tree that knows where each piece stood.

/// A node of the document, with the place of its first character. Lines and columns count from 1.
struct YAMLNode: Sendable {
    enum Content: Sendable {
        /// The text as written, without any guess at a type. `isPlain` is false for quoted and block texts.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
    }

    var content: Content
    var line: Int
    var column: Int

    /// True where a key stands without anything behind it.
    var isEmpty: Bool {
        if case .scalar("", isPlain: true) = content { true } else { false }
    }

    /// What it is, in words of an error text.
    var kind: String {
        switch content {
        case .scalar: isEmpty ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// This node and all below it.
    var count: Int {
        switch content {
        case .scalar: 1
        case .sequence(let elements): elements.reduce(1) { $0 + $1.count }
        case .mapping(let entries): entries.reduce(1) { $0 + 1 + $1.value.count }
        }
    }

    /// Levels of lists and mappings.
    var depth: Int {
        switch content {
        case .scalar: 0
        case .sequence(let elements): 1 + (elements.map(\.depth).max() ?? 0)
        case .mapping(let entries): 1 + (entries.map(\.value.depth).max() ?? 0)
        }
    }
}

/// One key and its value in a mapping; the place is the key's.
struct YAMLEntry: Sendable {
    var name: String
    var value: YAMLNode
    var line: Int
    var column: Int
}

/// Why a document was not taken, and where.
struct YAMLFault: Error, Sendable, Equatable {
    var message: String
    var line: Int
    var column: Int
}

/// Bounds of a document. They hold after aliases are replaced by what they stand for.
struct YAMLLimits: Sendable {
    var maximumBytes = 1 << 20
    var maximumDepth = 16
    var maximumNodes = 20_000
}
