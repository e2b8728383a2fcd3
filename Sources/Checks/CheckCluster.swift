internal import Bridge
internal import Configuration
internal import Kafka

/// What the brokers' own settings mean for the promises.
struct CheckCluster {
    let settings: BridgeSettings

    func run(
        _ admin: Admin, _ brokers: [BrokerDescription], _ topics: [String: TopicDescription],
        _ report: @Sendable (CheckLine) -> Void
    ) async {
        // Offsets and open transactions are part of the ledger's promise: they need as many copies.
        for name in ["__consumer_offsets", "__transaction_state"] {
            guard let copies = topics[name]?.partitions.map(\.replicas).min(), copies < 3 else { continue }
            report(
                CheckLine(
                    .warning, "topic \(name)",
                    "\(copies) \(copies == 1 ? "copy" : "copies") of each partition: the loss of a broker can lose it",
                    advice: brokers.count < 3
                        ? "fine for trying, not for calling people: use at least 3 brokers"
                        : "reassign its partitions with 3 replicas"))
        }
        guard let broker = brokers.first else { return }
        do throws(KafkaError) {
            let lines = self.lines(try await admin.configuration(ofBroker: broker.id))
            for line in lines { report(line) }
        } catch {
            report(
                CheckLine(
                    .skipped, "brokers' settings",
                    "they cannot be read: \(error.isAuthorization ? "rights are missing" : error.description)",
                    advice: "offsets.retention.minutes must not be less than ledger.dedupWindow: ask, or "
                        + Right.describeBrokerConfigs.grant(settings)))
        }
    }

    /// Pure.
    func lines(_ values: [String: String]) -> [CheckLine] {
        let name = "brokers' settings"
        var lines: [CheckLine] = []
        func number(_ key: String) -> Int64? { values[key].flatMap { Int64($0) } }
        if let minutes = number("offsets.retention.minutes"),
            minutes * 60_000 < settings.ledger.dedupWindow.milliseconds64
        {
            lines.append(
                CheckLine(
                    .warning, name,
                    "offsets.retention.minutes is \(minutes), less than ledger.dedupWindow: a bridge that was off for "
                        + "so long reads the source from its beginning",
                    advice: "set it to \(settings.ledgerRetention.milliseconds64 / 60_000) on the brokers"))
        }
        if let most = number("transaction.max.timeout.ms"), most < settings.transactions.timeout.milliseconds64 {
            lines.append(
                CheckLine(
                    .failed, name, "transaction.max.timeout.ms is \(most), less than transactions.timeout",
                    advice: "lower transactions.timeout to at most \(most) ms"))
        }
        if let least = number("group.min.session.timeout.ms"), least > settings.group.sessionTimeout.milliseconds64 {
            lines.append(
                CheckLine(
                    .failed, name, "group.min.session.timeout.ms is \(least), more than group.sessionTimeout",
                    advice: "raise group.sessionTimeout to at least \(least) ms"))
        }
        if let most = number("group.max.session.timeout.ms"), most < settings.group.sessionTimeout.milliseconds64 {
            lines.append(
                CheckLine(
                    .failed, name, "group.max.session.timeout.ms is \(most), less than group.sessionTimeout",
                    advice: "lower group.sessionTimeout to at most \(most) ms"))
        }
        return lines.isEmpty ? [CheckLine(.fine, name, "they fit timeouts and window")] : lines
    }
}
