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

/// `run`: the service, until a signal.
struct RunCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    /// 5: another process has this replica's name. 6: going on helps nothing.
    static let twin: Int32 = 5
    static let failed: Int32 = 6

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        let logger = Process.logger(settings, level: command.text("log-level"))
        let stop = Signals.stream([SIGINT, SIGTERM])
        return await Process.endingAtSecondSignal {
            await BridgeRunner(settings: settings, logger: logger).run(stop: stop)
        }
    }
}
