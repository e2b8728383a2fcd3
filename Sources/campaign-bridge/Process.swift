internal import Configuration
internal import Telemetry
internal import Terminal

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What commands share: variables, settings, log lines, the two output streams.
enum Process {
    /// The program's version; docs and charts name the same one.
    static let version = "0.1.0"

    /// All environment variables.
    static var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }

    /// Writes to standard error; that it cannot be written changes nothing.
    static func complain(_ text: String) {
        do throws(OutputError) {
            try Output.standardError.write(Array((text + "\n").utf8))
        } catch {
            // Nobody listens.
        }
    }

    /// Runs what writes a result: a reader that has gone ends it quietly.
    static func quietly(_ body: () throws(OutputError) -> Void) -> Int32 {
        do throws(OutputError) {
            try body()
            return ExitCode.fine.rawValue
        } catch .closedByReader {
            return ExitCode.fine.rawValue
        } catch {
            complain("campaign-bridge: \(error)")
            return ExitCode.partly.rawValue
        }
    }

    /// The settings that a command runs with, or the exit code with which it ends: all faults are printed.
    static func load(_ command: ParsedCommand) -> LoadResult {
        BridgeSettings.load(
            file: command.text("config"), environment: environment, hostName: Machine.hostName,
            readFile: { (path: String) throws(FileReadError) in try Machine.readFile(path) })
    }

    /// The settings, or nil after every problem was printed.
    static func settings(_ command: ParsedCommand) -> BridgeSettings? {
        let result = load(command)
        for warning in result.warnings { complain("warning: \(warning)") }
        for problem in result.problems { complain("error: \(problem)") }
        if result.settings == nil {
            let count = result.problems.count
            complain("campaign-bridge: \(count) \(count == 1 ? "problem" : "problems") in the configuration")
        }
        return result.settings
    }

    /// Runs `body`; from the second SIGINT or SIGTERM on nothing is waited for and the process ends at once, as a
    /// shell expects it: 128 and the signal's number.
    static func endingAtSecondSignal(_ body: @escaping @Sendable () async -> Int32) async -> Int32 {
        let signals = Signals.stream([SIGINT, SIGTERM])
        return await withTaskGroup(of: Int32?.self, returning: Int32.self) { group in
            group.addTask { await body() }
            group.addTask {
                var isFirst = true
                for await signal in signals {
                    if !isFirst { _exit(128 + signal) }
                    isFirst = false
                }
                return nil
            }
            let code = await group.first { $0 != nil } ?? nil
            group.cancelAll()
            return code ?? ExitCode.fine.rawValue
        }
    }

    /// Log lines as the settings want them, with every secret of the settings kept out.
    static func logger(_ settings: BridgeSettings, level: String?) -> Logger {
        let redactor = Redactor()
        for connection in settings.connections {
            for secret in [connection.clientSecret, connection.privateKey] {
                if let secret { redactor.register(secret.reveal()) }
            }
        }
        for secret in [settings.kafka.security.password, settings.kafka.security.keyPassword] {
            if let secret { redactor.register(secret.reveal()) }
        }
        let facts = Output.standardError.facts
        let style: LogFormatter.Style =
            switch settings.logging.format {
            case .json: .json
            case .text: .text(colour: facts.colour)
            case .auto: facts.width != nil ? .text(colour: facts.colour) : .json
            }
        let wanted = level ?? settings.logging.level.rawValue
        return Logger(
            output: LogOutput(formatter: LogFormatter(style: style, redactor: redactor), sink: DescriptorLogSink()),
            level: Telemetry.LogLevel(rawValue: wanted) ?? .info)
    }
}
