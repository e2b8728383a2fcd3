internal import Configuration
internal import KoreSimulator
internal import Terminal

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// `simulate`: the API simulator as a process of its own.
struct SimulateCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        var settings = SimulatorSettings()
        do {
            if let file = command.text("settings") {
                settings = try SimulatorSettings(json: Machine.readFile(file))
            }
            if let file = command.text("faults") { settings.faults = try FaultRule.list(json: Machine.readFile(file)) }
        } catch {
            Process.complain("campaign-bridge simulate: \(error)")
            return ExitCode.usage.rawValue
        }
        if let file = command.text("journal") { settings.journalFile = file }
        guard let text = command.text("listen"), let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else {
            Process.complain("campaign-bridge simulate: --listen takes address:port, such as 127.0.0.1:8085")
            return ExitCode.usage.rawValue
        }
        settings.server.host = String(text[..<colon])
        settings.server.port = port
        let stop = Signals.stream([SIGINT, SIGTERM])
        let asJSON = command.text("output") == OutputFormat.json.rawValue
        do {
            try await runSimulator(
                settings,
                ready: { url in
                    _ = Process.quietly { () throws(OutputError) in
                        let line = asJSON ? "{\"baseUrl\":\"\(url)\"}\n" : "\(url)\n"
                        try Output.standardOutput.write(Array(line.utf8))
                    }
                },
                until: { for await _ in stop { return } })
            return ExitCode.fine.rawValue
        } catch {
            Process.complain("campaign-bridge simulate: \(error)")
            return ExitCode.unreachable.rawValue
        }
    }
}
