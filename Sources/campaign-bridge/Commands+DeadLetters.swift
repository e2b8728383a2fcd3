internal import BridgeCore
internal import Terminal

extension Commands {
    static let deadLetters = CommandDeclaration(
        "dead-letters", "Lists, shows, replays and resolves dead letters.",
        discussion: """
            A dead letter is named by its place in the dead letter topic, PARTITION:OFFSET, as `list` prints it. Only \
            committed ones are read, up to the end that the topic has when the command begins.
            """,
        commands: [letterList, letterShow, letterReplay, letterResolve],
        examples: [
            .init(
                "campaign-bridge dead-letters list -c bridge.yaml --since 2h", "What went wrong in the last two hours."),
            .init(
                "campaign-bridge dead-letters show -c bridge.yaml 3:1042", "One of them, and what may be done with it."),
        ])

    private static let filters: [OptionDeclaration] = [
        OptionDeclaration(
            "reason", .choice(DeadLetterReason.allCases.map(\.rawValue)), placeholder: "reason", repeats: true,
            help: "Only of this reason; may be given several times."),
        OptionDeclaration("class", .choice(categories), placeholder: "class", help: "Only of this class of reasons."),
        OptionDeclaration(
            "since", placeholder: "time",
            help: "Only those written since then: 2026-01-31T09:30:00Z, or how long ago, such as 30m, 2h or 7d."),
        OptionDeclaration("until", placeholder: "time", help: "Only those written before then."),
        OptionDeclaration("stream", placeholder: "id", help: "Only of this stream."),
        OptionDeclaration("campaign", placeholder: "id", help: "Only of this campaign."),
        OptionDeclaration("id", placeholder: "id", help: "Only of this event id or request id."),
        OptionDeclaration(
            "open", .flag,
            help: "Only those that no later dead letter, replay or start has come after. Reads the ledger first."),
    ]

    private static var categories: [String] {
        var seen: Set<String> = []
        return DeadLetterReason.allCases.map(\.category).filter { seen.insert($0).inserted }
    }

    private static let letterList = CommandDeclaration(
        "list", "Lists dead letters, the oldest first.",
        discussion: """
            Never prints a request's value. With --output json the array `deadLetters` is followed by how many were read \
            and matched.
            """,
        options: filters + [
            OptionDeclaration("limit", .integer(1...100_000), placeholder: "count", help: "Only the newest so many.")
        ],
        examples: [
            .init("campaign-bridge dead-letters list -c bridge.yaml", "All of them."),
            .init("campaign-bridge dead-letters list -c bridge.yaml --open", "Those that are left to do."),
            .init(
                "campaign-bridge dead-letters list -c bridge.yaml --class unknown --since 1d -o json",
                "Those of the last day that a person must look at, as JSON."),
        ])

    private static let letterShow = CommandDeclaration(
        "show", "Shows one dead letter and says what may be done with it.",
        discussion: "Exit code 1: there is no dead letter at that place.",
        options: [
            OptionDeclaration("value", .flag, help: "Also shows the request's value, which may be personal data.")
        ],
        positionals: [PositionalDeclaration("place", help: "PARTITION:OFFSET, as `list` prints it.")],
        examples: [.init("campaign-bridge dead-letters show -c bridge.yaml 3:1042", "Headers, history and advice.")])

    private static let who: [OptionDeclaration] = [
        OptionDeclaration(
            "because", placeholder: "text", required: true,
            help: "Why; it goes with the record, at most 256 bytes."),
        OptionDeclaration(
            "operator", placeholder: "name", help: "Who does it, at most 256 bytes; the user's name by default."),
        OptionDeclaration("yes", short: "y", .flag, help: "Does not ask."),
    ]

    private static let letterReplay = CommandDeclaration(
        "replay", "Sends the requests of dead letters to be called again.",
        discussion: """
            Shows what would be replayed and asks first; off a terminal it needs --yes. The original record goes to its \
            original topic and partition again, with headers that name the dead letter. A replay that was made before, \
            by anybody, is recognised and starts nothing. Dead letters of unknown outcome need a finding (`resolve`) and \
            are passed over, so are those that cannot be replayed; they are counted. Exit codes: 0 all were sent, 1 \
            there was nothing to send or the answer was no, 3 none could be sent, 4 only a part was sent.
            """,
        options: filters + who + [
            OptionDeclaration("all", .flag, help: "All dead letters, where neither places nor filters are given."),
            OptionDeclaration("rate", .integer(1...10_000), fallback: "10", help: "So many a second at most."),
            OptionDeclaration("dry-run", .flag, help: "Only shows what would be replayed."),
        ],
        positionals: [
            PositionalDeclaration(
                "place", required: false, repeats: true, help: "PARTITION:OFFSET; instead of filters.")
        ],
        examples: [
            .init(
                "campaign-bridge dead-letters replay -c bridge.yaml 3:1042 --because fixed",
                "One of them, after asking."),
            .init(
                "campaign-bridge dead-letters replay -c bridge.yaml --reason unknown-stream --since 1d --because added -y",
                "All of a reason."),
        ])

    private static let letterResolve = CommandDeclaration(
        "resolve", "Records what a person found out about an event, and so decides it.",
        discussion: """
            For dead letters of unknown outcome, after somebody has looked at the campaign. `started`: a started event \
            is published with evidence `operator`, and no call is made. `not-started`: the event is called. A finding \
            that contradicts a late answer which the bridge knows is refused. Exit codes as of `replay`.
            """,
        options: [
            OptionDeclaration(
                "finding", .choice(["not-started", "started"]), required: true, help: "What was found out."),
            OptionDeclaration(
                "instance-id", placeholder: "id", help: "With --finding started: the campaign's instance id, if known."),
        ] + who,
        positionals: [PositionalDeclaration("place", repeats: true, help: "PARTITION:OFFSET, as `list` prints it.")],
        examples: [
            .init(
                "campaign-bridge dead-letters resolve -c bridge.yaml 3:1042 --finding started --because seen",
                "The campaign runs: no call is made.")
        ])
}
