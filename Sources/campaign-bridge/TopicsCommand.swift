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
        let said = KafkaLines()
        do {
            let admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) {
                said.take($0)
            }
            let lines = try await compare(settings, admin)
            _ = await admin.close(deadline: .seconds(5))
            let code = show(lines)
            return lines.allSatisfy(\.isFine) ? code : ExitCode.found.rawValue
        } catch {
            let diagnosis = KafkaDiagnosis(
                lines: said.all, fallback: "\(error)", settings: settings, libraryVersion: LibraryVersion.number)
            Process.complain("campaign-bridge topics: \(diagnosis.text)")
            Process.complain("  \(diagnosis.advice)")
            return ExitCode.unreachable.rawValue
        }
    }

    private func compare(_ settings: BridgeSettings, _ admin: Admin) async throws -> [Line] {
        let creates = command.flag("create")
        let found = try await admin.topics(nil).mapValues(\.partitions.count)
        let plan = TopicPlan(
            settings, existing: found, replication: command.integer("replication").map { Int($0) })
        let short = plan.topics.filter { topic in
            plan.mayGrow(topic) && found[topic.name].map { plan.isWrong(topic, partitions: $0) } ?? false
        }
        var failures: [String: KafkaError] = [:]
        if creates {
            failures = try await admin.createTopics(plan.topics.filter { found[$0.name] == nil })
            let counts = short.map { ($0.name, $0.partitions) }
            failures.merge(try await admin.addPartitions(Dictionary(uniqueKeysWithValues: counts))) { $1 }
        }
        return plan.topics.map { topic in
            let planned = Self.partitions(topic.partitions)
            if let error = failures[topic.name], error.code != .topicAlreadyExists {
                return Line(topic: topic.name, state: "failed", detail: error.message, isFine: false)
            }
            guard let count = found[topic.name] else {
                return creates
                    ? Line(topic: topic.name, state: "created", detail: planned, isFine: true)
                    : Line(topic: topic.name, state: "missing", detail: "make it with --create", isFine: false)
            }
            guard plan.isWrong(topic, partitions: count) else {
                return Line(topic: topic.name, state: "there", detail: Self.partitions(count), isFine: true)
            }
            guard plan.mayGrow(topic) else {
                return Line(
                    topic: topic.name, state: "wrong",
                    detail: "\(Self.partitions(count)), it needs \(topic.partitions)",
                    isFine: false)
            }
            return creates
                ? Line(topic: topic.name, state: "extended", detail: "\(planned), it had \(count)", isFine: true)
                : Line(
                    topic: topic.name, state: "wrong",
                    detail: "\(Self.partitions(count)), it needs \(topic.partitions): add them with --create",
                    isFine: false)
        }
    }

    private static func partitions(_ count: Int) -> String { "\(count) \(count == 1 ? "partition" : "partitions")" }

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
