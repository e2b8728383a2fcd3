internal import Terminal

extension Commands {
    static let inspect = CommandDeclaration(
        "inspect", "Tells the story of one event: what happened, what holds now, what is next.",
        discussion: """
            Reads ledger, results and dead letters to their ends, and the source from where the event is first known, \
            or as a whole where it is not. What the topics' retention or compaction has removed is not told. Shows no \
            payload. Exit code 1: nothing is known of such an event.
            """,
        options: [
            OptionDeclaration(
                "since", placeholder: "time",
                help:
                    "Reads nothing older: 2026-01-31T09:30:00Z, or how long ago, such as 2h. The ledger is read whole.")
        ],
        positionals: [
            PositionalDeclaration(
                "id", help: "The event's id or its request id; or, before an id, CloudEvents source."),
            PositionalDeclaration(
                "event-id", required: false, help: "The event's id, where a source stands before it."),
        ],
        examples: [
            .init("campaign-bridge inspect -c bridge.yaml order-4711", "Every event of this id."),
            .init("campaign-bridge inspect -c bridge.yaml /crm/orders order-4711", "The CloudEvent of source and id."),
        ])
}
