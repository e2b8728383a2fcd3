internal import Bridge
internal import BridgeCore
internal import Configuration
internal import JSON
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `inspect`: the story of one event.
struct InspectCommand: Sendable {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        return await Process.cancelledBySignal {
            do {
                return try await self.run(settings)
            } catch let fault as UsageFault {
                Process.complain("campaign-bridge inspect: \(fault.text)")
                return ExitCode.usage.rawValue
            } catch ScanError.cancelled {
                Process.complain("campaign-bridge inspect: interrupted")
                return ExitCode.partly.rawValue
            } catch {
                Process.complain("campaign-bridge inspect: \(error)")
                return ExitCode.unreachable.rawValue
            }
        }
    }

    private func run(_ settings: BridgeSettings) async throws -> Int32 {
        let first = command.text("id") ?? ""
        let query = command.text("event-id").map { StoryQuery(source: first, id: $0) } ?? StoryQuery(id: first)
        var since: Int64?
        if let text = command.text("since") {
            since = PastTime.parse(text, now: wallMilliseconds())
            if since == nil {
                throw UsageFault("--since: '\(VisibleText.of(text))' is not right; expected: \(PastTime.expectation)")
            }
        }
        let topics = settings.topics
        var collector = StoryCollector(
            query,
            topics: StoryCollector.Topics(
                source: topics.source, started: topics.started, deadLetters: topics.deadLetters, ledger: topics.ledger,
                intake: settings.source.isRekeyed ? topics.intake : nil),
            decoder: settings.decoder)
        let reading = Reading(settings: settings)
        var ranges = try await reading.ranges([topics.ledger])
        ranges += try await reading.ranges([topics.started, topics.deadLetters], since: since)
        try await reading.each(ranges, "reading ledger and results") { collector.take($0) }
        let requests = try await StoryRanges(reading: reading, since: since).ranges(known: collector.ledgerOffsets)
        try await reading.each(requests, "reading requests") { collector.take($0) }
        guard !collector.isEmpty else {
            if command.text("output") == OutputFormat.json.rawValue {
                try Output.standardOutput.write(StoryView.json([], omitted: 0))
            }
            Process.complain(
                "campaign-bridge inspect: nothing is known of such an event"
                    + (since == nil ? "" : " since then; without --since all that there is is read"))
            return ExitCode.found.rawValue
        }
        let board = try await ControlTopic(settings: settings).read().board
        let stories = collector.sorted.map { StoryView($0, settings: settings, board: board, at: wallMilliseconds()) }
        return Process.quietly { () throws(OutputError) in
            let isJSON = command.text("output") == OutputFormat.json.rawValue
            try Output.standardOutput.write(
                isJSON
                    ? StoryView.json(stories, omitted: collector.omitted)
                    : Array(StoryView.text(stories, omitted: collector.omitted).utf8))
        }
    }
}

/// A story with what holds it now, as text and as JSON.
struct StoryView {
    private let story: Story
    private let state: StoryState
    private let holds: [(scope: HoldScope, hold: Hold)]

    init(_ story: Story, settings: BridgeSettings, board: ControlBoard, at now: Int64) {
        self.story = story
        let connection = story.streamID.flatMap { settings.connection(forStream: $0) }
        let times = connection ?? settings.connections.first
        let settle = (times?.clockLeeway ?? .zero) + (times?.doubtGrace ?? .zero)
        state = StoryState(
            of: story, sourceTopic: settings.topics.source, settleTime: settle.wholeMilliseconds, at: now)
        let isOpen = state.name != .started && state.name != .forgotten && state.name != .deadLettered
        holds =
            !isOpen
            ? []
            : board.holds(account: connection?.name, streamID: story.streamID, campaignID: story.campaignID)
                .compactMap { scope in board.holds[scope].map { (scope, $0.hold) } }
    }

    static func text(_ stories: [StoryView], omitted: Int) -> String {
        var text = stories.map(\.page).joined(separator: "\n")
        if omitted > 0 { text += "\nand more events of this id; name the source too\n" }
        return text
    }

    private var page: String {
        var text = "event \(VisibleText.of(story.eventID))"
        if let source = story.source { text += " of source \(VisibleText.of(source))" }
        text += ", request id \(VisibleText.of(story.requestID))\n"
        if let stream = story.streamID, let campaign = story.campaignID {
            text += "campaign \(VisibleText.of(campaign)) of stream \(VisibleText.of(stream))\n"
        }
        text += "\n"
        for fact in story.facts {
            text += "\(RFC3339.format(fact.time))  \(VisibleText.of(fact.text))\n"
            text += "\(String(repeating: " ", count: 26))\(fact.topic) \(fact.partition):\(fact.offset)\n"
        }
        if story.omitted > 0 { text += "and \(story.omitted) more records\n" }
        text += "\nnow:  \(VisibleText.of(state.now))\n"
        for (scope, hold) in holds { text += "      Held: \(VisibleText.of(scope.text)), \(hold.summary)\n" }
        return text + "next: \(VisibleText.of(state.next))\n"
    }

    static func json(_ stories: [StoryView], omitted: Int) -> [UInt8] {
        var out = JSONWriter(capacity: 4096)
        out.object { out in
            out.key("stories")
            out.array { out in for story in stories { story.write(&out) } }
            out.member("omitted", omitted)
        }
        return out.bytes + [10]
    }

    private func write(_ out: inout JSONWriter) {
        out.object { out in
            out.member("requestId", story.requestID)
            out.member("eventId", story.eventID)
            if let source = story.source { out.member("source", source) }
            out.member("identity", story.identityKind)
            if let id = story.streamID { out.member("streamId", id) }
            if let id = story.campaignID { out.member("campaignId", id) }
            if let expiry = story.expiresAt { out.member("expiresAt", RFC3339.format(expiry)) }
            out.key("facts")
            out.array { out in
                for fact in story.facts {
                    out.object { out in
                        out.member("kind", fact.kind.rawValue)
                        out.member("time", RFC3339.format(fact.time))
                        out.member("text", fact.text)
                        out.member("topic", fact.topic)
                        out.member("partition", fact.partition)
                        out.member("offset", fact.offset)
                    }
                }
            }
            out.member("omitted", story.omitted)
            out.member("state", state.name.rawValue)
            out.member("now", state.now)
            out.member("next", state.next)
            out.key("holds")
            out.array { out in
                for (scope, hold) in holds {
                    out.object { out in
                        out.key("scope")
                        out.array { out in for part in scope.parts { out.string(part) } }
                        out.member("who", hold.who)
                        out.member("why", hold.why)
                        out.member("since", RFC3339.format(hold.at))
                    }
                }
            }
        }
    }
}
