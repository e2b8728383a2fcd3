internal import Bridge
internal import Checks
internal import Configuration
internal import JSON
internal import Synchronization
internal import Terminal
internal import TerminalText

/// `check`: the configuration in force, and everything tried for real.
struct CheckCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    private var isJSON: Bool { command.text("output") == OutputFormat.json.rawValue }
    private var showsSettings: Bool { command.flag("show-settings") }

    func run() async -> Int32 {
        let loaded = Process.load(command)
        guard let settings = loaded.settings else {
            for problem in loaded.problems { Process.complain("error: \(problem)") }
            _ = showConfiguration(loaded)
            if isJSON { _ = writeJSON(loaded, []) }
            let count = loaded.problems.count
            Process.complain("campaign-bridge: \(count) \(count == 1 ? "problem" : "problems") in the configuration")
            return ExitCode.usage.rawValue
        }
        let check = BridgeCheck(
            settings: settings, client: { try settings.campaignClient(version: Process.version) },
            options: .init(
                timeout: command.duration("timeout") ?? .seconds(30), isOffline: command.flag("offline"),
                triesWrites: command.flag("try-writes")))
        var written = showConfiguration(loaded)
        let (lines, sink) = AsyncStream<CheckLine>.makeStream()
        var all = loaded.warnings.map { CheckLine(.warning, "configuration", $0.description) }
        all.append(CheckLine(.fine, "configuration", "\(loaded.effective.count) settings, all understood"))
        if !isJSON { for line in all { written = show(line) } }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await check.run { sink.yield($0) }
                sink.finish()
            }
            var wait = WaitLine("checking", total: nil)
            group.addTask { await tick(sink) }
            for await line in lines {
                guard line.name != Self.tick else {
                    wait.show(done: all.count)
                    continue
                }
                all.append(line)
                guard !isJSON else { continue }
                wait.end()
                written = show(line)
                wait = WaitLine("checking", total: nil)
            }
            wait.end()
            group.cancelAll()
        }
        if isJSON { written = writeJSON(loaded, all) } else { written = summary(all) }
        return Self.code(all) ?? written
    }

    /// Not a line: time to look at the clock.
    private static let tick = "\u{0}tick"

    private func tick(_ sink: AsyncStream<CheckLine>.Continuation) async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
            sink.yield(CheckLine(.skipped, Self.tick, ""))
        }
    }

    /// nil: nothing is wrong.
    static func code(_ lines: [CheckLine]) -> Int32? {
        let failed = lines.filter { $0.state == .failed }
        if failed.isEmpty { return nil }
        return failed.contains { $0.isUnreachable } ? ExitCode.unreachable.rawValue : ExitCode.found.rawValue
    }

    // MARK: - Text

    private func showConfiguration(_ loaded: LoadResult) -> Int32 {
        guard showsSettings, !isJSON else { return ExitCode.fine.rawValue }
        var table = Table([.init("setting"), .init("value"), .init("source")])
        for value in loaded.effective {
            table.add([
                StyledText(value.key), StyledText(value.value ?? "-", value.value == nil ? .dim : .plain),
                StyledText(value.source.description, value.source == .defaultValue ? .dim : .plain),
            ])
        }
        return Process.quietly { () throws(OutputError) in
            try Output.standardOutput.table(table)
            try Output.standardOutput.line("")
        }
    }

    private func show(_ line: CheckLine) -> Int32 {
        let style: StyledText.Style =
            switch line.state {
            case .fine: .good
            case .warning: .warning
            case .failed: .bad
            case .skipped: .dim
            }
        return Process.quietly { () throws(OutputError) in
            let output = Output.standardOutput
            try output.line(
                StyledText(line.state.rawValue, style).padded(to: 6) + StyledText(line.name, .bold)
                    + StyledText(": " + line.text))
            if let advice = line.advice { try output.line(StyledText("      -> " + advice, .accent)) }
        }
    }

    private func summary(_ lines: [CheckLine]) -> Int32 {
        func count(_ state: CheckLine.State) -> Int { lines.count { $0.state == state } }
        let failed = count(.failed)
        let warnings = count(.warning)
        return Process.quietly { () throws(OutputError) in
            try Output.standardOutput.line(
                StyledText(
                    "\(count(.fine)) ok, \(warnings) \(warnings == 1 ? "warning" : "warnings"), \(failed) failed",
                    failed > 0 ? .bad : warnings > 0 ? .warning : .good))
        }
    }

    // MARK: - JSON

    private func writeJSON(_ loaded: LoadResult, _ lines: [CheckLine]) -> Int32 {
        var out = JSONWriter(capacity: 8192)
        out.object { out in
            out.member("ok", loaded.settings != nil && Self.code(lines) == nil)
            out.key("problems")
            out.array { out in for problem in loaded.problems { out.string(problem.description) } }
            out.key("checks")
            out.array { out in
                for line in lines {
                    out.object { out in
                        out.member("state", line.state.rawValue)
                        out.member("name", line.name)
                        out.member("text", line.text)
                        if let advice = line.advice { out.member("advice", advice) }
                        if line.state == .failed { out.member("unreachable", line.isUnreachable) }
                    }
                }
            }
            if showsSettings {
                out.key("settings")
                out.array { out in
                    for value in loaded.effective {
                        out.object { out in
                            out.member("key", value.key)
                            out.key("value")
                            if let text = value.value { out.string(text) } else { out.null() }
                            out.member("source", value.source.description)
                        }
                    }
                }
            }
        }
        return Process.quietly { () throws(OutputError) in try Output.standardOutput.write(out.bytes + [10]) }
    }
}
