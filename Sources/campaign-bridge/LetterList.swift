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

/// `dead-letters list`: a table or a JSON array, in order of time, while the topic is read.
struct LetterList: Sendable {
    /// How many are held to bring the partitions into one order of time.
    private static let heldBack = 8000

    let command: ParsedCommand
    let settings: BridgeSettings

    init(_ command: ParsedCommand, _ settings: BridgeSettings) {
        self.command = command
        self.settings = settings
    }

    func run() async throws -> Int32 {
        var filter = try LetterFilter(command, now: wallMilliseconds())
        let reading = Reading(settings: settings)
        if command.flag("open") { filter.states = try await reading.letterStates() }
        let ranges = try await reading.ranges([settings.topics.deadLetters], since: filter.since)
        let open = ranges.filter { $0.from < $0.end }
        var printer = LetterPrinter(isJSON: command.text("output") == OutputFormat.json.rawValue)
        var newest = Newest<DeadLetter>(command.integer("limit"))
        var counts = Counts()
        let scan = try await reading.scan(open)
        var bar = ScanBar("reading dead letters", open)
        var merge = TimeMerge<DeadLetter>(partitions: open.map(\.partition.partition), capacity: Self.heldBack)
        do {
            var paused: Set<Int32> = []
            while let part = try await scan.read() {
                bar.show(part)
                switch part {
                case .end(let partition): merge.ended(partition.partition)
                case .records(let records): counts.take(records, filter, settings.decoder, &merge)
                }
                for letter in merge.take() {
                    if newest.keep(letter) { continue }
                    if printer.needsTheTerminal { bar.end() }
                    try printer.add(letter)
                }
                let full = merge.full.subtracting(paused)
                if !full.isEmpty { try await scan.pause(full.map { TopicPartition(settings.topics.deadLetters, $0) }) }
                let roomy = merge.roomy.intersection(paused)
                if !roomy.isEmpty {
                    try await scan.resume(roomy.map { TopicPartition(settings.topics.deadLetters, $0) })
                }
                paused = paused.union(full).subtracting(roomy)
            }
            bar.end()
            await scan.close()
        } catch {
            bar.end()
            await scan.close()
            // What was read is shown, and that it is not all.
            for range in open { merge.ended(range.partition.partition) }
            for letter in merge.take() where !newest.keep(letter) { try printer.add(letter) }
            for letter in newest.inOrder { try printer.add(letter) }
            try printer.end(counts.read, counts.matched, complete: false)
            throw error
        }
        for letter in newest.inOrder { try printer.add(letter) }
        try printer.end(counts.read, counts.matched, complete: true)
        return ExitCode.fine.rawValue
    }

    private struct Counts {
        var read = 0
        var matched = 0

        mutating func take(
            _ records: [Record], _ filter: LetterFilter, _ decoder: RequestDecoder,
            _ merge: inout TimeMerge<DeadLetter>
        ) {
            for record in records {
                read += 1
                guard let letter = filter.letter(in: record, decoder: decoder) else { continue }
                matched += 1
                merge.add(letter, time: letter.time, from: record.partition)
            }
            if let last = records.last { merge.seen(last.timestamp ?? 0, in: last.partition) }
        }
    }
}

/// The newest so many elements of a sequence in order.
struct Newest<Element> {
    private let limit: Int?
    private var elements: [Element] = []
    private var oldest = 0

    init(_ limit: Int?) { self.limit = limit }

    /// False where there is no limit: then the element is not kept.
    mutating func keep(_ element: Element) -> Bool {
        guard let limit else { return false }
        if elements.count < limit {
            elements.append(element)
        } else {
            elements[oldest] = element
            oldest = (oldest + 1) % limit
        }
        return true
    }

    var inOrder: [Element] { Array(elements[oldest...] + elements[..<oldest]) }
}

/// Dead letters as rows or as JSON.
struct LetterPrinter {
    private let isJSON: Bool
    private var rows = RowPrinter(["place", "time", "reason", "class", "event", "stream", "campaign", "request id"])
    private var list = JSONListPrinter("deadLetters")

    init(isJSON: Bool) { self.isJSON = isJSON }

    /// Whether the next one is written to a terminal, where a progress bar would stand in its way.
    var needsTheTerminal: Bool { Output.standardOutput.facts.width != nil && (isJSON || rows.writesWithNext) }

    mutating func add(_ letter: DeadLetter) throws(OutputError) {
        guard !isJSON else { return try list.add(letter.json) }
        let style: StyledText.Style = letter.isSafeToReplay ? .plain : .warning
        try rows.add([
            StyledText(letter.place.description, .accent), StyledText(letter.timeText),
            StyledText(letter.reason, style), StyledText(letter.category), StyledText(letter.eventID),
            StyledText(letter.streamID ?? "-"), StyledText(letter.campaignID ?? "-"), StyledText(letter.requestID),
        ])
    }

    mutating func end(_ read: Int, _ matched: Int, complete: Bool) throws(OutputError) {
        guard !isJSON else {
            var out = JSONWriter()
            out.object { out in
                out.member("read", read)
                out.member("matched", matched)
                out.member("complete", complete)
            }
            return try list.end(out.bytes)
        }
        try rows.flush()
        Process.complain("\(matched) of \(read) dead letters" + (complete ? "" : ", not read to the end"))
    }
}

extension DeadLetter {
    /// To the second: what a person looks for.
    var timeText: String { String(RFC3339.format(time).prefix(19)) + "Z" }

    /// Without the value and without headers of the request.
    var json: [UInt8] {
        var out = JSONWriter(capacity: 768)
        out.object { members(&$0) }
        return out.bytes
    }

    func members(_ out: inout JSONWriter) {
        out.member("place", place.description)
        out.member("time", RFC3339.format(time))
        out.member("reason", reason)
        out.member("class", category)
        out.member("safeToReplay", isSafeToReplay)
        out.member("message", message)
        out.member("eventId", eventID)
        out.member("requestId", requestID)
        out.member("identity", identityKind)
        if let streamID { out.member("streamId", streamID) }
        if let campaignID { out.member("campaignId", campaignID) }
        if let number = Int(attempts) { out.member("attempts", number) }
        if let generation { out.member("generation", generation) }
        if let source {
            out.member("sourceTopic", source.topic)
            out.member("sourcePartition", source.partition)
            out.member("sourceOffset", source.offset)
            if let time = source.timestamp { out.member("sourceTime", RFC3339.format(time)) }
        }
        if let omitted { out.member("omitted", omitted) }
    }
}
