internal import JSON
package import Records

/// Names of the topics that the bridge writes.
package struct ResultTopics: Sendable {
    package var source: String
    package var started: String
    package var deadLetters: String
    package var ledger: String
    /// A `campaign.start.failed` event for each dead letter; nil: none.
    package var failed: String?

    package init(source: String, started: String, deadLetters: String, ledger: String, failed: String? = nil) {
        self.source = source
        self.started = started
        self.deadLetters = deadLetters
        self.ledger = ledger
        self.failed = failed
    }
}

/// Turns the core's writes into records. Pure; the contracts' schemas describe what comes out.
package struct ResultEncoder: Sendable {
    package enum Format: String, Sendable, CaseIterable { case structured, binary }

    package var topics: ResultTopics
    package var format: Format
    /// CloudEvents `source` of the bridge's own events.
    package var eventSource: String
    /// Account of each connection, by its number.
    package var accounts: [String]
    package var version: String
    /// A larger dead letter goes without its value, then without its headers.
    package var maximumLetterBytes: Int

    package init(
        topics: ResultTopics, format: Format, eventSource: String, accounts: [String], version: String,
        maximumLetterBytes: Int = .max
    ) {
        self.maximumLetterBytes = maximumLetterBytes
        self.topics = topics
        self.format = format
        self.eventSource = eventSource
        self.accounts = accounts
        self.version = version
    }

    /// The records of a transaction, and for each the number of the write that it belongs to.
    package func records(of plan: TransactionPlan, at wall: Int64) -> (records: [OutgoingRecord], writes: [Int]) {
        var records: [OutgoingRecord] = []
        var writes: [Int] = []
        records.reserveCapacity(plan.writes.count * 2)
        writes.reserveCapacity(plan.writes.count * 2)
        for (number, write) in plan.writes.enumerated() {
            if let result = write.result {
                for record in self.records(of: result, at: wall) {
                    records.append(record)
                    writes.append(number)
                }
            }
            records.append(
                OutgoingRecord(
                    topic: topics.ledger, partition: write.partition, key: write.key,
                    value: LedgerWire.value(write.entry)))
            writes.append(number)
        }
        return (records, writes)
    }

    /// The marks of a settling transaction. They change nothing.
    package func marks(of plan: TransactionPlan, producer: String) -> [OutgoingRecord] {
        let mark = LedgerWire.mark(of: producer)
        let inLedger = (0..<plan.settles).map { partition in
            OutgoingRecord(topic: topics.ledger, partition: partition, key: mark.key, value: mark.value)
        }
        return inLedger
            + plan.settlesResults.map { OutgoingRecord.mark($0.topic, partition: $0.partition, by: producer) }
    }

    /// The late answer as a record of the ledger.
    package func record(of late: LateWrite) -> OutgoingRecord {
        OutgoingRecord(
            topic: topics.ledger, partition: late.partition, key: LedgerWire.key(late.answer),
            value: LedgerWire.value(late.answer))
    }

    private func records(of result: ResultWrite, at wall: Int64) -> [OutgoingRecord] {
        switch result.outcome {
        case .started(let answer, let evidence): return [started(result, answer, evidence, at: wall)]
        case .deadLetter(let reason, let message, let nonce):
            let letter = bounded(result, reason, message, nonce)
            guard let topic = topics.failed else { return [letter] }
            return [letter, failed(result, reason, message, topic: topic, at: wall)]
        }
    }

    private func bounded(
        _ result: ResultWrite, _ reason: DeadLetterReason, _ message: String, _ nonce: UInt64
    ) -> OutgoingRecord {
        let encoder = DeadLetterEncoder(topics: topics, version: version)
        var result = result
        while true {
            let letter = encoder.record(result, reason: reason, message: message, nonce: nonce)
            guard letter.bytes > maximumLetterBytes, result.shortening != .withoutHeaders else { return letter }
            result.shortening = result.shortening.next
        }
    }

    private func started(
        _ result: ResultWrite, _ answer: StartAnswer, _ evidence: Outcome.Evidence, at wall: Int64
    ) -> OutgoingRecord {
        event("campaign.started", "started", result, topic: topics.started, at: wall) { data in
            func text(_ name: String, _ text: String?) {
                data.key(name)
                if let text { data.string(text) } else { data.null() }
            }
            text("campaignInstanceId", answer.instanceID)
            text("status", answer.status)
            text("message", answer.message)
            data.key("totalCallsCompleted")
            if let count = answer.totalCallsCompleted { data.int(count) } else { data.null() }
            text("updatedAt", answer.updatedAt)
            data.member("evidence", evidence.rawValue)
        }
    }

    private func failed(
        _ result: ResultWrite, _ reason: DeadLetterReason, _ message: String, topic: String, at wall: Int64
    ) -> OutgoingRecord {
        event("campaign.start.failed", "failed", result, topic: topic, at: wall) { data in
            data.member("reason", reason.rawValue)
            data.member("class", reason.category)
            data.member("safeToReplay", reason.isSafeToReplay)
            data.member("message", message)
        }
    }

    /// One of the bridge's own CloudEvents. Its id follows from the key of its ledger entry, so that the same outcome
    /// always has the same id, and records of one identity with outcomes of their own (conflicts) have different ones.
    private func event(
        _ type: String, _ prefix: String, _ result: ResultWrite, topic: String, at wall: Int64,
        _ own: (inout JSONWriter) -> Void
    ) -> OutgoingRecord {
        let identity = result.event.identity
        let record = result.event.record
        var request: CampaignRequest?
        if case .success(let content) = result.event.content { request = content }
        let id = "\(prefix)-\(EventIdentity.requestID(key: result.entryKey))-\(result.generation)"
        var attributes: [(String, String)] = [
            ("specversion", "1.0"), ("id", id),
            ("source", eventSource), ("type", type), ("time", RFC3339.format(wall)),
            ("datacontenttype", "application/json"), ("causationid", identity.eventID),
        ]
        if let text = request?.correlationID { attributes.append(("correlationid", text)) }
        if let text = request?.traceparent { attributes.append(("traceparent", text)) }

        var data = JSONWriter(capacity: 512)
        data.object { data in
            data.member("requestId", identity.eventID)
            if let source = identity.source { data.member("requestSource", source) }
            data.member("identity", identity.kind.rawValue)
            if let request {
                data.member("streamId", request.streamID)
                data.member("campaignId", request.campaignID)
                if let text = request.requestedBy { data.member("requestedBy", text) }
            }
            if let connection = result.connection { data.member("accountId", accounts[connection]) }
            own(&data)
            data.member("attempt", result.attempts)
            data.member("generation", result.generation)
            data.member("sourceTopic", record.topic.isEmpty ? topics.source : record.topic)
            data.member("sourcePartition", record.partition)
            data.member("sourceOffset", record.offset)
            if let time = record.timestamp { data.member("sourceTime", RFC3339.format(time)) }
        }
        let key = result.shortening < .withoutHeaders ? record.key : nil
        switch format {
        case .binary:
            var headers = attributes.filter { $0.0 != "datacontenttype" }.map { Header("ce_" + $0.0, $0.1) }
            headers.append(Header("content-type", "application/json"))
            return OutgoingRecord(topic: topic, key: key, value: data.bytes, headers: headers)
        case .structured:
            var out = JSONWriter(capacity: 1024)
            out.object { out in
                for (name, text) in attributes { out.member(name, text) }
                out.key("data")
                out.raw(data.bytes)
            }
            return OutgoingRecord(
                topic: topic, key: key, value: out.bytes,
                headers: [Header("content-type", "application/cloudevents+json; charset=UTF-8")])
        }
    }
}
