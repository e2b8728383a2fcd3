import Testing

@testable import Terminal

private let program = CommandDeclaration(
    "bridge", "A bridge.",
    options: [
        OptionDeclaration("config", short: "c", placeholder: "file", environment: "BRIDGE_CONFIG", help: "The file."),
        OptionDeclaration("verbose", short: "v", .flag, environment: "BRIDGE_VERBOSE", help: "Says more."),
        OptionDeclaration("output", short: "o", .choice(["text", "json"]), fallback: "text", help: "The form."),
    ],
    commands: [
        CommandDeclaration(
            "send", "Sends.",
            options: [
                OptionDeclaration("header", short: "H", repeats: true, help: "A header."),
                OptionDeclaration("count", short: "n", .integer(1...10), fallback: "1", help: "How many."),
                OptionDeclaration("wait", .duration, help: "How long."),
                OptionDeclaration("limit", .size, help: "How large."),
                OptionDeclaration("quiet", short: "q", .flag, help: "Says less."),
                OptionDeclaration("token", .integer(0...1), secret: true, help: "A secret."),
            ],
            positionals: [
                PositionalDeclaration("file", help: "What is sent."),
                PositionalDeclaration("more", required: false, repeats: true, help: "More."),
            ],
            examples: [.init("bridge send event.json", "Sends one event.")]),
        CommandDeclaration(
            "dead-letters", "Dead letters.",
            commands: [
                CommandDeclaration(
                    "list", "Lists.", options: [OptionDeclaration("topic", required: true, help: "The topic.")])
            ]),
    ])

@Suite("Command lines", .timeLimit(.minutes(5)))
struct ArgumentParserTests {
    private func parse(_ line: String..., environment: [String: String] = [:]) throws -> ParsedCommand {
        guard case .run(let command) = try ArgumentParser(program).parse(line, environment: { environment[$0] }).get()
        else { throw UsageError(message: "help", command: "") }
        return command
    }

    private func fault(_ line: [String], environment: [String: String] = [:]) -> String? {
        switch ArgumentParser(program).parse(line, environment: { environment[$0] }) {
        case .success: nil
        case .failure(let error): error.message
        }
    }

    @Test("Options stand before, between and after, in each form")
    func forms() throws {
        let command = try parse(
            "-vc", "a.yaml", "send", "one", "--count=3", "-q", "-Hx=1", "two", "-H", "y", "--wait", "1m30s",
            "--limit", "64KiB", "--output=json")
        #expect(command.path == ["send"])
        #expect(command.flag("verbose") && command.flag("quiet"))
        #expect(command.text("config") == "a.yaml")
        #expect(command.integer("count") == 3)
        #expect(command.texts("header") == ["x=1", "y"])
        #expect(command.duration("wait") == .seconds(90))
        #expect(command.size("limit") == 65_536)
        #expect(command.text("output") == "json")
        #expect(command.text("file") == "one" && command.texts("more") == ["two"])
    }

    @Test("What is not given comes from the environment, else from the default, else is absent")
    func fallbacks() throws {
        let command = try parse(
            "send", "-", environment: ["BRIDGE_CONFIG": "env.yaml", "BRIDGE_VERBOSE": "false"])
        #expect(command.text("config") == "env.yaml")
        #expect(!command.flag("verbose") && !command.flag("quiet"))
        #expect(command.integer("count") == 1 && command.text("output") == "text")
        #expect(command.duration("wait") == nil && command.texts("header") == [])
        #expect(command.text("file") == "-")
        #expect(try parse("send", "f", environment: ["BRIDGE_CONFIG": ""]).text("config") == nil)
        #expect(try parse("send", "f", "-c", "x", environment: ["BRIDGE_CONFIG": "y"]).text("config") == "x")
        #expect(try parse("send", "f", environment: ["BRIDGE_VERBOSE": "true"]).flag("verbose"))
    }

    @Test("Two dashes end the options, and an equals sign takes anything as a value")
    func dashes() throws {
        let command = try parse("send", "--header=--count", "-H=", "--", "--count", "-q", "--")
        #expect(command.texts("header") == ["--count", ""])
        #expect(command.text("file") == "--count" && command.texts("more") == ["-q", "--"])
        #expect(try parse("send", "f", "--header", "-5").texts("header") == ["-5"])
    }

    @Test("Commands below commands are found, and inherit options")
    func nested() throws {
        let command = try parse("dead-letters", "list", "--topic", "t", "-v")
        #expect(command.path == ["dead-letters", "list"])
        #expect(command.text("topic") == "t" && command.flag("verbose"))
    }

    @Test(
        "Each fault says what is wrong and what was meant",
        arguments: [
            ([], "a command is missing: send, dead-letters."),
            (["sned"], "unknown command 'sned'. Did you mean 'send'?"),
            (["dead-letters", "lost"], "unknown command 'lost'. Did you mean 'list'?"),
            (["xyz\u{1b}[2J"], "unknown command 'xyz\\u{1b}[2J'."),
            (["send", "f", "--cuont", "3"], "unknown option '--cuont'. Did you mean '--count'?"),
            (["send", "f", "-x"], "unknown option '-x'."),
            (["send", "f", "-quiet"], "unknown option '-u'. Did you mean '--quiet'?"),
            (
                ["--count", "3", "send", "f"],
                "unknown option '--count' here; options of a command follow it."
            ),
            (["send"], "<file> is missing: What is sent."),
            (["dead-letters", "list"], "--topic is missing: a text."),
            (["dead-letters", "list", "--topic", "t", "x"], "'x' is one argument too many."),
            (["send", "f", "--count"], "--count needs a value: a whole number from 1 to 10."),
            (["send", "f", "--count", "--quiet"], "--count needs a value: a whole number from 1 to 10."),
            (["send", "f", "-q=1"], "unknown option '-='."),
            (["send", "f", "--quiet=1"], "--quiet takes no value."),
            (["send", "f", "-n", "1", "--count", "2"], "--count is given more than once."),
            (["send", "f", "-n", "11"], "-n: '11' is not right; expected: a whole number from 1 to 10."),
            (["send", "f", "-n", "+1"], "-n: '+1' is not right; expected: a whole number from 1 to 10."),
            (["send", "f", "-o", "jsno"], "-o: 'jsno' is not right; expected: text, json. Did you mean 'json'?"),
            (
                ["send", "f", "--token", "hunter2"],
                "--token: the value is not right; expected: a whole number from 0 to 1."
            ),
        ] as [([String], String)])
    func faults(line: [String], message: String) {
        #expect(fault(line) == message)
    }

    @Test("A faulty environment variable is named")
    func environment() {
        #expect(
            fault(["send", "f"], environment: ["BRIDGE_VERBOSE": "yes"])
                == "environment variable BRIDGE_VERBOSE: expected true or false.")
    }

    @Test("An error names the help page of its command")
    func errorText() {
        guard case .failure(let error) = ArgumentParser(program).parse(["dead-letters", "list"]) else {
            Issue.record("no error")
            return
        }
        #expect(error.description == "--topic is missing: a text.\nSee 'bridge dead-letters list --help'.")
    }

    @Test(
        "Times need a unit, and units stand in order",
        arguments: [
            ("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("0s", 0), ("1m1ms", 60_001),
            ("30", nil), ("", nil), ("s", nil), ("1m1h", nil), ("1s1s", nil), ("-1s", nil), ("1.5s", nil), ("1 s", nil),
            ("99999999999999999d", nil), ("9223372036854775807ms1ms", nil), ("١s", nil),
        ] as [(String, Int64?)])
    func durations(text: String, milliseconds: Int64?) {
        #expect(ArgumentValue.read(text, as: .duration) == milliseconds.map { .milliseconds($0) })
    }

    @Test(
        "Sizes are bytes, or have a unit",
        arguments: [
            ("512", 512), ("512B", 512), ("2kB", 2000), ("2KiB", 2048), ("1GiB", 1 << 30), ("KiB", nil), ("1kib", nil),
            ("-1", nil), ("9223372036854775807GB", nil),
        ] as [(String, Int?)])
    func sizes(text: String, bytes: Int?) {
        #expect(ArgumentValue.read(text, as: .size) == bytes.map { .bytes($0) })
    }

    @Test(
        "Help works everywhere, whatever else is wrong",
        arguments: [
            (["--help"], "bridge"), (["help"], "bridge"), (["-h", "--nonsense"], "bridge"),
            (["send", "--help"], "bridge send"), (["help", "send"], "bridge send"),
            (["send", "--count", "-h"], "bridge send"), (["help", "dead-letters", "list"], "bridge dead-letters list"),
        ])
    func help(line: [String], name: String) throws {
        guard case .help(let page) = try ArgumentParser(program).parse(line).get() else {
            Issue.record("no help")
            return
        }
        let usage = page.split(separator: "\n").first { $0.hasPrefix("Usage: ") }
        #expect(usage?.hasPrefix("Usage: \(name) ") == true, "\(page)")
    }

    @Test("Behind two dashes, help is an argument")
    func noHelp() throws {
        #expect(try parse("send", "--", "--help").text("file") == "--help")
    }

    @Test("A help page names each option with its default and environment, within the width", arguments: [40, 60, 120])
    func page(width: Int) {
        let page = helpPage([program, program.commands[0]], width: width)
        for option in program.options + program.commands[0].options { #expect(page.contains("--\(option.name)")) }
        let words = page.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("(default: text)") && words.contains("(environment: BRIDGE_CONFIG)"))
        #expect(words.contains("Usage: bridge send [options] <file> [<more>...]"))
        #expect(words.contains("bridge send event.json Sends one event."))
        #expect(words.contains("2 the command line or the configuration is wrong"))
        // The usage line is not broken, so that it can be copied, nor is a long option's form.
        for line in page.split(separator: "\n") where !line.hasPrefix("Usage") && !line.contains("--") {
            #expect(line.count <= width, "\(line)")
        }
    }

    @Test("Names are suggested only when they are near")
    func suggestions() {
        #expect(Suggestion.distance("kitten", "sitting") == 3)
        #expect(Suggestion.distance("ab", "ba") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.nearest(to: "Verbos", among: ["verbose", "output"]) == "verbose")
        #expect(Suggestion.nearest(to: "out", among: ["verbose", "output"]) == "output")
        #expect(Suggestion.nearest(to: "xyz", among: ["verbose", "output"]) == nil)
        #expect(Suggestion.nearest(to: String(repeating: "x", count: 100_000), among: ["x"]) == nil)
    }

    @Test("Faulty declarations are found, sound ones have no fault")
    func declarationFaults() {
        #expect(program.faults() == [])
        let bad = CommandDeclaration(
            "bad", "Bad.",
            options: [
                OptionDeclaration("a", short: "h", help: "x"), OptionDeclaration("a", help: ""),
                OptionDeclaration("n", .integer(0...1), fallback: "2", help: "x"),
            ],
            positionals: [
                PositionalDeclaration("p", required: false, help: "x"), PositionalDeclaration("q", help: "x"),
            ], commands: [CommandDeclaration("c", "C.")])
        #expect(bad.faults().count >= 6)
    }
}
