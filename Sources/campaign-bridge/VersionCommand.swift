internal import JSON
internal import Kafka
internal import Terminal

/// `version`: this program's, and the Kafka library's.
struct VersionCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() -> Int32 {
        let library = LibraryVersion.string
        return Process.quietly { () throws(OutputError) in
            guard command.text("output") == OutputFormat.json.rawValue else {
                let text = "campaign-bridge \(Process.version), librdkafka \(library)\n"
                return try Output.standardOutput.write(Array(text.utf8))
            }
            var out = JSONWriter()
            out.object { out in
                out.member("version", Process.version)
                out.member("librdkafka", library)
            }
            try Output.standardOutput.write(out.bytes + [10])
        }
    }
}
