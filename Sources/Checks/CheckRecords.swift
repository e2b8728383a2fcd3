internal import Bridge
internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Records

/// The last records of the source, looked at as the bridge would; and whether the topics may be read at all.
struct CheckRecords {
    let settings: BridgeSettings
    /// Of each partition so many.
    static let perPartition: Int64 = 20
    static let maximumPartitions = 64

    func run(
        _ admin: Admin, _ topics: [String: TopicDescription], timeout: Duration, _ report: @Sendable (CheckLine) -> Void
    ) async {
        var places: [(TopicPartition, offset: Consumer.Offset)] = []
        for name in settings.readTopics {
            for partition in (topics[name]?.partitions ?? []).prefix(Self.maximumPartitions) {
                let place = TopicPartition(name, partition.id)
                do throws(KafkaError) {
                    let marks = try await admin.watermarks(ofNew: place)
                    let isSource = name == settings.topics.source
                    let from = isSource ? max(marks.low, marks.high - Self.perPartition) : marks.high
                    places.append((place, offset: .at(from)))
                } catch {
                    report(unreadable(name, error))
                    break
                }
            }
        }
        guard !places.isEmpty else { return }
        do {
            let consumer = try Consumer(settings: settings.reader, maximumBatch: 500)
            do {
                try await consumer.assign(places)
                await read(consumer, Set(places.map(\.0)), timeout, report)
            } catch {
                report(CheckLine(.failed, "records", "the topics cannot be read: \(error)"))
            }
            _ = await consumer.close(deadline: .seconds(2))
        } catch {
            report(
                CheckLine(
                    .failed, "kafka.consumerProperties", "\(error)", advice: "correct or remove the property"))
        }
    }

    private func read(
        _ consumer: Consumer, _ partitions: Set<TopicPartition>, _ timeout: Duration,
        _ report: @Sendable (CheckLine) -> Void
    ) async {
        var open = partitions
        var sample = Sample()
        let decoder = settings.decoder
        let end = ContinuousClock.now.advanced(by: timeout)
        while !open.isEmpty, ContinuousClock.now < end {
            let events = await withTaskGroup(of: [Consumer.Event].self, returning: [Consumer.Event].self) { group in
                group.addTask { await consumer.events() }
                group.addTask {
                    do { try await Task.sleep(for: ContinuousClock.now.duration(to: end)) } catch { return [] }
                    return []
                }
                let first = await group.next() ?? []
                group.cancelAll()
                return first
            }
            for event in events {
                switch event {
                case .records(let records):
                    for record in records where record.topic == settings.topics.source {
                        sample.take(decoder.decode(record), settings)
                    }
                case .endOfPartition(let partition, _): open.remove(partition)
                case .error(let error, let partition?) where error.isAuthorization:
                    if open.contains(where: { $0.topic == partition.topic }) {
                        report(unreadable(partition.topic, error))
                    }
                    open = open.filter { $0.topic != partition.topic }
                default: break
                }
            }
        }
        if !open.isEmpty {
            let names = Set(open.map(\.topic)).sorted().joined(separator: ", ")
            report(
                CheckLine(
                    .warning, "records", "no answer in time from \(open.count) partitions of \(names)",
                    advice: "give more time with --timeout; an open transaction of another producer holds readers back")
            )
        }
        for line in sample.lines { report(line) }
    }

    private func unreadable(_ topic: String, _ error: KafkaError) -> CheckLine {
        CheckLine(
            .failed, "topic \(topic)", "it cannot be read: \(error)",
            advice: error.isAuthorization ? Right.read(topic: topic).grant(settings) : nil)
    }
}

/// What the last records of the source are like.
struct Sample {
    private(set) var records = 0
    private(set) var withoutKey = 0
    private(set) var withoutIdentity = 0
    private(set) var faults: [DeadLetterReason: Int] = [:]

    mutating func take(_ event: DecodedRecord, _ settings: BridgeSettings) {
        records += 1
        // With intake, repeats meet in one partition whatever their keys.
        if event.record.key == nil, !settings.source.isRekeyed { withoutKey += 1 }
        switch event.content {
        case .failure(let fault): faults[fault.reason, default: 0] += 1
        case .success(let request):
            if event.identity.kind == .position { withoutIdentity += 1 }
            if settings.connection(forStream: request.streamID) == nil { faults[.unknownStream, default: 0] += 1 }
        }
    }

    var lines: [CheckLine] {
        let name = "source records"
        guard records > 0 else { return [CheckLine(.fine, name, "there are none yet")] }
        var lines: [CheckLine] = []
        if withoutKey > 0 {
            lines.append(
                CheckLine(
                    .warning, name,
                    "\(withoutKey) of the last \(records) have no key: the same event sent twice can "
                        + "reach two partitions, where a repeat is not recognised",
                    advice: "producers must key their records by campaign id or event id; or set source.rekey"))
        }
        if withoutIdentity > 0 {
            lines.append(
                CheckLine(
                    .warning, name,
                    "\(withoutIdentity) of the last \(records) have no identity but their place: "
                        + "a repeat would be called again",
                    advice: "send CloudEvents, or set source.identityField or source.identityHeader"))
        }
        if !faults.isEmpty {
            let reasons = DeadLetterReason.allCases.compactMap { reason in
                faults[reason].map { "\(reason.rawValue) \($0)" }
            }
            lines.append(
                CheckLine(
                    .warning, name,
                    "of the last \(records) these are dead letters: \(reasons.joined(separator: ", "))",
                    advice: "`campaign-bridge validate` says of an event what is wrong with it"))
        }
        return lines.isEmpty
            ? [CheckLine(.fine, name, "the last \(records) can be called, with key and identity")] : lines
    }
}
