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
            var imported: Set<String> = []
            for folder in ["Sources/\(name)", "Tests/\(name)"] {
                let files = FileManager.default.subpaths(atPath: root.appendingPathComponent(folder).path) ?? []
                for file in files where file.hasSuffix(".swift") {
                    for line in try text(of: "\(folder)/\(file)").split(separator: "\n") {
                        let words = line.split(separator: " ").map(String.init)
                        // `import X`, `internal import X`, `@testable import X`.
                        guard words.count <= 3, words.dropLast().last == "import", let module = words.last else {
                            continue
                        }
                        imported.insert(module.replacingOccurrences(of: "_", with: "-"))
                    }
                }
            }
            #expect(imported.intersection(names) == named, "\(name)")
        }
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
