/// What a value on the command line must look like.
package enum ArgumentKind: Hashable, Sendable {
    /// No value: given or not.
    case flag
    case text
    case integer(ClosedRange<Int>)
    /// A number and its unit, `ms`, `s`, `m`, `h` or `d`; several may follow each other, as in `1h30m`.
    case duration
    /// Bytes, with `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB` or `B` where there are many.
    case size
    case choice([String])
}

/// An option of a command.
package struct OptionDeclaration: Hashable, Sendable {
    /// The name without its dashes.
    package var name: String
    package var short: Character?
    package var kind: ArgumentKind
    /// What stands for the value in the help; nil: by the kind.
    package var placeholder: String?
    /// The value when none is given, in the form of the command line.
    package var fallback: String?
    /// The environment variable that gives the value when the command line does not.
    package var environment: String?
    package var repeats: Bool
    package var required: Bool
    /// Its value never stands in an error text.
    package var secret: Bool
    package var help: String

    package init(
        _ name: String, short: Character? = nil, _ kind: ArgumentKind = .text, placeholder: String? = nil,
        fallback: String? = nil, environment: String? = nil, repeats: Bool = false, required: Bool = false,
        secret: Bool = false, help: String
    ) {
        self.name = name
        self.short = short
        self.kind = kind
        self.placeholder = placeholder
        self.fallback = fallback
        self.environment = environment
        self.repeats = repeats
        self.required = required
        self.secret = secret
        self.help = help
    }
}

/// An argument that is told by its place.
package struct PositionalDeclaration: Hashable, Sendable {
    package var name: String
    package var kind: ArgumentKind
    package var required: Bool
    /// Takes all that follow; the last one only.
    package var repeats: Bool
    package var help: String

    package init(
        _ name: String, _ kind: ArgumentKind = .text, required: Bool = true, repeats: Bool = false, help: String
    ) {
        self.name = name
        self.kind = kind
        self.required = required
        self.repeats = repeats
        self.help = help
    }
}

/// A command: the program itself, what it can do, or a part of that.
package struct CommandDeclaration: Hashable, Sendable {
    /// An example and what it does.
    package struct Example: Hashable, Sendable {
        package var line: String
        package var purpose: String

        package init(_ line: String, _ purpose: String) {
            self.line = line
            self.purpose = purpose
        }
    }

    package var name: String
    /// One line for the list of commands.
    package var summary: String
    /// What else a person needs to know.
    package var discussion: String
    /// Hold for this command and all below it.
    package var options: [OptionDeclaration]
    package var positionals: [PositionalDeclaration]
    /// A command with commands does nothing by itself and takes no positionals.
    package var commands: [CommandDeclaration]
    package var examples: [Example]

    package init(
        _ name: String, _ summary: String, discussion: String = "", options: [OptionDeclaration] = [],
        positionals: [PositionalDeclaration] = [], commands: [CommandDeclaration] = [], examples: [Example] = []
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options
        self.positionals = positionals
        self.commands = commands
        self.examples = examples
    }

    /// What is wrong with the declaration and those below it; a test asks.
    package func faults(inherited: [OptionDeclaration] = []) -> [String] {
        let all = inherited + options
        var faults: [String] = []
        let names = all.map(\.name) + ["help"]
        let shorts = all.compactMap(\.short) + ["h"]
        if Set(names).count < names.count { faults.append("\(name): an option's name stands twice") }
        if Set(shorts).count < shorts.count { faults.append("\(name): a short name stands twice") }
        for option in options {
            if let fallback = option.fallback, ArgumentValue.read(fallback, as: option.kind) == nil {
                faults.append("\(name): the default of --\(option.name) is not of its kind")
            }
            if option.help.isEmpty { faults.append("\(name): --\(option.name) has no help") }
        }
        if !commands.isEmpty && !positionals.isEmpty { faults.append("\(name) has commands and positionals") }
        if positionals.dropLast().contains(where: { $0.repeats || !$0.required }) {
            faults.append("\(name): only the last positional may repeat or be left out")
        }
        return faults + commands.flatMap { $0.faults(inherited: all) }
    }
}
