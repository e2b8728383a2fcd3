// Imports nothing.

/// Why a text was not read. Holds where and what, never a piece of the text itself.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was wrong; a closed list, fit for a metric label.
    package enum Kind: String, Sendable, CaseIterable {
        case empty
        case tooLarge = "too-large"
        case tooDeep = "too-deep"
        case invalidUTF8 = "invalid-utf8"
        case invalidSyntax = "invalid-syntax"
        case unexpectedEnd = "unexpected-end"
        case trailingText = "trailing-text"
        case duplicateName = "duplicate-name"
        case nulCharacter = "nul-character"
        case outOfMemory = "out-of-memory"
    }

    package var kind: Kind
    /// Counted from 1; 0 where there is no place (too large, out of memory).
    package var line: Int
    /// In characters, counted from 1 as far as the reader knows it.
    package var column: Int
    /// In bytes from the start of the text.
    package var position: Int

    /// A sentence without any part of the text.
    package var message: String {
        switch kind {
        case .empty: "there is no JSON value"
        case .tooLarge: "the text is larger than the limit"
        case .tooDeep: "objects and arrays are nested deeper than the limit"
        case .invalidUTF8: "the text is not valid UTF-8"
        case .invalidSyntax: "the text is not valid JSON"
        case .unexpectedEnd: "the text ends inside a value"
        case .trailingText: "something follows the JSON value"
        case .duplicateName: "an object has the same name twice"
        case .nulCharacter: "the text holds a NUL character"
        case .outOfMemory: "there was no memory to read the text"
        }
    }

    package var description: String {
        line > 0 ? "\(message) (line \(line), column \(column), byte \(position))" : message
    }
}

/// The bounds of a text that is read. Both must be positive; the depth at most 512.
package struct JSONLimits: Sendable, Equatable {
    /// Size of the whole text in bytes.
    package var maximumBytes: Int
    /// Objects and arrays inside one another; `[]` has depth 1.
    package var maximumDepth: Int

    package init(maximumBytes: Int = 1 << 20, maximumDepth: Int = 16) {
        precondition(maximumBytes > 0 && (1...512).contains(maximumDepth), "JSON limits out of range")
        self.maximumBytes = maximumBytes
        self.maximumDepth = maximumDepth
    }

    /// 1 MiB and 16 levels.
    package static let `default` = JSONLimits()
}
