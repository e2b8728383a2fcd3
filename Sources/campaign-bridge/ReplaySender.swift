internal import Bridge
internal import Configuration
internal import JSON
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal

/// Reads the chosen dead letters again and sends their replays, so many a second.
struct ReplaySender: Sendable {
    /// Of the values that wait to be sent together.
    private static let batchBytes = 4 << 20
    /// After so many batches in a row of which the broker took nothing, it is not asked further.
    private static let patience = 3

    let settings: BridgeSettings
    let order: ReplayOrder
    let rate: Int
    let isJSON: Bool

    private struct Item {
        var letter: DeadLetter
        var record: OutgoingRecord
    }

    /// The exit code.
    func send(_ plan: ReplayPlan) async throws -> Int32 {
        var report = ReplayReport(isJSON: isJSON)
        let producer = try Producer(settings: settings.producer, timeout: settings.kafka.operationTimeout) { _ in }
        var complete = true
        do {
            try await send(plan, producer, &report)
        } catch let error as OutputError {
            _ = await producer.close(deadline: .seconds(2))
            throw error
        } catch {
            complete = false
            Process.complain("campaign-bridge dead-letters: not all were sent: \(error)")
        }
        _ = await producer.close(deadline: .seconds(2))
        try report.end(plan, complete: complete)
        if report.failed > 0 || !complete {
            Process.complain(
                "The same command may be given again: what was sent already is recognised and starts nothing.")
        }
        if report.delivered == 0 { return ExitCode.unreachable.rawValue }
        return report.delivered == plan.places.count && !plan.isPartial
            ? ExitCode.fine.rawValue : ExitCode.partly.rawValue
    }

    private func send(_ plan: ReplayPlan, _ producer: Producer, _ report: inout ReplayReport) async throws {
        let reading = Reading(settings: settings)
        let wanted = Set(plan.places)
        let ranges = ScanRange.holding(wanted, in: try await reading.ranges([settings.topics.deadLetters]))
        let scan = try await reading.scan(ranges)
        var pace = Pace(rate: rate)
        var line = WaitLine("replaying", total: plan.places.count)
        let start = monotonicMilliseconds()
        var (batch, bytes, refusals) = ([Item](), 0, 0)
        do {
            while true {
                let part = try await scan.read()
                if case .end? = part { continue }
                guard case .records(let records)? = part else {
                    _ = try await deliver(batch, producer, &report)
                    break
                }
                for record in records {
                    let place = LetterPlace(partition: record.partition, offset: record.offset)
                    guard wanted.contains(place), let item = item(of: record) else { continue }
                    batch.append(item)
                    bytes += record.value?.count ?? 0
                    guard batch.count >= pace.batch || bytes >= Self.batchBytes else { continue }
                    refusals = try await deliver(batch, producer, &report) ? 0 : refusals + 1
                    if refusals == Self.patience { throw KafkaError(.timedOut, "the broker takes no replay") }
                    let wait = pace.sent(batch.count, elapsed: monotonicMilliseconds() - start)
                    (batch, bytes) = ([], 0)
                    line.show(done: report.delivered + report.failed)
                    // Cancelled: ends the loop.
                    try await Task.sleep(for: .milliseconds(wait))
                }
            }
        } catch {
            line.end()
            await scan.close()
            throw error is CancellationError ? ScanError.cancelled : error
        }
        line.end()
        await scan.close()
    }

    private func item(of record: Record) -> Item? {
        guard let letter = DeadLetter(record),
            let replay = ReplayRecord.make(letter, of: record, order: order, sourceTopic: settings.topics.source)
        else { return nil }
        return Item(letter: letter, record: replay)
    }

    /// Whether the broker took any of them.
    private func deliver(
        _ batch: [Item], _ producer: Producer, _ report: inout ReplayReport
    ) async throws(OutputError) -> Bool {
        guard !batch.isEmpty else { return true }
        var takes = false
        for (item, error) in zip(batch, await producer.send(batch.map(\.record))) {
            // A record that is too large says nothing of the broker.
            if error == nil || error?.code == .messageTooLarge { takes = true }
            try report.add(item.letter.place, item.letter, error.map { .failed($0) } ?? .delivered)
        }
        return takes
    }
}

/// What became of each replay.
struct ReplayReport {
    enum State {
        case planned
        case delivered
        case failed(KafkaError)
    }

    private static let shownFailures = 20
    private let isJSON: Bool
    private var list = JSONListPrinter("replays")
    private var planned = 0
    private(set) var delivered = 0
    private(set) var failed = 0

    init(isJSON: Bool) { self.isJSON = isJSON }

    mutating func add(_ place: LetterPlace, _ letter: DeadLetter?, _ state: State) throws(OutputError) {
        var name = "planned"
        var text: String?
        switch state {
        case .planned: planned += 1
        case .delivered:
            delivered += 1
            name = "delivered"
        case .failed(let error):
            failed += 1
            name = "failed"
            text = "not acknowledged, and it may be written all the same: \(error)"
            if !isJSON, failed <= Self.shownFailures { Process.complain("\(place): \(text ?? "")") }
        }
        guard isJSON else { return }
        var out = JSONWriter()
        out.object { out in
            out.member("place", place.description)
            out.member("state", name)
            if let letter {
                out.member("eventId", letter.eventID)
                out.member("requestId", letter.requestID)
                if let source = letter.source {
                    out.member("sourceTopic", source.topic)
                    out.member("sourcePartition", source.partition)
                }
                if let generation = letter.generation { out.member("generation", generation + 1) }
            }
            if let text { out.member("error", text) }
        }
        try list.add(out.bytes)
    }

    mutating func end(_ plan: ReplayPlan, complete: Bool) throws(OutputError) {
        guard isJSON else {
            let left = plan.places.count - planned - delivered - failed
            var text = planned > 0 || plan.places.isEmpty ? "" : "\(delivered) sent"
            if failed > 0 { text += ", \(failed) not acknowledged" }
            if left > 0 { text += ", \(left) not tried" }
            if !text.isEmpty { try Output.standardOutput.write(Array((text + "\n").utf8)) }
            return
        }
        var out = JSONWriter()
        out.object { out in
            out.member("chosen", plan.places.count)
            out.member("delivered", delivered)
            out.member("failed", failed)
            out.member("complete", complete)
            out.key("skipped")
            out.object { out in
                for skip in ReplaySelection.Skip.allCases {
                    if let count = plan.skipped[skip] { out.member(skip.rawValue, count) }
                }
            }
            out.key("missing")
            out.array { out in for place in plan.missing { out.string(place.description) } }
        }
        try list.end(out.bytes)
    }
}
