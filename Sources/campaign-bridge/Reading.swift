internal import Bridge
internal import Configuration
internal import Kafka
internal import Operations
internal import Records

/// What the commands that read topics share: the cluster is asked what there is, then it is read to its end with a
/// progress bar.
struct Reading: Sendable {
    let settings: BridgeSettings

    /// What topics hold now.
    func ranges(_ names: [String], since: Int64? = nil) async throws -> [ScanRange] {
        try await asking { try await TopicScan.ranges(of: names, admin: $0, since: since) }
    }

    /// Asks the cluster something.
    func asking<T: Sendable>(_ body: (Admin) async throws -> T) async throws -> T {
        let admin = try Admin(settings: settings.commonKafka, timeout: settings.kafka.operationTimeout) { _ in }
        do {
            let answer = try await body(admin)
            _ = await admin.close(deadline: .seconds(2))
            return answer
        } catch {
            _ = await admin.close(deadline: .seconds(2))
            throw error
        }
    }

    func scan(_ ranges: [ScanRange]) async throws -> TopicScan {
        try await TopicScan.begin(ranges, settings: settings.reader, patience: settings.kafka.operationTimeout)
    }

    /// Hands over each record, in the order of its partition.
    func each(_ ranges: [ScanRange], _ label: String, _ body: (Record) async throws -> Void) async throws {
        let scan = try await scan(ranges)
        var bar = ScanBar(label, ranges)
        do {
            while let part = try await scan.read() {
                bar.show(part)
                guard case .records(let records) = part else { continue }
                for record in records { try await body(record) }
            }
        } catch {
            bar.end()
            await scan.close()
            throw error
        }
        bar.end()
        await scan.close()
    }

    /// What the ledger says of dead letters.
    func letterStates() async throws -> LetterStates {
        var states = LetterStates()
        try await each(try await ranges([settings.topics.ledger]), "reading the ledger") { states.take($0) }
        return states
    }

    /// One record; nil where there is none at that place.
    func record(at place: TopicPartition, _ offset: Int64) async throws -> Record? {
        var found: Record?
        let known = try await ranges([place.topic]).first { $0.partition == place }
        guard let known, (known.from..<known.end).contains(offset) else { return nil }
        try await each([ScanRange(place, from: offset, end: offset + 1)], "reading") { record in
            if record.offset == offset { found = record }
        }
        return found
    }
}

/// How much of its ranges a scan has read.
struct ScanBar {
    private var line: WaitLine
    private var positions: [TopicPartition: (from: Int64, at: Int64, end: Int64)] = [:]
    private var done = 0

    init(_ label: String, _ ranges: [ScanRange]) {
        for range in ranges { positions[range.partition] = (range.from, range.from, range.end) }
        line = WaitLine(label, total: Int(ranges.reduce(0) { $0 + max(0, $1.end - $1.from) }))
    }

    mutating func show(_ part: TopicScan.Part) {
        switch part {
        case .records(let records):
            guard let last = records.last else { return }
            move(TopicPartition(last.topic, last.partition), to: last.offset + 1)
        case .end(let partition):
            if let position = positions[partition] { move(partition, to: position.end) }
        }
        line.show(done: done)
    }

    private mutating func move(_ partition: TopicPartition, to offset: Int64) {
        guard let position = positions[partition], offset > position.at else { return }
        done += Int(offset - position.at)
        positions[partition]?.at = offset
    }

    mutating func end() { line.end() }
}
