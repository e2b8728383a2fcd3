internal import Bridge
internal import Configuration

// How long topics keep their records, and how large those may be.

extension CheckTopics {
    /// librdkafka's `batch.size`.
    private static let fullBatch: Int64 = 1_000_000

    func retention(_ config: TopicConfiguration, _ role: Role) -> [CheckLine] {
        let milliseconds = config.number("retention.ms")
        let needed = settings.ledgerRetention.milliseconds64
        let window = "window, maximum age and margin (\(Self.days(needed)))"
        var lines: [CheckLine] = []
        switch role {
        case .ledger:
            if let milliseconds, milliseconds >= 0, milliseconds < needed {
                lines.append(
                    config.failed(
                        "retention.ms is \(Self.days(milliseconds)), less than \(window): a repeat could start twice",
                        set: "retention.ms=\(needed)"))
            }
            if let bytes = config.number("retention.bytes"), bytes >= 0 {
                lines.append(
                    config.failed(
                        "retention.bytes is \(bytes): entries could be removed before their time",
                        set: "retention.bytes=-1"))
            }
        case .source, .intake:
            if let milliseconds, milliseconds >= 0, milliseconds < settings.source.maximumAge.milliseconds64 {
                lines.append(
                    config.warning(
                        "retention.ms is \(Self.days(milliseconds)), less than source.maximumAge: events that wait "
                            + "could be removed unread",
                        set: "retention.ms=\(needed)"))
            }
            if let milliseconds, milliseconds < 0 || milliseconds > needed {
                lines.append(
                    config.warning(
                        "retention.ms is \(milliseconds < 0 ? "unlimited" : Self.days(milliseconds)), more than the "
                            + "ledger's \(window): were the group's offsets lost, old events would become dead letters anew",
                        set: "retention.ms=\(needed)"))
            }
            if role == .intake, let bytes = config.number("retention.bytes"), bytes >= 0 {
                lines.append(
                    config.failed(
                        "retention.bytes is \(bytes): events that wait could be removed unread",
                        set: "retention.bytes=-1"))
            }
            let largest = settings.intakeRecordBytes
            if role == .intake, let bytes = config.number("max.message.bytes"), bytes < largest {
                lines.append(
                    config.warning(
                        "max.message.bytes is \(bytes): of a larger record only the place is moved, and it becomes a "
                            + "dead letter",
                        set: "max.message.bytes=\(largest + 65_536)"))
            }
        case .deadLetters:
            if let milliseconds, milliseconds >= 0, milliseconds < 7 * 86_400_000 {
                lines.append(
                    config.warning(
                        "retention.ms is \(Self.days(milliseconds)): little time to look at dead letters",
                        set: "retention.ms=\(Int64(90 * 86_400_000))"))
            }
            if let bytes = config.number("max.message.bytes"), bytes < settings.deadLetters.maximumBytes {
                lines.append(
                    config.warning(
                        "max.message.bytes is \(bytes), less than deadLetters.maximumBytes: large dead letters are "
                            + "refused once and then written without their value",
                        set: "max.message.bytes=\(settings.deadLetters.maximumBytes + 65_536)"))
            }
        case .started, .control, .failed: break
        }
        if role == .ledger || role == .started, let bytes = config.number("max.message.bytes"), bytes < Self.fullBatch {
            lines.append(
                config.warning(
                    "max.message.bytes is \(bytes), less than a full batch: under load a batch can be refused, and what it "
                        + "held is written later, or shorter",
                    set: "max.message.bytes=\(Self.fullBatch + 65_536)"))
        }
        return lines
    }

    func time(_ config: TopicConfiguration, _ role: Role) -> [CheckLine] {
        guard config.values["message.timestamp.type"] == "CreateTime" else { return [] }
        switch role {
        case .source:
            return [
                config.warning(
                    "message.timestamp.type is CreateTime: the producers' clocks decide how old an event is",
                    set: "message.timestamp.type=LogAppendTime")
            ]
        case .ledger:
            return [
                config.warning(
                    "message.timestamp.type is CreateTime: this bridge's clock decides how long entries are kept",
                    set: "message.timestamp.type=LogAppendTime")
            ]
        default: return []
        }
    }
}

/// A topic's configuration with the lines that its faults lead to.
struct TopicConfiguration {
    var name: String
    var values: [String: String]

    func number(_ key: String) -> Int64? { values[key].flatMap { Int64($0) } }

    func failed(_ text: String, set value: String) -> CheckLine { line(.failed, text, value) }
    func warning(_ text: String, set value: String) -> CheckLine { line(.warning, text, value) }

    private func line(_ state: CheckLine.State, _ text: String, _ value: String) -> CheckLine {
        CheckLine(
            state, "topic \(name)", text,
            advice: "kafka-configs.sh --alter --entity-type topics --entity-name \(name) --add-config \(value)")
    }
}
