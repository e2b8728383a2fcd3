import Terminal
import Testing

@testable import campaign_bridge

@Suite("The command line")
struct CommandLineTests {
    private func parse(_ line: String) -> Result<ParsedLine, UsageError> {
        ArgumentParser(Commands.program).parse(line.split(separator: " ").map(String.init))
    }

    private func error(_ line: String) -> String {
        if case .failure(let error) = parse(line) { return error.description }
        return ""
    }

    @Test("the declaration has no faults")
    func faults() {
        #expect(Commands.program.faults() == [])
    }

    @Test("every command has a help page with a summary and an example that is understood")
    func help() throws {
        let inner = Commands.program.commands.first { $0.name == "dead-letters" }?.commands ?? []
        let all = Commands.program.commands.map { ([$0.name], $0) } + inner.map { (["dead-letters", $0.name], $0) }
        for (path, command) in all {
            guard case .success(.help(let page)) = parse("\(path.joined(separator: " ")) --help") else {
                Issue.record("\(command.name) --help is no help page")
                continue
            }
            #expect(page.contains(command.summary.prefix(20)))
            #expect(!command.examples.isEmpty)
            for example in command.examples {
                let words = example.line.split(separator: "<")[0]
                guard case .success(.run(let parsed)) = parse(String(words.dropFirst("campaign-bridge ".count))) else {
                    Issue.record("the example is not understood: \(example.line)")
                    continue
                }
                #expect(Array(parsed.path.prefix(path.count)) == path)
            }
        }
    }

    @Test(
        "a mistyped word is answered with the nearest one",
        arguments: [
            ("rnu", "run"), ("chekc", "check"), ("run --confg=x", "--config"), ("demo --onec 3", "--once"),
            ("check --ofline", "--offline"), ("check --try-write", "--try-writes"), ("send --steam=a", "--stream"),
            ("demo -o jsno", "json"), ("validate --headr a=b -", "--header"), ("simulate --lisen x", "--listen"),
            ("topics --crate", "--create"), ("dead-leters list", "dead-letters"), ("dead-letters lst", "list"),
            ("dead-letters list --reson x", "--reason"), ("dead-letters list --reason rejectd", "rejected"),
            ("dead-letters replay --becuase x", "--because"), ("dead-letters resolve --finding strated", "started"),
            ("hold al", "all"), ("resume streem st-1", "stream"), ("inspct x", "inspect"),
        ])
    func nearest(line: String, meant: String) {
        #expect(error(line).contains("'\(meant)'"), "\(error(line))")
    }

    @Test(
        "a missing or wrong value says what is expected",
        arguments: [
            ("send --campaign c", "--stream is missing"), ("demo --once 0", "1"), ("check --timeout 5", "s"),
            ("validate", "<file> is missing"), ("demo --once", "needs a value"), ("run extra", "one argument too many"),
            ("dead-letters", "a command is missing"), ("dead-letters replay --all", "--because is missing"),
            ("dead-letters resolve 0:1 --because x", "--finding is missing"), ("hold all", "--because is missing"),
            ("hold campaign st-1 --because x", "<campaign> is missing"), ("inspect", "<id> is missing"),
            ("dead-letters list --limit 0", "1"),
        ])
    func expected(line: String, text: String) {
        #expect(error(line).contains(text), "\(error(line))")
    }
}
