import Testing

@testable import Configuration

/// Files that a test's settings may read.
struct Files {
    var contents: [String: String] = [
        "/run/secrets/clientSecret": "s3cret\n"
    ]

    func read(_ path: String) throws(FileReadError) -> [UInt8] {
        guard let text = contents[path] else { throw FileReadError("No such file or directory") }
        return Array(text.utf8)
    }
}

func load(
    _ text: String, _ environment: [String: String] = [:], files: Files = Files(), hostName: String = "host-1"
) -> LoadResult {
    BridgeSettings.load(
        text: Array(text.utf8), fileName: "bridge.yaml", environment: environment, hostName: hostName,
        readFile: files.read)
}

/// The least that works, with more text before or after.
func loadMinimal(
    _ more: String = "", connection: String = "", _ environment: [String: String] = [:], files: Files = Files()
) -> LoadResult {
    load(minimalConfiguration + connection + more, environment, files: files)
}

extension LoadResult {
    var texts: [String] { problems.map(\.description) }

    func effective(_ key: String) -> EffectiveValue? { effective.first { $0.key == key } }
}
