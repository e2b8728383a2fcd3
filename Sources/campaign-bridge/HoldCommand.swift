internal import Bridge
internal import BridgeCore
internal import Configuration
internal import JSON
internal import Operations
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `hold` and `resume`: writes the control record and waits until it is in force everywhere.
struct HoldCommand: Sendable {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    private var isHold: Bool { command.path[0] == "hold" }
    private var name: String { "campaign-bridge \(command.path[0])" }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        return await Process.cancelledBySignal { await self.run(settings) }
    }

    private func run(_ settings: BridgeSettings) async -> Int32 {
        do {
            let scope = try scope(settings)
            let hold = Hold(
                who: command.text("who") ?? Process.userName, why: command.text("because") ?? "",
                at: wallMilliseconds())
            for (name, text) in [("who", hold.who), ("because", hold.why)] {
                guard (1...ReplayOrder.maximumText).contains(text.utf8.count) else {
                    throw UsageFault("--\(name) takes 1 to \(ReplayOrder.maximumText) bytes of text")
                }
            }
            return try await write(scope, hold, ControlTopic(settings: settings))
        } catch let fault as UsageFault {
            Process.complain("\(name): \(fault.text)")
            return ExitCode.usage.rawValue
        } catch ScanError.cancelled {
            Process.complain("\(name): interrupted, nothing was written")
            return ExitCode.partly.rawValue
        } catch {
            Process.complain("\(name): \(error)")
            return ExitCode.unreachable.rawValue
        }
    }

    private func scope(_ settings: BridgeSettings) throws(UsageFault) -> HoldScope {
        func id(_ name: String) throws(UsageFault) -> String {
            let text = command.text(name) ?? ""
            guard Identifier.isValid(text) else {
                throw UsageFault(
                    "'\(VisibleText.of(text))' is no id: 1 to \(Identifier.maximumLength) letters, digits, - or _")
            }
            return text
        }
        switch command.path.last {
        case "all": return .all
        case "account":
            let text = command.text("name") ?? ""
            let known = settings.connections.map(\.name)
            guard known.contains(text) else {
                throw UsageFault(
                    "no connection is named '\(VisibleText.of(text))'." + Suggestion.text(for: text, among: known)
                        + " Those of the configuration: \(known.joined(separator: ", "))")
            }
            return .account(text)
        case "stream", "campaign":
            let stream = try id("stream")
            if settings.connection(forStream: stream) == nil {
                Process.complain("warning: no connection of this configuration has stream \(stream)")
            }
            return command.path.last == "stream"
                ? .stream(stream) : .campaign(streamID: stream, campaignID: try id("campaign"))
        default: preconditionFailure("the command \(command.path) is declared and not connected")
        }
    }

    private func write(_ scope: HoldScope, _ hold: Hold, _ topic: ControlTopic) async throws -> Int32 {
        let (board, end) = try await topic.read()
        let before = board.holds[scope]?.hold
        if !isHold, before == nil {
            Process.complain(
                "\(name): \(scope.text) is not held"
                    + (board.holds.isEmpty ? "" : "; `campaign-bridge holds` says what is"))
            return ExitCode.found.rawValue
        }
        if isHold, let before {
            Process.complain("\(scope.text) was held before: \(before.summary); this replaces who and why")
        }
        try await topic.write(scope, isHold ? hold : nil)
        let wait = command.duration("wait") ?? .seconds(60)
        let force: ControlBoard.Force?
        do {
            force = try await topic.follow(board, from: end, scope, isHold ? hold : nil, within: wait)
        } catch {
            Process.complain("\(name): written, and whether it is in force is not known: \(error)")
            return ExitCode.partly.rawValue
        }
        let code = show(scope, force)
        return force?.isInForce == true ? code : ExitCode.partly.rawValue
    }

    private func show(_ scope: HoldScope, _ force: ControlBoard.Force?) -> Int32 {
        Process.quietly { () throws(OutputError) in
            guard command.text("output") != OutputFormat.json.rawValue else {
                var out = JSONWriter()
                out.object { out in
                    out.key("scope")
                    out.array { out in for part in scope.parts { out.string(part) } }
                    out.member("held", isHold)
                    out.member("inForce", force?.isInForce ?? false)
                    force?.members(&out)
                }
                return try Output.standardOutput.write(out.bytes + [10])
            }
            let what = isHold ? "\(scope.text) is held" : "\(scope.text) is not held any more"
            var text = "\(VisibleText.of(what)): "
            guard let force else {
                text += "written, and not read back in time; `campaign-bridge holds` says whether it is in force\n"
                return try Output.standardOutput.write(Array(text.utf8))
            }
            text += force.isInForce ? "in force" : "not yet in force everywhere"
            text += force.confirmed.isEmpty && force.awaited.isEmpty ? ", no replica runs\n" : "\n"
            for replica in force.confirmed { text += "  confirmed  \(VisibleText.of(replica.owner))\n" }
            for replica in force.awaited {
                text +=
                    "  awaited    \(VisibleText.of(replica.owner)), may act until \(RFC3339.format(replica.until))\n"
            }
            try Output.standardOutput.write(Array(text.utf8))
        }
    }
}

extension Hold {
    var summary: String { "by \(VisibleText.of(who)), since \(RFC3339.format(at)), because: \(VisibleText.of(why))" }
}

extension ControlBoard.Force {
    /// As members of a JSON object that is open.
    func members(_ out: inout JSONWriter) {
        out.key("replicas")
        out.array { out in
            for (replicas, isConfirmed) in [(confirmed, true), (awaited, false)] {
                for replica in replicas {
                    out.object { out in
                        out.member("owner", replica.owner)
                        out.member("confirmed", isConfirmed)
                        out.member("until", RFC3339.format(replica.until))
                    }
                }
            }
        }
    }
}
