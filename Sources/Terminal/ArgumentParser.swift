internal import TerminalText

/// Why a command line was not understood: what is wrong, and what to do.
package struct UsageError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, with the nearest thing that would have been right.
    package let message: String
    /// The command whose help says more, with the program's name.
    package let command: String

    package var description: String { "\(message)\nSee '\(command) --help'." }
}

/// What a command line asks for.
package enum ParsedLine: Equatable, Sendable {
    case run(ParsedCommand)
    /// The text of a help page, for standard output.
    case help(String)
}

/// Reads command lines by a declaration. Pure: arguments and environment come in, a value goes out.
///
/// Options may stand before and after positionals: `--name value`, `--name=value`, `-n value`, `-nvalue`, and flags
/// together as `-abc`. `--` ends them; `-` alone is a positional. Names are not abbreviated. `--help` and `-h` work
/// everywhere before `--`, whatever else is wrong, and so does `help` before a command.
package struct ArgumentParser: Sendable {
    private let program: CommandDeclaration

    /// - Parameter program: the program itself, with its commands.
    package init(_ program: CommandDeclaration) {
        self.program = program
    }

    /// Reads a command line.
    ///
    /// - Parameters:
    ///   - arguments: without the program's own name.
    ///   - environment: the value of a variable; an empty one counts as none.
    ///   - width: columns for help pages.
    package func parse(
        _ arguments: [String], environment: @escaping (String) -> String? = { _ in nil }, width: Int = 80
    ) -> Result<ParsedLine, UsageError> {
        var reading = Reading(chain: [program], environment: environment)
        do throws(UsageError) {
            let asksForHelp = try reading.read(arguments)
            if asksForHelp { return .success(.help(helpPage(reading.chain, width: width))) }
            return .success(.run(try reading.finish()))
        } catch {
            return .failure(error)
        }
    }
}

/// The state of reading one line.
private struct Reading {
    /// The program, its command, that one's command.
    var chain: [CommandDeclaration]
    let environment: (String) -> String?
    private var given: [String: [ArgumentValue]] = [:]
    private var places: [String] = []

    init(chain: [CommandDeclaration], environment: @escaping (String) -> String?) {
        self.chain = chain
        self.environment = environment
    }

    private var command: CommandDeclaration { chain[chain.count - 1] }
    private var options: [OptionDeclaration] { chain.flatMap(\.options) }
    private var commandName: String { chain.map(\.name).joined(separator: " ") }

    private func error(_ message: String) -> UsageError { UsageError(message: message, command: commandName) }

    /// Reads all arguments. True: a help page is asked for.
    mutating func read(_ arguments: [String]) throws(UsageError) -> Bool {
        if let help = helpRequest(arguments) {
            chain = help
            return true
        }
        var rest = arguments[...]
        var optionsEnded = false
        while let argument = rest.popFirst() {
            if optionsEnded || argument == "-" || !argument.hasPrefix("-") {
                try take(argument)
            } else if argument == "--" {
                optionsEnded = true
            } else if argument.hasPrefix("--") {
                try readLong(argument, &rest)
            } else {
                try readShort(argument, &rest)
            }
        }
        return false
    }

    /// The command whose page is asked for: by `help` as the first word, or by `--help` in any place before `--`.
    private func helpRequest(_ arguments: [String]) -> [CommandDeclaration]? {
        let words = arguments.prefix { $0 != "--" }
        let asks = words.first == "help" || words.contains("--help") || words.contains("-h")
        guard asks else { return nil }
        var chain = self.chain
        for word in words where !word.hasPrefix("-") {
            if let next = chain[chain.count - 1].commands.first(where: { $0.name == word }) { chain.append(next) }
        }
        return chain
    }

    private mutating func take(_ word: String) throws(UsageError) {
        if command.commands.isEmpty {
            places.append(word)
        } else if let next = command.commands.first(where: { $0.name == word }) {
            chain.append(next)
        } else {
            let names = command.commands.map(\.name)
            throw error("unknown command '\(VisibleText.of(word))'." + Suggestion.text(for: word, among: names))
        }
    }

    private mutating func readLong(_ argument: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        let body = argument.dropFirst(2)
        let name = String(body.prefix { $0 != "=" })
        let value = body.count > name.count ? String(body.dropFirst(name.count + 1)) : nil
        guard let option = options.first(where: { $0.name == name }) else {
            // An option that stands before its command is known then, not yet here.
            let suggestion = Suggestion.text(for: name, among: options.map(\.name) + ["help"], prefix: "--")
            let place = chain.count == 1 && !command.commands.isEmpty ? " here; options of a command follow it" : ""
            throw error("unknown option '--\(VisibleText.of(name))'\(place)." + suggestion)
        }
        try read(option, written: "--" + name, value: value, &rest)
    }

    private mutating func readShort(_ argument: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                let hint = options.contains { $0.name == argument.dropFirst() }
                throw error(
                    "unknown option '-\(VisibleText.of(String(letter)))'."
                        + (hint ? " Did you mean '-\(argument)'?" : ""))
            }
            if option.kind == .flag {
                try read(option, written: "-\(letter)", value: nil, &rest)
            } else {
                let value = letters.isEmpty ? nil : String(letters.first == "=" ? letters.dropFirst() : letters)
                try read(option, written: "-\(letter)", value: value, &rest)
                return
            }
        }
    }

    private mutating func read(
        _ option: OptionDeclaration, written: String, value: String?, _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        guard option.repeats || given[option.name] == nil else {
            throw error("\(written) is given more than once.")
        }
        if option.kind == .flag {
            guard value == nil else { throw error("\(written) takes no value.") }
            given[option.name] = [.flag]
            return
        }
        let text: String
        if let value {
            text = value
        } else if let next = rest.first, !isOption(next) {
            text = next
            rest = rest.dropFirst()
        } else {
            throw error("\(written) needs a value: \(ArgumentValue.expectation(of: option.kind)).")
        }
        given[option.name, default: []].append(
            try converted(text, as: option.kind, secret: option.secret, of: written))
    }

    /// Whether a word is one of the declared options: then it is no value, `--name=--value` apart.
    private func isOption(_ word: String) -> Bool {
        if word == "--" { return true }
        if word.hasPrefix("--") {
            let name = word.dropFirst(2).prefix { $0 != "=" }
            return options.contains { $0.name == name }
        }
        return word.count == 2 && word.hasPrefix("-") && options.contains { $0.short == word.last }
    }

    private func converted(
        _ text: String, as kind: ArgumentKind, secret: Bool, of name: String
    ) throws(UsageError) -> ArgumentValue {
        if let value = ArgumentValue.read(text, as: kind) { return value }
        var message = "\(name): "
        message += secret ? "the value is not right" : "'\(VisibleText.of(text))' is not right"
        message += "; expected: \(ArgumentValue.expectation(of: kind))."
        if case .choice(let values) = kind, !secret { message += Suggestion.text(for: text, among: values) }
        throw error(message)
    }

    /// Adds what was not given, and checks that nothing is missing.
    mutating func finish() throws(UsageError) -> ParsedCommand {
        guard command.commands.isEmpty else {
            throw error("a command is missing: \(command.commands.map(\.name).joined(separator: ", ")).")
        }
        for option in options where given[option.name] == nil {
            if let variable = option.environment, let text = environment(variable), !text.isEmpty {
                given[option.name] = try fromEnvironment(option, variable, text)
            } else if let fallback = option.fallback {
                given[option.name] = [try converted(fallback, as: option.kind, secret: false, of: "--" + option.name)]
            } else if option.required {
                throw error("--\(option.name) is missing: \(ArgumentValue.expectation(of: option.kind)).")
            }
        }
        var kinds: [String: ArgumentKind] = [:]
        for option in options { kinds[option.name] = option.kind }
        for place in command.positionals { kinds[place.name] = place.kind }
        return ParsedCommand(
            path: chain.dropFirst().map(\.name), options: given, positionals: try readPlaces(), kinds: kinds)
    }

    private func fromEnvironment(
        _ option: OptionDeclaration, _ variable: String, _ text: String
    ) throws(UsageError) -> [ArgumentValue]? {
        guard option.kind == .flag else {
            return [try converted(text, as: option.kind, secret: option.secret, of: "environment variable \(variable)")]
        }
        switch text {
        case "true": return [.flag]
        case "false": return nil
        default: throw error("environment variable \(variable): expected true or false.")
        }
    }

    private func readPlaces() throws(UsageError) -> [String: [ArgumentValue]] {
        var result: [String: [ArgumentValue]] = [:]
        var rest = places[...]
        for place in command.positionals {
            if place.required && rest.isEmpty { throw error("<\(place.name)> is missing: \(place.help)") }
            let count = place.repeats ? rest.count : min(1, rest.count)
            for text in rest.prefix(count) {
                result[place.name, default: []].append(
                    try converted(text, as: place.kind, secret: false, of: "<\(place.name)>"))
            }
            rest = rest.dropFirst(count)
        }
        if let extra = rest.first { throw error("'\(VisibleText.of(extra))' is one argument too many.") }
        return result
    }
}
