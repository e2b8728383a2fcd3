internal import Bridge
internal import Configuration
internal import JSON
internal import Kafka
internal import Terminal

/// `topics`: what is missing, and making it.
struct TopicsCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    private struct Line {
        var topic: String
        var state: String
        var detail: String
        var isFine: Bool
    }

    func run() async -> Int32 {
        guard var settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        if let count = command.integer("partitions") { settings.topics.partitions = Int(count) }
        do {
            let admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) { _ in }
            let lines = try await compare(settings, admin)
            _ = await admin.close(deadline: .seconds(5))
            let code = show(lines)
            return lines.allSatisfy(\.isFine) ? code : ExitCode.found.rawValue
        } catch {
            Process.complain("campaign-bridge topics: the cluster cannot be asked: \(error)")
            return ExitCode.unreachable.rawValue
        }
    }

    private func compare(_ settings: BridgeSettings, _ admin: Admin) async throws -> [Line] {
        let found = try await admin.topics(nil)
        let plan = TopicPlan(
            settings, existing: found.mapValues(\.partitions.count),
            replication: command.integer("replication").map { Int($0) })
        let missing = plan.topics.filter { found[$0.name] == nil }
        let failures = command.flag("create") ? try await admin.createTopics(missing) : [:]
        return plan.topics.map { topic in
            if let known = found[topic.name] {
                let count = known.partitions.count
                let isOff =
                    [settings.topics.ledger, settings.topics.intake].contains(topic.name) && count != topic.partitions
                    || topic.name == settings.topics.control && count != 1
                return Line(
                    topic: topic.name, state: isOff ? "wrong" : "there",
                    detail: isOff
                        ? "\(count) partitions, it needs \(topic.partitions)" : "\(count) partitions",
                    isFine: !isOff)
            }
            guard command.flag("create") else {
                return Line(
                    topic: topic.name, state: "missing", detail: "make it with --create", isFine: false)
            }
            if let error = failures[topic.name], error.code != .topicAlreadyExists {
                return Line(topic: topic.name, state: "failed", detail: error.message, isFine: false)
            }
            return Line(
                topic: topic.name, state: "created", detail: "\(topic.partitions) partitions", isFine: true)
        }
    }

    private func show(_ lines: [Line]) -> Int32 {
        Process.quietly { () throws(OutputError) in
            guard command.text("output") != OutputFormat.json.rawValue else {
                var out = JSONWriter()
                out.array { out in
                    for line in lines {
                        out.object { out in
                            out.member("topic", line.topic)
                            out.member("state", line.state)
                            out.member("detail", line.detail)
                        }
                    }
                }
                try Output.standardOutput.write(out.bytes + [10])
                return
            }
            for line in lines {
                try Output.standardOutput.write(Array("\(line.topic): \(line.state), \(line.detail)\n".utf8))
            }
        }
    }
}
