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
        for command in Commands.program.commands {
            guard case .success(.help(let page)) = parse("\(command.name) --help") else {
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
                #expect(parsed.path == [command.name])
            }
        }
    }

    @Test(
        "a mistyped word is answered with the nearest one",
        arguments: [
            ("rnu", "run"), ("chekc", "check"), ("run --confg=x", "--config"), ("demo --onec 3", "--once"),
            ("check --ofline", "--offline"), ("check --try-write", "--try-writes"), ("send --steam=a", "--stream"),
            ("demo -o jsno", "json"), ("validate --headr a=b -", "--header"), ("simulate --lisen x", "--listen"),
            ("topics --crate", "--create"),
        ])
    func nearest(line: String, meant: String) {
        #expect(error(line).contains("'\(meant)'"), "\(error(line))")
    }

    @Test(
        "a missing or wrong value says what is expected",
        arguments: [
            ("send --campaign c", "--stream is missing"), ("demo --once 0", "1"), ("check --timeout 5", "s"),
            ("validate", "<file> is missing"), ("demo --once", "needs a value"), ("run extra", "one argument too many"),
        ])
    func expected(line: String, text: String) {
        #expect(error(line).contains(text), "\(error(line))")
    }
}
