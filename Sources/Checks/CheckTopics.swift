internal import Bridge
package import Configuration
package import Kafka

/// A topic as `check` found it.
package struct TopicFacts: Sendable {
    package var description: TopicDescription
    /// nil: the rights to read it are missing.
    package var configuration: [String: String]?

    package init(description: TopicDescription, configuration: [String: String]?) {
        self.description = description
        self.configuration = configuration
    }
}

/// What is wrong with topics that are there. Pure; each rule stands here once.
package struct CheckTopics: Sendable {
    package enum Role: Sendable { case source, intake, ledger, started, deadLetters, control, failed }

    let settings: BridgeSettings
    /// Of the topic that the ledger belongs to; nil: it does not exist.
    let ledgerPartitions: Int?
    let brokers: Int

    package init(settings: BridgeSettings, ledgerPartitions: Int?, brokers: Int) {
        self.settings = settings
        self.ledgerPartitions = ledgerPartitions
        self.brokers = brokers
    }

    package func role(of name: String) -> Role {
        switch name {
        case settings.topics.source: .source
        case settings.topics.intake where settings.source.isRekeyed: .intake
        case settings.topics.ledger: .ledger
        case settings.topics.started: .started
        case settings.topics.deadLetters: .deadLetters
        case settings.topics.control: .control
        default: .failed
        }
    }

    /// The topic's lines: one that says that it is fine, or one for each fault.
    package func lines(_ name: String, _ facts: TopicFacts) -> [CheckLine] {
        let role = role(of: name)
        var lines = partitions(name, role, facts.description)
        if let configuration = facts.configuration {
            let config = TopicConfiguration(name: name, values: configuration)
            lines +=
                cleanUp(config, role) + retention(config, role) + time(config, role)
                + durability(config, facts.description)
        } else {
            lines.append(
                CheckLine(
                    .warning, "topic \(name)", "its configuration cannot be read",
                    advice: Right.describeConfigs(topic: name).grant(settings)
                        + ", or compare it with docs/install.md by hand"))
        }
        if lines.isEmpty {
            let copies = facts.description.partitions.map(\.replicas).min() ?? 0
            lines.append(
                CheckLine(
                    .fine, "topic \(name)", "\(facts.description.partitions.count) partitions, \(copies) copies each"))
        }
        return lines
    }

    private func partitions(_ name: String, _ role: Role, _ topic: TopicDescription) -> [CheckLine] {
        let title = "topic \(name)"
        let count = topic.partitions.count
        var lines: [CheckLine] = []
        if role == .ledger, let wanted = ledgerPartitions, wanted != count {
            lines.append(differs(title, count, wanted))
        }
        if role == .control, count != 1 {
            lines.append(
                CheckLine(
                    .failed, title, "\(count) partitions, and holds need exactly one",
                    advice: "make the topic anew with `campaign-bridge topics --create`"))
        }
        let headless = topic.partitions.count { $0.leader < 0 }
        if headless > 0 {
            lines.append(
                CheckLine(
                    .failed, title, "\(headless) of \(count) partitions have no leader",
                    advice: "bring the brokers that hold them back", isUnreachable: true))
        }
        return lines
    }

    private func differs(_ title: String, _ count: Int, _ wanted: Int) -> CheckLine {
        guard !settings.source.isRekeyed else {
            return CheckLine(
                .failed, title, "\(count) partitions, and the intake topic has \(wanted)",
                advice:
                    "never add partitions to either while the ledger remembers events: docs/intake.md says what to do")
        }
        guard count < wanted else {
            return CheckLine(
                .warning, title, "\(count) partitions, and the source has \(wanted): the last ones are not used",
                advice: "fine while partitions are being added to both; nothing is wrong otherwise")
        }
        return CheckLine(
            .failed, title, "\(count) partitions, and the source has \(wanted)",
            advice: "add them with `campaign-bridge topics --create`: source partitions without one stay paused")
    }

    private func cleanUp(_ config: TopicConfiguration, _ role: Role) -> [CheckLine] {
        guard let policy = config.values["cleanup.policy"] else { return [] }
        let isCompacted = policy.contains("compact")
        switch role {
        case .ledger where !isCompacted:
            return [
                config.failed(
                    "cleanup.policy is \(policy): every take-over would read all entries that were ever written",
                    set: "cleanup.policy=[compact,delete]")
            ]
        case .ledger where !policy.contains("delete"):
            return [
                config.warning(
                    "cleanup.policy is \(policy): entries stay for ever, and memory and take-overs grow with them",
                    set: "cleanup.policy=[compact,delete]")
            ]
        case .control where !isCompacted:
            return [
                config.failed("cleanup.policy is \(policy): holds would be forgotten", set: "cleanup.policy=compact")
            ]
        case .source where isCompacted, .intake where isCompacted, .started where isCompacted,
            .deadLetters where isCompacted,
            .failed where isCompacted:
            return [
                config.failed(
                    "cleanup.policy is \(policy): of the events of one key only the last would be kept",
                    set: "cleanup.policy=delete")
            ]
        default: return []
        }
    }

    /// L12: P1 needs a broker that keeps what it acknowledged.
    private func durability(_ config: TopicConfiguration, _ topic: TopicDescription) -> [CheckLine] {
        var lines: [CheckLine] = []
        let copies = topic.partitions.map(\.replicas).min() ?? 0
        if copies < 3 {
            lines.append(
                CheckLine(
                    .warning, "topic \(config.name)",
                    "\(copies) \(copies == 1 ? "copy" : "copies") of each partition: "
                        + "the loss of a broker can lose what was acknowledged",
                    advice: brokers < 3
                        ? "the cluster has \(brokers) \(brokers == 1 ? "broker" : "brokers"): fine for trying, "
                            + "not for calling people"
                        : "reassign its partitions with 3 replicas"))
        }
        if let least = config.number("min.insync.replicas") {
            if least > copies {
                lines.append(
                    config.failed(
                        "min.insync.replicas is \(least), more than its \(copies) copies: nothing can be written",
                        set: "min.insync.replicas=\(max(1, copies - 1))"))
            } else if let short = topic.partitions.first(where: { $0.inSync < least }) {
                lines.append(
                    CheckLine(
                        .failed, "topic \(config.name)",
                        "partition \(short.id) has \(short.inSync) replicas in sync, and min.insync.replicas is \(least)",
                        advice: "bring the missing brokers back", isUnreachable: true))
            } else if least < 2, copies > 1 {
                lines.append(
                    config.warning(
                        "min.insync.replicas is \(least): one broker alone may acknowledge",
                        set: "min.insync.replicas=2"))
            }
        }
        if config.values["unclean.leader.election.enable"] == "true" {
            lines.append(
                config.warning(
                    "unclean.leader.election.enable is true: a replica that lags may become leader and lose entries",
                    set: "unclean.leader.election.enable=false"))
        }
        return lines
    }

    /// Whole days or hours, for people.
    static func days(_ milliseconds: Int64) -> String {
        if milliseconds % 86_400_000 == 0 { return "\(milliseconds / 86_400_000)d" }
        if milliseconds % 3_600_000 == 0 { return "\(milliseconds / 3_600_000)h" }
        return "\(milliseconds) ms"
    }
}
