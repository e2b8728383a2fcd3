internal import Terminal

struct InspectCommand: Sendable {
    let command: ParsedCommand
    init(_ command: ParsedCommand) { self.command = command }
    func run() async -> Int32 { 2 }
}
extension Commands {
    static let inspect = CommandDeclaration("inspect", "Tells the story of one event.", positionals: [PositionalDeclaration("id", repeats: true, help: "x")], examples: [.init("campaign-bridge inspect -c bridge.yaml order-1", "x")])
}
