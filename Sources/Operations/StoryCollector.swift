package import BridgeCore
internal import JSON
package import Records

/// Finds an event's story in the records of all topics, given in any order of topics.
package struct StoryCollector: Sendable {
    package struct Topics: Sendable {
        package var source: String
        package var started: String
        package var deadLetters: String
        package var ledger: String
        /// Where the source's records are moved to by identity; nil: they are not.
        package var intake: String?

        package init(
            source: String, started: String, deadLetters: String, ledger: String, intake: String? = nil
        ) {
            self.source = source
            self.started = started
            self.deadLetters = deadLetters
            self.ledger = ledger
            self.intake = intake
        }
    }

    /// Of an id that several sources use.
    static let maximumStories = 20

    private let query: StoryQuery
    private let topics: Topics
    private let decoder: RequestDecoder
    private var stories: [String: Story] = [:]
    /// Events that fit and were not kept.
    package private(set) var omitted = 0
    /// The lowest offset at which the event is known to have a record, of each partition of the topic that the ledger
    /// tells of: the intake topic, or else the source.
    package private(set) var ledgerOffsets: [Int32: Int64] = [:]

    package init(_ query: StoryQuery, topics: Topics, decoder: RequestDecoder) {
        self.query = query
        self.topics = topics
        self.decoder = decoder
    }

    package var isEmpty: Bool { stories.isEmpty }

    /// The stories, each in the order of time.
    package var sorted: [Story] {
        stories.values.map { story in
            var story = story
            story.sort()
            return story
        }.sorted { $0.requestID < $1.requestID }
    }

    package mutating func take(_ record: Record) {
        switch record.topic {
        case topics.ledger: takeLedger(record)
        case topics.deadLetters: takeLetter(record)
        case topics.started: takeStarted(record)
        case topics.source: takeRequest(record, decoder.decode(record))
        case topics.intake:
            guard !record.isMark else { return }
            var decoder = decoder
            decoder.readsIntake = true
            takeRequest(record, decoder.decode(record))
        default: break
        }
    }

    private mutating func change(_ requestID: String, _ body: (inout Story) -> Void) {
        guard stories[requestID] != nil || stories.count < Self.maximumStories else {
            omitted += 1
            return
        }
        var story = stories.removeValue(forKey: requestID) ?? Story(requestID: requestID)
        body(&story)
        stories[requestID] = story
    }

    private mutating func knows(_ partition: Int32, _ offset: Int64) {
        ledgerOffsets[partition] = min(offset, ledgerOffsets[partition] ?? .max)
    }

    private mutating func takeLedger(_ record: Record) {
        switch LedgerWire.read(key: record.key, value: record.value) {
        case .other: break
        case .unreadable(let what):
            guard let identity = record.key.flatMap({ EventIdentity(key: $0) }), query.fits(identity) else { return }
            change(identity.requestID) { story in
                story.know(identity)
                story.add(
                    StoryFact(
                        .unreadable, record, "an entry that this version cannot read (\(what)): it blocks the partition"
                    ))
            }
        case .entry(let key, let entry):
            guard let identity = EventIdentity(key: key), query.fits(identity) else { return }
            knows(record.partition, entry.sourceOffset)
            let (kind, text) = Self.words(entry)
            change(identity.requestID) { story in
                story.know(identity)
                story.entry = entry
                story.add(StoryFact(kind, record, text))
            }
        case .late(let late):
            guard let identity = EventIdentity(key: late.identityKey), query.fits(identity) else { return }
            let (text, isStart) = Self.words(late)
            change(identity.requestID) { story in
                story.know(identity)
                if isStart { story.lateStart = true }
                story.add(StoryFact(.late, record, text))
            }
        }
    }

    private mutating func takeLetter(_ record: Record) {
        guard var letter = DeadLetter(record), query.fits(requestID: letter.requestID, eventID: letter.eventID) else {
            return
        }
        letter.readRequest(record, decoder: decoder)
        if let source = letter.source, source.topic == topics.source, topics.intake == nil {
            knows(source.partition, source.offset)
        }
        // A record in conflict with the event, and a refused replay, have an entry of their own.
        let isOwn = letter.identityKey.map { EventIdentity(key: $0)?.requestID == letter.requestID } ?? true
        let text =
            "dead letter \(letter.place) written: \(letter.reason): \(letter.message)"
            + (letter.isSafeToReplay ? "" : " (not safe to replay)")
            + (isOwn ? "" : "; this is another record with the event's id")
        change(letter.requestID) { story in
            if story.eventID.isEmpty {
                story.eventID = letter.eventID
                story.identityKind = letter.identityKind
            }
            if isOwn {
                story.streamID = story.streamID ?? letter.streamID
                story.campaignID = story.campaignID ?? letter.campaignID
                story.expiresAt = story.expiresAt ?? letter.expiresAt
                if letter.time >= story.letter?.time ?? .min { story.letter = letter }
            }
            story.add(StoryFact(.deadLetter, record, text))
        }
    }

    private mutating func takeStarted(_ record: Record) {
        guard let value = record.value else { return }
        let root: JSONValue
        do { root = try JSONReader.parse(value) } catch { return }
        let id = root["id"]?.string ?? record.text("ce_id") ?? ""
        let data = root["data"] ?? root
        // started-REQUEST ID-GENERATION
        let parts = id.split(separator: "-")
        guard parts.count == 3, parts[0] == "started", let eventID = data["requestId"]?.string else { return }
        let requestID = String(parts[1])
        guard query.fits(requestID: requestID, eventID: eventID) else { return }
        func said(_ name: String) -> String { data[name]?.string ?? "not said" }
        let text =
            "started event published: instance \(said("campaignInstanceId")), status \(said("status")), evidence "
            + said("evidence")
        change(requestID) { story in
            story.eventID = eventID
            story.source = story.source ?? data["requestSource"]?.string
            story.streamID = story.streamID ?? data["streamId"]?.string
            story.campaignID = story.campaignID ?? data["campaignId"]?.string
            story.add(StoryFact(.started, record, text))
        }
    }

    /// - Parameters:
    ///   - record: as it was read.
    ///   - event: with the record as it stood in the source.
    private mutating func takeRequest(_ record: Record, _ event: DecodedRecord) {
        let replayKey = record.headers.last { $0.name.elementsEqual(Replay.HeaderName.identity.utf8) }?.value
        // A replay belongs to the event of the dead letter that it answers, whatever its own bytes say.
        let identity = replayKey.flatMap { EventIdentity(key: $0) } ?? event.identity
        guard query.fits(identity) else { return }
        let generation = record.text(Replay.HeaderName.generation)
        let isReplay = replayKey != nil || generation != nil
        var text = "request written"
        if isReplay {
            text =
                "replay written (generation \(generation ?? "unknown")) by "
                + "\(record.text(Replay.HeaderName.person) ?? "somebody"), because: "
                + (record.text(Replay.HeaderName.reason) ?? "not said")
            if let finding = record.text(Replay.HeaderName.finding) { text += "; found: \(finding)" }
        }
        if record.topic == topics.intake { text += "; moved to \(record.topic) \(record.partition):\(record.offset)" }
        change(identity.requestID) { story in
            story.know(identity)
            if case .success(let request) = event.content { story.know(request) }
            if let number = generation.flatMap({ Int32($0) }) { story.replay = max(story.replay, number) }
            story.add(StoryFact(isReplay ? .replay : .request, event.record, text))
        }
    }

    private static func words(_ entry: LedgerEntry) -> (StoryFact.Kind, String) {
        let at = entry.generation > 0 ? ", generation \(entry.generation)" : ""
        switch entry.state {
        case .attempting(let attempt):
            let expiry = RFC3339.format(attempt.tokenExpiry * 1000)
            return (
                .attempting,
                "attempt \(attempt.number)\(at) is about to be called by \(attempt.owner); its token expires \(expiry)"
            )
        case .released(let number, let cause):
            return (.released, "attempt \(number)\(at) did not start the campaign (\(cause.rawValue))")
        case .started(let instance):
            return (.entryStarted, "recorded as started\(at)" + (instance.map { ", instance \($0)" } ?? ""))
        case .deadLettered(let reason, _):
            return (.entryDeadLettered, "recorded as dead letter\(at): \(reason.rawValue)")
        }
    }

    private static func words(_ late: LateAnswer) -> (text: String, isStart: Bool) {
        let head = "late answer of attempt \(late.attempt), from \(late.owner): "
        switch late.result {
        case .started(let answer):
            return (head + "started" + (answer.instanceID.map { ", instance \($0)" } ?? ""), true)
        case .released(let cause): return (head + "did not start the campaign (\(cause.rawValue))", false)
        case .rejected(let rejection): return (head + "rejected with \(rejection.status)", false)
        }
    }
}

extension Record {
    /// The last value of a header, as text.
    func text(_ name: String) -> String? {
        headers.last { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}
