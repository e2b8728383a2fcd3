internal import Bridge
internal import BridgeCore
internal import Configuration
internal import JSON
internal import Operations
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `holds`: what is held, and whether it is in force.
struct HoldsCommand: Sendable {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        return await Process.cancelledBySignal {
            do {
                return self.show(try await ControlTopic(settings: settings).read().board, at: wallMilliseconds())
            } catch ScanError.cancelled {
                return ExitCode.partly.rawValue
            } catch {
                Process.complain("campaign-bridge holds: \(error)")
                return ExitCode.unreachable.rawValue
            }
        }
    }

    private func show(_ board: ControlBoard, at now: Int64) -> Int32 {
        let holds = board.holds.sorted { $0.key.text < $1.key.text }
        return Process.quietly { () throws(OutputError) in
            guard command.text("output") != OutputFormat.json.rawValue else {
                var out = JSONWriter()
                out.object { out in
                    out.key("holds")
                    out.array { out in
                        for (scope, (hold, offset)) in holds {
                            let force = board.force(of: offset, at: now)
                            out.object { out in
                                out.key("scope")
                                out.array { out in for part in scope.parts { out.string(part) } }
                                out.member("who", hold.who)
                                out.member("why", hold.why)
                                out.member("since", RFC3339.format(hold.at))
                                out.member("inForce", force.isInForce)
                                force.members(&out)
                            }
                        }
                    }
                }
                return try Output.standardOutput.write(out.bytes + [10])
            }
            guard !holds.isEmpty else {
                return try Output.standardOutput.write(Array("nothing is held\n".utf8))
            }
            var table = Table([.init("held"), .init("since"), .init("by"), .init("in force"), .init("because")])
            for (scope, (hold, offset)) in holds {
                let force = board.force(of: offset, at: now)
                table.add([
                    StyledText(scope.text, .bold), StyledText(RFC3339.format(hold.at)), StyledText(hold.who),
                    force.isInForce
                        ? StyledText("yes", .good) : StyledText("not yet, \(force.awaited.count) awaited", .warning),
                    StyledText(hold.why),
                ])
            }
            try Output.standardOutput.table(table)
        }
    }
}
