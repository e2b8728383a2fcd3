internal import Terminal

/// The program's command line: names, help and examples. What the commands do stands elsewhere.
enum Commands {
    static let program = CommandDeclaration(
        "campaign-bridge", "Starts voice campaigns from Kafka events, never twice for one event.",
        discussion: """
            The result goes to standard output, everything else to standard error. Each setting of the configuration \
            file can also be given by an environment variable, CAMPAIGN_BRIDGE_ and its path.
            """,
        options: [
            OptionDeclaration(
                "config", short: "c", placeholder: "file", environment: "CAMPAIGN_BRIDGE_CONFIG",
                help: "The configuration file (YAML)."),
            OptionDeclaration(
                "output", short: "o", .choice(["text", "json"]), fallback: "text", help: "The form of the result."),
            OptionDeclaration(
                "log-level", .choice(["trace", "debug", "info", "warning", "error"]),
                help: "Log lines below this level are not written; instead of the configuration's."),
        ],
        commands: [
            run, check, topics, validate, send, deadLetters, inspect, hold, resume, holds, simulate, demo, version,
        ],
        examples: [
            .init("campaign-bridge demo", "Shows the whole bridge at work, without Kafka and without Kore.ai."),
            .init("campaign-bridge check -c bridge.yaml", "Says what is missing before a first run."),
            .init("campaign-bridge run -c bridge.yaml", "Runs the service."),
        ])

    private static let run = CommandDeclaration(
        "run", "Runs the service until SIGTERM or SIGINT.",
        discussion: """
            Consumes start requests, calls the API once for each, and publishes what came of it. The first signal lets \
            calls under way end and commits their outcomes; a second one ends the process at once, which loses no \
            event and starts none twice. Exit codes besides the common ones: 4 the drain's deadline passed, 5 another \
            process has this replica's name, 6 going on would help nothing (the log says why), 128 and the signal's \
            number after a second signal.
            """,
        examples: [.init("campaign-bridge run -c bridge.yaml", "Runs with this configuration.")])

    private static let version = CommandDeclaration(
        "version", "Says which version this is, and of the Kafka library. Also: --version.",
        examples: [.init("campaign-bridge version", "Prints one line.")])

    private static let check = CommandDeclaration(
        "check", "Checks configuration, broker, topics, rights, credentials and clock.",
        discussion: """
            Starts no campaign and changes nothing. Each line that is not right says what to do. The API is asked twice \
            for a list of campaigns, which counts against the account's rate. Exit codes: 0 all is well or has only \
            warnings, 1 something must be corrected, 2 the configuration is wrong, 3 something cannot be reached.
            """,
        options: [
            OptionDeclaration(
                "timeout", .duration, fallback: "30s", help: "How long all checks together may take."),
            OptionDeclaration(
                "offline", .flag, help: "Only what needs no network: the configuration and the libraries."),
            OptionDeclaration("show-settings", .flag, help: "Also shows each setting's value and where it comes from."),
            OptionDeclaration(
                "try-writes", .flag,
                help: "Also tries the rights to write, with records in a transaction that is aborted."),
        ],
        examples: [
            .init("campaign-bridge check -c bridge.yaml", "Checks everything."),
            .init("campaign-bridge check -c bridge.yaml --offline --show-settings", "Shows the effective settings."),
        ])

    private static let topics = CommandDeclaration(
        "topics", "Compares the topics with what the bridge needs, or creates what is missing.",
        options: [
            OptionDeclaration(
                "create", .flag,
                help: "Creates missing topics, and adds the partitions that the ledger lacks. Nothing else is changed."),
            OptionDeclaration(
                "replication", .integer(1...32), help: "Copies of each partition of a created topic."),
            OptionDeclaration(
                "partitions", .integer(1...10_000),
                help: "Partitions of a created source topic; the ledger always has as many as the source."),
        ],
        examples: [
            .init("campaign-bridge topics -c bridge.yaml", "Says what is missing or weaker than the promises need."),
            .init("campaign-bridge topics -c bridge.yaml --create", "Creates what is missing."),
        ])

    private static let validate = CommandDeclaration(
        "validate", "Says what would be called for an event, without calling it.",
        discussion: """
            Needs no network. The core itself decides, as for the first record of this identity. Exit code 1: it would \
            become a dead letter.
            """,
        options: [
            OptionDeclaration(
                "header", short: "H", placeholder: "name=value", repeats: true, help: "A header of the record."),
            OptionDeclaration("key", placeholder: "text", help: "The key of the record."),
        ],
        positionals: [PositionalDeclaration("file", help: "The record's value, or - for standard input.")],
        examples: [
            .init("campaign-bridge validate -c bridge.yaml event.json", "Reads the event from a file."),
            .init(
                "campaign-bridge validate -c bridge.yaml -H content-type=application/cloudevents+json - < event.json",
                "Reads a structured CloudEvent from standard input."),
        ])

    private static let send = CommandDeclaration(
        "send", "Sends a start request to the source topic. The bridge then calls real people.",
        discussion: """
            The record's key is the campaign. What would become a dead letter is not sent. Exit codes: 0 sent, and with \
            --wait started; 1 not sent, or a dead letter came of it; 3 not acknowledged; 4 sent, and no result in time.
            """,
        options: [
            OptionDeclaration("stream", placeholder: "id", required: true, help: "The stream (streamId)."),
            OptionDeclaration("campaign", placeholder: "id", required: true, help: "The campaign (campaignId)."),
            OptionDeclaration(
                "id", placeholder: "text",
                help: "The event's id; the same id is the same event. A new one by default, which is printed."),
            OptionDeclaration("expires-in", .duration, help: "After this time the event is not to be called any more."),
            OptionDeclaration("correlation-id", placeholder: "text", help: "Comes back in the result."),
            OptionDeclaration("wait", .duration, help: "Waits so long for the result and prints it."),
            OptionDeclaration("yes", short: "y", .flag, help: "Does not ask."),
        ],
        examples: [
            .init(
                "campaign-bridge send -c bridge.yaml --stream st-1 --campaign c-1 --wait 30s",
                "Asks, sends one event and waits for what came of it.")
        ])

    private static let simulate = CommandDeclaration(
        "simulate", "Runs a simulator of the Kore.ai API.",
        options: [
            OptionDeclaration(
                "listen", placeholder: "address:port", fallback: "127.0.0.1:8085",
                help: "Where it listens; port 0 takes a free one, which is printed."),
            OptionDeclaration(
                "settings", placeholder: "file",
                help: "Apps, campaigns, rate limit, latency and more (JSON; GET /simulator/settings shows all)."),
            OptionDeclaration("faults", placeholder: "file", help: "Which calls go wrong, and how."),
            OptionDeclaration("journal", placeholder: "file", help: "Writes each accepted start to this file."),
        ],
        examples: [.init("campaign-bridge simulate --listen 127.0.0.1:0", "Runs it on a free port.")])

    private static let demo = CommandDeclaration(
        "demo", "Runs everything in one process: broker, API, bridge and events.",
        discussion: """
            Nothing leaves this machine: the broker is librdkafka's mock cluster and the API is the simulator. Some \
            events meet a fault: a throttled account, an unknown campaign, an answer that is lost, a repeat, a record \
            that is no JSON. The live view goes to standard error, the summary to standard output. The first signal \
            lets calls under way end; a second one does not wait for them.
            """,
        options: [
            OptionDeclaration("rate", .integer(1...1000), fallback: "2", help: "Events a second."),
            OptionDeclaration("for", .duration, help: "Ends after this time; without it, at SIGINT."),
            OptionDeclaration(
                "once", .integer(1...100_000), placeholder: "count",
                help: """
                    Sends so many events at once, shows no view, and ends when each has its outcome: exit code 0, else 1.
                    """),
        ],
        examples: [
            .init("campaign-bridge demo", "Shows the live view until Ctrl-C."),
            .init("campaign-bridge demo --for 30s --rate 20", "Runs for half a minute and prints what happened."),
            .init("campaign-bridge demo --once 100 -o json", "Runs 100 events; the last line holds the counts."),
        ])
}
