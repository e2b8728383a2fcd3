import Foundation
import JSON
import Records
import Testing

/// The folder of the repository.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

func text(of path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
}

func json(_ text: String) throws -> JSONValue {
    try JSONReader.parse(Array(text.utf8), limits: JSONLimits(maximumDepth: 32))
}

/// The text that stands in the document now; with UPDATE_DOCS=1 it is written first.
func committed(_ path: String, generated: String) throws -> String {
    let file = root.appendingPathComponent(path)
    if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" { try Data(generated.utf8).write(to: file) }
    return try String(contentsOf: file, encoding: .utf8)
}

/// A fenced block behind a comment `<!-- example: NAME -->`.
func example(_ name: String, in document: String) throws -> String {
    let parts = document.components(separatedBy: "<!-- example: \(name) -->\n```json\n")
    try #require(parts.count == 2, "\(name) stands exactly once")
    return parts[1].components(separatedBy: "\n```")[0]
}

/// The rows of a Markdown table whose first cell is in backquotes, cells trimmed and without backquotes.
func rows(of document: String, below heading: String) throws -> [[String]] {
    let parts = document.components(separatedBy: "\n\(heading)\n")
    try #require(parts.count == 2, "the heading '\(heading)' stands exactly once")
    let section = parts[1].components(separatedBy: "\n## ")[0]
    return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
        line.dropFirst().dropLast().components(separatedBy: "|").map { cell in
            cell.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "`", with: "")
        }
    }
}

extension [Header] {
    subscript(name: String) -> [UInt8]? { last { $0.name.elementsEqual(name.utf8) }?.value }

    func text(_ name: String) -> String? { self[name].flatMap { String(validating: $0, as: UTF8.self) } }
}

func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
