internal import Bridge
internal import BridgeCore
internal import Checks
internal import Configuration
internal import JSON
internal import Kafka
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// `send`: one start request to the source topic, and what came of it.
struct SendCommand {
    /// CloudEvents `source` of what is sent: with it the id is the event's identity.
    static let source = "/campaign-bridge/send"

    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    private var isJSON: Bool { command.text("output") == OutputFormat.json.rawValue }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        let event = makeEvent()
        let record = OutgoingRecord(
            topic: settings.topics.source, key: Array((event.campaignID ?? "").utf8), value: event.bytes,
            headers: [CloudEventWriter.contentType])
        let check = EventCheck(
            Record(
                topic: record.topic, partition: 0, offset: 0, timestamp: wallMilliseconds(), key: record.key,
                value: record.value, headers: record.headers), settings: settings, at: currentMoment())
        guard case .call(let call, _) = check.verdict else {
            if case .deadLetter(let reason, let message) = check.verdict {
                Process.complain(
                    "campaign-bridge send: not sent, it would become a dead letter: \(reason.rawValue): \(message)")
            }
            return ExitCode.found.rawValue
        }
        if let code = confirm(call) { return code }
        do {
            return try await send(record, event, check.event.identity.requestID, settings)
        } catch {
            Process.complain("campaign-bridge send: \(error)")
            return ExitCode.unreachable.rawValue
        }
    }

    private func makeEvent() -> CloudEventWriter {
        var random = SeededRandom(seed: UInt64.random(in: .min ... .max))
        let now = wallMilliseconds()
        var event = CloudEventWriter(
            source: Self.source, id: command.text("id") ?? random.hex(bytes: 16),
            streamID: command.text("stream") ?? "", campaignID: command.text("campaign"))
        event.time = now
        event.correlationID = command.text("correlation-id")
        if let duration = command.duration("expires-in") { event.expiresAt = now + duration.wholeMilliseconds }
        return event
    }

    /// The exit code where it must not be sent.
    private func confirm(_ call: StartCall) -> Int32? {
        guard !command.flag("yes") else { return nil }
        let question = StyledText(
            "This starts campaign \(call.campaignID) of stream \(call.streamID), account \(call.accountID): "
                + "people will be called.")
        do throws(OutputError) {
            switch try Input.confirm(question, word: "yes") {
            case .yes: return nil
            case .no:
                Process.complain("campaign-bridge send: nothing was sent")
                return ExitCode.found.rawValue
            case .noTerminal:
                Process.complain("campaign-bridge send: nobody can be asked here; --yes sends without asking")
                return ExitCode.usage.rawValue
            }
        } catch {
            return ExitCode.usage.rawValue
        }
    }

    private func send(
        _ record: OutgoingRecord, _ event: CloudEventWriter, _ requestID: String, _ settings: BridgeSettings
    ) async throws -> Int32 {
        let timeout = settings.kafka.operationTimeout
        // The ends of the result topics are asked for before the event is there, so that its result lies behind them.
        let results = command.duration("wait") == nil ? nil : try await ResultReader(settings)
        let producer = try Producer(settings: settings.producer, timeout: timeout) { _ in }
        let error = await producer.send([record])[0]
        _ = await producer.close(deadline: .seconds(2))
        if let error {
            await results?.close()
            Process.complain(
                "campaign-bridge send: not acknowledged, and it may be written all the same: \(error). "
                    + "To try again, send it with --id \(event.id): the same id is never called twice")
            return ExitCode.unreachable.rawValue
        }
        guard let results, let wait = command.duration("wait") else {
            return show(event, requestID, nil)
        }
        let result = await results.result(ofRequest: requestID, within: wait)
        await results.close()
        let code = show(event, requestID, result)
        guard let result else {
            Process.complain(
                "campaign-bridge send: sent, and no result came within \(wait). The event stays in its topic; a "
                    + "repeat of an event that has its result gets no second one")
            return ExitCode.partly.rawValue
        }
        return result.isStarted ? code : ExitCode.found.rawValue
    }

    private func show(_ event: CloudEventWriter, _ requestID: String, _ result: SentResult?) -> Int32 {
        Process.quietly { () throws(OutputError) in
            if isJSON {
                var out = JSONWriter()
                out.object { out in
                    out.member("id", event.id)
                    out.member("source", event.source)
                    out.member("requestId", requestID)
                    if let result {
                        out.member("outcome", result.isStarted ? "started" : "dead-letter")
                        for (name, value) in result.fields where name != SentResult.safety { out.member(name, value) }
                        if let safe = result.isSafeToReplay { out.member(SentResult.safety, safe) }
                    }
                }
                try Output.standardOutput.write(out.bytes + [10])
                return
            }
            var text = "sent: id \(event.id), request id \(requestID)\n"
            if let result {
                text += result.isStarted ? "started" : "dead letter"
                text += result.fields.map { ", \($0.0) \(VisibleText.of($0.1))" }.joined() + "\n"
            }
            try Output.standardOutput.write(Array(text.utf8))
        }
    }
}

/// What came of the event that was sent.
struct SentResult: Sendable {
    var isStarted: Bool
    var fields: [(String, String)]

    static let safety = "safeToReplay"
    var isSafeToReplay: Bool? { fields.first { $0.0 == Self.safety }.map { $0.1 == "true" } }

    /// nil where the record is another request's. Both forms of a started event are read, and dead letters by header.
    init?(_ record: Record, isStarted: Bool, requestID: String) {
        self.isStarted = isStarted
        if isStarted {
            let root: JSONValue
            do throws(JSONError) {
                root = try JSONReader.parse(record.value ?? [])
            } catch {
                // Not one of the bridge's own events.
                return nil
            }
            let id = root["id"]?.string ?? Self.header("ce_id", record)
            guard let id, id.hasPrefix("started-\(requestID)-") else { return nil }
            let data = root["data"] ?? root
            fields = ["campaignInstanceId", "status", "message", "evidence"].compactMap { name in
                data[name]?.string.map { (name, $0) }
            }
        } else {
            guard Self.header("campaign-bridge-request-id", record) == requestID else { return nil }
            fields = ["reason", "message", "safe-to-replay"].compactMap { name in
                Self.header("campaign-bridge-" + name, record).map {
                    (name == "safe-to-replay" ? Self.safety : name, $0)
                }
            }
        }
    }

    private static func header(_ name: String, _ record: Record) -> String? {
        record.headers.last { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Reads the result topics from the ends that they had when it was made.
private struct ResultReader {
    private let settings: BridgeSettings
    private let consumer: Consumer

    init(_ settings: BridgeSettings) async throws {
        self.settings = settings
        let admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) { _ in }
        let places: [(TopicPartition, offset: Consumer.Offset)]
        do {
            places = try await Self.ends(settings, admin)
            _ = await admin.close(deadline: .seconds(2))
        } catch {
            _ = await admin.close(deadline: .seconds(2))
            throw error
        }
        consumer = try Consumer(settings: settings.reader, maximumBatch: 500)
        try await consumer.assign(places)
    }

    private static func ends(
        _ settings: BridgeSettings, _ admin: Admin
    ) async throws -> [(TopicPartition, offset: Consumer.Offset)] {
        let names = [settings.topics.started, settings.topics.deadLetters]
        let topics = try await admin.topics(names)
        var places: [(TopicPartition, offset: Consumer.Offset)] = []
        for name in names {
            guard let topic = topics[name] else {
                throw KafkaError(
                    .unknownTopicOrPartition, "topic \(name) does not exist; `campaign-bridge topics --create` makes it"
                )
            }
            for partition in topic.partitions {
                let place = TopicPartition(name, partition.id)
                places.append((place, offset: .at(try await admin.watermarks(place).high)))
            }
        }
        return places
    }

    /// nil: none came in time, or a signal ended the wait.
    func result(ofRequest requestID: String, within limit: Duration) async -> SentResult? {
        await withTaskGroup(of: SentResult?.self, returning: SentResult?.self) { group in
            group.addTask { await read(requestID) }
            group.addTask {
                var line = WaitLine("waiting for the result", total: nil)
                let end = ContinuousClock.now.advanced(by: limit)
                while !Task.isCancelled, ContinuousClock.now < end {
                    line.show(done: 0)
                    do {
                        try await Task.sleep(for: min(.milliseconds(200), ContinuousClock.now.duration(to: end)))
                    } catch { break }
                }
                line.end()
                return nil
            }
            group.addTask {
                for await _ in Signals.stream([SIGINT, SIGTERM]) { break }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func read(_ requestID: String) async -> SentResult? {
        while true {
            let events = await consumer.events()
            if events.isEmpty { return nil }
            for case .records(let records) in events {
                for record in records {
                    let isStarted = record.topic == settings.topics.started
                    if let result = SentResult(record, isStarted: isStarted, requestID: requestID) { return result }
                }
            }
        }
    }

    func close() async { _ = await consumer.close(deadline: .seconds(2)) }
}

extension Duration {
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
