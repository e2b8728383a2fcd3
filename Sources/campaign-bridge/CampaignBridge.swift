internal import Telemetry
internal import Terminal

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Arguments in, exit code out. What a command does stands in a file of its own.
@main
struct CampaignBridge {
    static func main() async {
        ignoreBrokenPipes()
        exit(await code(Array(CommandLine.arguments.dropFirst())))
    }

    private static func code(_ arguments: [String]) async -> Int32 {
        let variables = Process.environment
        let arguments = arguments == ["--version"] ? ["version"] : arguments
        switch ArgumentParser(Commands.program).parse(
            arguments, environment: { variables[$0] }, width: Output.standardOutput.facts.width ?? 100)
        {
        case .failure(let error):
            Process.complain(error.description)
            return ExitCode.usage.rawValue
        case .success(.help(let text)):
            return Process.quietly { () throws(OutputError) in try Output.standardOutput.write(Array(text.utf8)) }
        case .success(.run(let command)): return await run(command)
        }
    }

    private static func run(_ command: ParsedCommand) async -> Int32 {
        switch command.path.first {
        case "run": await RunCommand(command).run()
        case "simulate": await SimulateCommand(command).run()
        case "check": await CheckCommand(command).run()
        case "validate": await ValidateCommand(command).run()
        case "send": await SendCommand(command).run()
        case "demo": await DemoCommand(command).run()
        case "topics": await TopicsCommand(command).run()
        case "dead-letters": await DeadLettersCommand(command).run()
        case "inspect": await InspectCommand(command).run()
        case "hold", "resume": await HoldCommand(command).run()
        case "holds": await HoldsCommand(command).run()
        case "version": VersionCommand(command).run()
        default: preconditionFailure("the command \(command.path) is declared and not connected")
        }
    }
}
