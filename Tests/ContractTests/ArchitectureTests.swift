import Foundation
import Testing

@Suite("The architecture page names what is there", .timeLimit(.minutes(5)))
struct ArchitectureTests {
    @Test(
        "Each file of a table is there, and has each function",
        arguments: ["## The path of a record", "## Where each rule stands", "## Holds", "## Guards"])
    func functions(heading: String) throws {
        let rows = try rows(of: text(of: "docs/architecture.md"), below: heading)
        #expect(rows.count >= 2)
        for row in rows {
            let source = try text(of: "Sources/" + row[1])
            for name in row[2].components(separatedBy: ", ") {
                #expect(
                    source.contains("func \(name)("), "\(row[0]): \(row[1]) has no function \(name)")
            }
        }
    }

    @Test("Each rule of the ledger has its place")
    func rules() throws {
        let page = try text(of: "docs/architecture.md")
        let named = Set(
            try rows(of: page, below: "## Where each rule stands").compactMap {
                $0[0].split(separator: " ").first.map(String.init)
            })
        #expect(named == Set((1...12).map { "L\($0)" }))
    }

    @Test("The targets are those of the package, in its order")
    func targets() throws {
        let rows = try rows(of: text(of: "docs/architecture.md"), below: "## Targets").map { $0[0] }
        let package = try text(of: "Package.swift")
        let rooms = try #require(package.components(separatedBy: "let rooms: [Target] = [").last)
        let list = rooms.components(separatedBy: "\n]")[0]
        let names = list.components(separatedBy: "name: \"").dropFirst().map { $0.components(separatedBy: "\"")[0] }
        #expect(rows == names)
        for name in rows {
            #expect(FileManager.default.fileExists(atPath: root.appendingPathComponent("Sources/\(name)").path))
        }
    }

    /// Else a build after a change can leave code of the changed room, inlined elsewhere, as it was.
    @Test("Each target names the targets that it imports, and no others")
    func imports() throws {
        let package = try text(of: "Package.swift").components(separatedBy: "\nlet package = ")[0]
        let parts = package.components(separatedBy: "name: \"").dropFirst()
        func quoted(_ text: String) -> [String] {
            text.components(separatedBy: "\"").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        }
        let names = Set(parts.map { $0.components(separatedBy: "\"")[0] })
        #expect(names.count > 30)
        for part in parts {
            let name = part.components(separatedBy: "\"")[0]
            let list = part.components(separatedBy: "dependencies: [")
            let named = list.count > 1 ? Set(quoted(list[1].components(separatedBy: "]")[0])) : []
            let imported = try imported(by: name).intersection(names)
            #expect(imported == named, "\(name)")
        }
    }

    /// What the files of a target import, `import X`, `internal import X` or `@testable import X`.
    private func imported(by target: String) throws -> Set<String> {
        let folders = ["Sources/\(target)", "Tests/\(target)"]
        let files = folders.flatMap { folder in
            (FileManager.default.subpaths(atPath: root.appendingPathComponent(folder).path) ?? [])
                .filter { $0.hasSuffix(".swift") }.map { "\(folder)/\($0)" }
        }
        let lines = try files.flatMap { try text(of: $0).split(separator: "\n") }
        let modules = lines.map { $0.split(separator: " ") }.filter { $0.count <= 3 && $0.dropLast().last == "import" }
        return Set(modules.compactMap { $0.last?.replacingOccurrences(of: "_", with: "-") })
    }

    @Test("Each relative link of the documents leads to a file", arguments: ["contracts", "ledger", "architecture"])
    func links(page: String) throws {
        let parts = try text(of: "docs/\(page).md").components(separatedBy: "](").dropFirst()
        for part in parts {
            let target = part.components(separatedBy: ")")[0]
            guard !target.hasPrefix("https://") else { continue }
            let path = root.appendingPathComponent("docs").appendingPathComponent(target).standardizedFileURL.path
            #expect(FileManager.default.fileExists(atPath: path), "\(target)")
        }
    }
}
