internal import Terminal

extension Commands {
    private static let scopes: [CommandDeclaration] = [
        CommandDeclaration("all", "Everything."),
        CommandDeclaration(
            "account", "All streams of a connection.",
            positionals: [PositionalDeclaration("name", help: "The connection's name in the configuration.")]),
        CommandDeclaration(
            "stream", "One stream.", positionals: [PositionalDeclaration("stream", help: "The stream's id.")]),
        CommandDeclaration(
            "campaign", "One campaign.",
            positionals: [
                PositionalDeclaration("stream", help: "The stream's id."),
                PositionalDeclaration("campaign", help: "The campaign's id."),
            ]),
    ]

    private static let holdOptions: [OptionDeclaration] = [
        OptionDeclaration(
            "because", placeholder: "text", required: true, help: "Why, for those who find it held; at most 256 bytes."),
        OptionDeclaration("who", placeholder: "name", help: "Who does it; the user's name by default."),
        OptionDeclaration(
            "wait", .duration, fallback: "60s", help: "Waits at most so long until every replica has confirmed it."),
    ]

    static let hold = CommandDeclaration(
        "hold", "Holds calls back: all, of an account, of a stream or of a campaign.",
        discussion: """
            Writes it to the control topic, where it outlives restarts, and waits until it is in force: every replica \
            that lives has confirmed it, and begins no call against it. Events that are held wait and are called after \
            `resume`, unless they expire before. Calls that are under way end. Exit codes: 0 in force, 3 not written, \
            4 written, and not yet in force everywhere when the wait was over.
            """,
        options: holdOptions, commands: scopes,
        examples: [
            .init("campaign-bridge hold all -c bridge.yaml --because incident-7", "No replica begins a call any more."),
            .init(
                "campaign-bridge hold campaign st-1 cd-1 -c bridge.yaml --because list", "One campaign is not called."),
        ])

    static let resume = CommandDeclaration(
        "resume", "Ends a hold.",
        discussion: """
            Exit codes: 0 every replica knows it, 1 nothing was held under that name, 3 not written, 4 written, and not \
            yet known everywhere when the wait was over.
            """,
        options: holdOptions, commands: scopes,
        examples: [.init("campaign-bridge resume all -c bridge.yaml --because fixed", "Calls go on.")])

    static let holds = CommandDeclaration(
        "holds", "Says what is held, by whom, why, since when, and whether it is in force.",
        examples: [.init("campaign-bridge holds -c bridge.yaml", "All holds.")])
}
