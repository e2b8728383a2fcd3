internal import TerminalText

/// The help page of a command.
///
/// - Parameters:
///   - chain: the program, its command, and so on down to the one that is asked for.
///   - width: columns; at least 40 are used.
package func helpPage(_ chain: [CommandDeclaration], width: Int) -> String {
    guard let command = chain.last else { return "" }
    let width = min(max(width, 40), 120)
    let name = chain.map(\.name).joined(separator: " ")
    let inherited = chain.dropLast().flatMap(\.options)
    var page = wrapped(command.summary, width: width, indent: 0)
    page += "\nUsage: \(name)\(usage(command))\n"
    if !command.discussion.isEmpty { page += "\n" + wrapped(command.discussion, width: width, indent: 0) }
    page += section("Commands", command.commands.map { ($0.name, $0.summary) }, width)
    page += section("Arguments", command.positionals.map { ("<\($0.name)>", $0.help) }, width)
    let help = ("-h, --help", "Shows this page.")
    page += section("Options", (command.options + inherited).map { (form(of: $0), note(on: $0)) } + [help], width)
    if !command.examples.isEmpty {
        page += "\nExamples:\n"
        for example in command.examples {
            page += "  \(example.line)\n" + wrapped(example.purpose, width: width, indent: 6)
        }
    }
    page += section("Exit codes", ExitCode.allCases.map { (String($0.rawValue), $0.meaning) }, width)
    if !command.commands.isEmpty { page += "\nMore on a command: \(name) <command> --help\n" }
    return page
}

private func usage(_ command: CommandDeclaration) -> String {
    var text = ""
    for option in command.options where option.required { text += " " + "--\(option.name) \(placeholder(of: option))" }
    text += " [options]"
    if !command.commands.isEmpty { text += " <command>" }
    for place in command.positionals {
        let one = "<\(place.name)>" + (place.repeats ? "..." : "")
        text += place.required ? " " + one : " [\(one)]"
    }
    return text
}

private func form(of option: OptionDeclaration) -> String {
    let short = option.short.map { "-\($0), " } ?? "    "
    return option.kind == .flag
        ? "\(short)--\(option.name)" : "\(short)--\(option.name) \(placeholder(of: option))"
}

private func placeholder(of option: OptionDeclaration) -> String {
    if let given = option.placeholder { return "<\(given)>" }
    return switch option.kind {
    case .flag: ""
    case .text: "<text>"
    case .integer: "<number>"
    case .duration: "<time>"
    case .size: "<size>"
    case .choice(let values): "<" + values.joined(separator: "|") + ">"
    }
}

private func note(on option: OptionDeclaration) -> String {
    var remarks: [String] = []
    if option.required { remarks.append("required") }
    if option.repeats { remarks.append("may be repeated") }
    if let fallback = option.fallback { remarks.append("default: \(fallback)") }
    if let variable = option.environment { remarks.append("environment: \(variable)") }
    return option.help + (remarks.isEmpty ? "" : " (" + remarks.joined(separator: "; ") + ")")
}

private func section(_ title: String, _ rows: [(String, String)], _ width: Int) -> String {
    guard !rows.isEmpty else { return "" }
    let longest = rows.map { TextWidth.of($0.0) }.max() ?? 0
    let column = min(longest, width / 3) + 4
    var text = "\n\(title):\n"
    for (name, help) in rows {
        let lines = wrapped(help, width: width, indent: column)
        // A name that is too long for its column stands on a line of its own.
        let fits = TextWidth.of(name) + 4 <= column
        let gap = String(repeating: " ", count: fits ? column - 2 - TextWidth.of(name) : 0)
        text += "  \(name)" + (fits ? gap + lines.dropFirst(column) : "\n" + lines)
    }
    return text
}

/// Words in lines of at most the width, each indented; a blank line stays one.
private func wrapped(_ text: String, width: Int, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var result = ""
    for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
        var line = ""
        for word in paragraph.split(separator: " ") {
            if !line.isEmpty, indent + TextWidth.of(line) + 1 + TextWidth.of(String(word)) > width {
                result += margin + line + "\n"
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        result += (line.isEmpty ? "" : margin + line) + "\n"
    }
    return result
}
