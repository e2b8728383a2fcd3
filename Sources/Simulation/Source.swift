internal import BridgeCore
internal import Records

// What producers write to the source.

extension World {
    private struct Draft {
        var id: String
        var campaign: String
        var stream: String
        var partition: Int
    }

    /// Draws all records of the history: events, repeats, conflicts, invalid ones, and markers between them.
    func writeSource() {
        var known: [Int: [Draft]] = [:]
        for number in 0..<setup.records {
            var partition = Int(between(0, Int64((setup.isRekeyed ? requests : source).count - 1)))
            let time = chance(300) ? between(0, 2000) : between(0, setup.trouble * 8 / 10)
            if setup.growsAt > 0 && time > setup.growsAt && chance(400) { partition = setup.partitions }
            let stream = chance(300) ? "st-two" : "st-one"
            let campaign = chance(60) ? "cd-bad" : "cd-\(between(1, 4))"
            var draft = Draft(id: "e\(number)", campaign: campaign, stream: stream, partition: partition)
            let dice = between(0, 999)
            // Producers without keys repeat themselves on any partition.
            let place = setup.isRekeyed ? 0 : partition
            if dice < 250, let earlier = known[place], !earlier.isEmpty {
                draft = earlier[Int(between(0, Int64(earlier.count - 1)))]
                if draft.partition != partition { count(.repeatOnAnotherPartition) }
                if dice < 60 { draft.campaign += "-other" }
            } else {
                known[place, default: []].append(draft)
            }
            let event = draft
            after(time) { self.writeRecord(event, partition, dice) }
            if chance(60) { after(time) { self.writeMarker(partition, count: .sourceMarker) } }
            if chance(40) {
                after(time) {
                    guard self.missing.isEmpty else { return }
                    self.produce(.hole, to: partition)
                    self.writeMarker(partition, count: .sourceAborted)
                }
            }
        }
    }

    private func writeMarker(_ partition: Int, count kind: Happening) {
        guard missing.isEmpty else { return }
        count(kind)
        produce(.marker, to: partition)
    }

    /// Puts something at the end of a partition of the topic that producers write to.
    private func produce(_ content: LogItem.Content, to partition: Int) {
        if setup.isRekeyed {
            requests[partition].append(content, at: now)
            for process in processes { process?.mover?.read(Int32(partition)) }
        } else {
            source[partition].append(content, at: now)
            for process in processes { process?.sourceChanged(Int32(partition)) }
        }
    }

    func producedEnd(_ partition: Int) -> Int64 { (setup.isRekeyed ? requests : source)[partition].high }

    private func writeRecord(_ draft: Draft, _ partition: Int, _ dice: Int64) {
        guard missing.isEmpty else {
            after(1000) { self.writeRecord(draft, partition, dice) }
            return
        }
        var data = #""streamId":"\#(draft.stream)","campaignId":"\#(draft.campaign)""#
        var timestamp: Int64? = now
        var value: String?
        switch dice {
        case 900...909: value = nil
        case 910...919: value = "{"
        case 920...929: data = #""streamId":"st-one""#
        case 930...939: data = #""streamId":"st-other","campaignId":"cd-1""#
        case 940...949: data += #","accountId":"someone""#
        case 950...959: timestamp = -1
        case 960...979: data += #","expiresAt":"\#(Self.text(now + between(0, 30_000)))""#
        case 980...989: data += #","notBefore":"\#(Self.text(now + between(0, 20_000)))""#
        case 990...995: timestamp = now - setup.maximumAge - 1000
        case 996...999: timestamp = now - setup.maximumAge - setup.ageMargin - 5000
        default: break
        }
        if !(900...919).contains(dice) {
            value = #"{"specversion":"1.0","type":"t","source":"s","id":"\#(draft.id)","data":{\#(data)}}"#
        }
        let record = Record(
            topic: "source", partition: Int32(partition), offset: producedEnd(partition), timestamp: timestamp,
            key: nil, value: value.map { Array($0.utf8) },
            headers: [Header("content-type", "application/cloudevents+json")])
        let event = RequestDecoder().decode(record)
        if case .failure = event.content { count(.invalidRecord) }
        append(event)
    }

    /// A record of a producer, or of an operator, with what the world knows of the operator's answer.
    func append(_ event: DecodedRecord, _ answer: Judge.Answer? = nil) {
        let record = event.record
        if setup.isRekeyed {
            answers[[Int64(record.partition), record.offset]] = answer
        } else {
            judge.written(event, answer)
        }
        story(
            "source \(record.partition)@\(record.offset): \(judge.name(event.identity.key))"
                + " \(record.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")")
        produce(.source(event), to: Int(record.partition))
    }

    /// RFC 3339 of a time near the world's beginning, 2027-01-15T08:00:00Z.
    private static func text(_ time: Int64) -> String {
        let day = time - 1_800_000_000_000 + 8 * 3_600_000
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let millis = String(1000 + day % 1000).dropFirst()
        let (hours, minutes) = (day / 3_600_000, day / 60_000 % 60)
        return "2027-01-15T\(two(hours)):\(two(minutes)):\(two(day / 1000 % 60)).\(millis)Z"
    }
}
