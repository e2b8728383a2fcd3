internal import Bridge
internal import Configuration
internal import JSON
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `dead-letters`: which of its commands, and what they share.
struct DeadLettersCommand: Sendable {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        return await Process.cancelledBySignal { await self.run(settings) }
    }

    private func run(_ settings: BridgeSettings) async -> Int32 {
        do {
            switch command.path.last {
            case "list": return try await LetterList(command, settings).run()
            case "show": return try await LetterShow(command, settings).run()
            case "replay", "resolve": return try await LetterReplay(command, settings).run()
            default: preconditionFailure("the command \(command.path) is declared and not connected")
            }
        } catch let fault as UsageFault {
            Process.complain("campaign-bridge dead-letters: \(fault.text)")
            return ExitCode.usage.rawValue
        } catch ScanError.cancelled {
            Process.complain("campaign-bridge dead-letters: interrupted")
            return ExitCode.partly.rawValue
        } catch OutputError.closedByReader {
            return ExitCode.fine.rawValue
        } catch {
            Process.complain("campaign-bridge dead-letters: \(error)")
            return ExitCode.unreachable.rawValue
        }
    }
}

/// A value of the command line that is not right.
struct UsageFault: Error {
    var text: String

    init(_ text: String) { self.text = text }
}

extension LetterFilter {
    /// From the options that `list` and `replay` share.
    init(_ command: ParsedCommand, now: Int64) throws(UsageFault) {
        self.init()
        func time(_ name: String) throws(UsageFault) -> Int64? {
            guard let text = command.text(name) else { return nil }
            guard let time = PastTime.parse(text, now: now) else {
                throw UsageFault(
                    "--\(name): '\(VisibleText.of(text))' is not right; expected: \(PastTime.expectation)")
            }
            return time
        }
        reasons = Set(command.texts("reason"))
        category = command.text("class")
        since = try time("since")
        until = try time("until")
        streamID = command.text("stream")
        campaignID = command.text("campaign")
        id = command.text("id")
    }
}
