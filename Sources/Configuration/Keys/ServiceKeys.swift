// Imports nothing: the declarations of the keys of calls, results and the running service.

extension Key where Root == BridgeSettings {
    /// Every key with one place, in the order of the reference page; connections come on their own.
    static var all: [Key] {
        kafka + group + transactions + topics + ledgerAndSource + calls + results + server + operation
    }

    static var calls: [Key] {
        [
            .value(
                "calls.maximumInFlight", \.calls.maximumInFlight, .integer(1...10_000),
                "Most calls under way at a time, of all connections together."),
            .value(
                "calls.maximumReady", \.calls.maximumReady, .integer(1...100_000),
                "Most events whose intent is written and whose call has not begun."),
            .value(
                "calls.campaignCoolDown", \.calls.campaignCoolDown, .duration(.zero...(.days(7))),
                "If longer than 0s, a second event for a campaign within this time becomes a dead letter `cool-down`."),
            .value(
                "retry.initialDelay", \.retry.initialDelay, .duration(.milliseconds(10)...(.hours(1))),
                "Wait before the second attempt of an event that provably was not started; doubled each time."),
            .value(
                "retry.maximumDelay", \.retry.maximumDelay, .duration(.milliseconds(10)...(.hours(24))),
                "Longest wait between attempts. They end when the event expires."),
            .value(
                "retry.jitterPercent", \.retry.jitterPercent, .integer(0...100),
                "By how much a wait varies at random, so that replicas do not try all at once."),
            .value(
                "circuit.failures", \.circuit.failures, .integer(1...1000),
                "After so many failures of a connection in a row its calls pause."),
            .value(
                "circuit.openFor", \.circuit.openFor, .duration(.milliseconds(100)...(.hours(1))),
                "How long they pause before one call is tried."),
            .value(
                "circuit.foreignAnswers", \.circuit.foreignAnswers, .integer(1...1000),
                "After so many answers in a row that are not the API's own (a page of a gateway), of different campaigns, the circuit opens instead of making dead letters."
            ),
            .value(
                "doubt.readBackInterval", \.doubt.readBackInterval, .duration(.seconds(1)...(.hours(1))),
                "Wait before a campaign's status is asked for again when the last question had no answer."),
            .value(
                "doubt.readBackTimeout", \.doubt.readBackTimeout, .duration(.zero...(.hours(24))),
                "After this long without an answer a doubt becomes a dead letter `outcome-unknown`."),
            .value(
                "hold.leaseDuration", \.hold.leaseDuration, .duration(.seconds(3)...(.minutes(10))),
                "A replica that has not confirmed the holds for this long writes no intents; after it a hold is in force on a dead replica too."
            ),
            .value(
                "hold.confirmInterval", \.hold.confirmInterval, .duration(.seconds(1)...(.minutes(5))),
                "How often a replica confirms the holds; at most half of `hold.leaseDuration`."),
        ]
    }

    static var results: [Key] {
        [
            .value(
                "results.format", \.results.format, .choice,
                "CloudEvents as one JSON text (`structured`) or as headers and data (`binary`)."),
            .value(
                "results.source", \.results.source, .uriReference,
                "The `source` attribute of the events that the bridge writes."),
            .value(
                "deadLetters.maximumBytes", \.deadLetters.maximumBytes, .size((4 << 10)...(64 << 20)),
                "Largest dead letter, headers included. One that is larger goes without its value, then without its headers, with sizes and hashes. Stay below the topic's `max.message.bytes`."
            ),
        ]
    }

    static var server: [Key] {
        [
            .value(
                "server.listen", \.server.listen, .listen,
                "Where health and metrics are served. Use `[::]:8080` for every address, IPv4 and IPv6."
            ),
            .value(
                "server.maximumConnections", \.server.maximumConnections, .integer(1...10_000),
                "Most HTTP connections at a time."),
            .value(
                "server.maximumConnectionsPerAddress", \.server.maximumConnectionsPerAddress, .integer(1...10_000),
                "Most HTTP connections from one address."),
            .value(
                "server.maximumBodyBytes", \.server.maximumBodyBytes, .size((1 << 10)...(64 << 20)),
                "Largest body of a request."),
            .value(
                "server.timeout", \.server.timeout, .duration(.seconds(1)...(.minutes(10))),
                "A connection without traffic for this long is closed."),
            .file(
                "server.certificateFile", \.server.certificateFile, example: "/etc/campaign-bridge/server/tls.crt",
                "PEM file with the server's certificate chain. With `server.keyFile` it turns on TLS."),
            .file(
                "server.keyFile", \.server.keyFile, example: "/etc/campaign-bridge/server/tls.key",
                "PEM file with the certificate's private key."),
        ]
    }

    static var operation: [Key] {
        [
            .value("logging.level", \.logging.level, .choice, "Severity from which lines are written."),
            .value(
                "logging.format", \.logging.format, .choice,
                "JSON lines or text; `auto` is text on a terminal and JSON elsewhere."),
            .value(
                "logging.repeatInterval", \.logging.repeatInterval, .duration(.seconds(1)...(.hours(24))),
                "While the same fault lasts, it is written once, then as a count each time this has passed."),
            .value(
                "metrics.maximumAccounts", \.metrics.maximumAccounts, .integer(1...10_000),
                "Most accounts with time series of their own; further ones are counted together as `other`."),
            .value(
                "shutdown.drainDeadline", \.shutdown.drainDeadline, .duration(.zero...(.hours(1))),
                "How long a stop waits for calls under way to end and their outcomes to be written. Longer than any `deadline` of a connection; keep the supervisor's own limit above it."
            ),
        ]
    }
}
