internal import Records

/// A dead letter: the source record's key, value and headers byte for byte, and headers that say what became of it,
/// also in the names that Kafka Connect's and Spring's tools read.
struct DeadLetterEncoder {
    let topics: ResultTopics
    let version: String

    /// Headers that an earlier dead letter or replay of the same record left on it are replaced, not piled up.
    static let prefixes = ["campaign-bridge-", "__connect.errors.", "kafka_dlt-"]

    func record(_ result: ResultWrite, reason: DeadLetterReason, message: String, nonce: UInt64) -> OutgoingRecord {
        let source = result.event.record
        let topic = source.topic.isEmpty ? topics.source : source.topic
        let omitted = result.event.omitted
        // What the intake topic did not take is not here to be given back.
        let shortening = omitted == nil ? result.shortening : .withoutHeaders
        var headers: [Header] = []
        if shortening < .withoutHeaders {
            headers = source.headers.filter { header in
                !Self.prefixes.contains { header.name.starts(with: $0.utf8) }
            }
        }
        func add(_ name: String, _ text: String) { headers.append(Header("campaign-bridge-" + name, text)) }
        add("reason", reason.rawValue)
        add("class", reason.category)
        add("safe-to-replay", reason.isSafeToReplay ? "true" : "false")
        add("message", message)
        add("attempts", String(result.attempts))
        add("generation", String(result.generation))
        add("nonce", Hex.digits(nonce))
        add("request-id", result.event.identity.requestID)
        add("identity-key", String(decoding: result.entryKey, as: UTF8.self))
        add("identity", result.event.identity.kind.rawValue)
        add("event-id", String(result.event.identity.eventID.prefix(256)))
        add("source-topic", topic)
        add("source-partition", String(source.partition))
        add("source-offset", String(source.offset))
        if let time = source.timestamp { add("source-timestamp", String(time)) }
        add("version", version)
        if shortening != .none {
            add("omitted", shortening == .withoutValue ? "value" : "key,value,headers")
            add("value-size", omitted.map { String($0.valueBytes) } ?? source.value.map { String($0.count) } ?? "null")
            add("value-hash", omitted?.valueHash ?? KeyHash(source.value ?? [], key: .fixed).hex)
            add("header-count", String(omitted?.headers ?? source.headers.count))
        }
        headers.append(Header("__connect.errors.topic", topic))
        headers.append(Header("__connect.errors.partition", String(source.partition)))
        headers.append(Header("__connect.errors.offset", String(source.offset)))
        headers.append(Header("__connect.errors.exception.class.name", reason.rawValue))
        headers.append(Header("__connect.errors.exception.message", message))
        headers.append(Header("kafka_dlt-original-topic", topic))
        headers.append(bigEndian("kafka_dlt-original-partition", source.partition))
        headers.append(bigEndian("kafka_dlt-original-offset", source.offset))
        if let time = source.timestamp { headers.append(bigEndian("kafka_dlt-original-timestamp", time)) }
        headers.append(Header("kafka_dlt-exception-fqcn", reason.rawValue))
        headers.append(Header("kafka_dlt-exception-message", message))
        return OutgoingRecord(
            topic: topics.deadLetters, key: shortening < .withoutHeaders ? source.key : nil,
            value: shortening == .none ? source.value : nil, headers: headers)
    }

    /// Spring writes numbers as Java's ByteBuffer does.
    private func bigEndian(_ name: String, _ value: some FixedWidthInteger) -> Header {
        Header(name: Array(name.utf8), value: withUnsafeBytes(of: value.bigEndian) { Array($0) })
    }
}
