import BridgeCore
import Records

@testable import Operations

/// Records as the bridge writes them.
enum Sample {
    static let now: Int64 = 1_769_851_800_000
    static let source = "requests"
    static let stream = "st-1"
    static let decoder = RequestDecoder()
    static let topics = StoryCollector.Topics(
        source: source, started: "started", deadLetters: "letters", ledger: "ledger")

    static func event(_ id: String, campaign: String = "cd-1", more: String = "") -> [UInt8] {
        Array(
            """
            {"specversion":"1.0","id":"\(id)","source":"/crm","type":"t"\(more),\
            "data":{"streamId":"\(stream)","campaignId":"\(campaign)"}}
            """.utf8)
    }

    static func request(_ id: String, offset: Int64 = 1042, headers: [Header] = [], more: String = "") -> Record {
        Record(
            topic: source, partition: 3, offset: offset, timestamp: now, key: Array("key".utf8),
            value: event(id, more: more),
            headers: [Header("content-type", "application/cloudevents+json")] + headers)
    }

    /// The dead letter of a request, as the encoder of the core writes it.
    static func letter(
        _ request: Record, _ reason: DeadLetterReason, at place: LetterPlace = LetterPlace(partition: 1, offset: 7),
        generation: Int32 = 0, nonce: UInt64 = 0x0123_4567_89ab_cdef, changes: [String: String?] = [:]
    ) -> Record {
        let event = decoder.decode(AddedHeaders.original(of: request))
        var headers = request.headers.filter { !AddedHeaders.isAdded($0) }
        var added: [(String, String?)] = [
            ("reason", reason.rawValue), ("class", reason.category),
            ("safe-to-replay", reason.isSafeToReplay ? "true" : "false"), ("message", "what happened"),
            ("attempts", "1"), ("generation", String(generation)), ("nonce", Hex.digits(nonce)),
            ("request-id", event.identity.requestID), ("identity", event.identity.kind.rawValue),
            ("identity-key", String(decoding: event.identity.key, as: UTF8.self)),
            ("event-id", event.identity.eventID), ("source-topic", request.topic),
            ("source-partition", String(request.partition)), ("source-offset", String(request.offset)),
            ("source-timestamp", String(now)), ("version", "0.1.0"),
        ]
        for (name, value) in changes {
            added.removeAll { $0.0 == name }
            added.append((name, value))
        }
        for (name, value) in added { if let value { headers.append(Header("campaign-bridge-" + name, value)) } }
        headers.append(Header("__connect.errors.topic", request.topic))
        headers.append(Header(name: Array("kafka_dlt-original-offset".utf8), value: [0, 0, 0, 0, 0, 0, 4, 18]))
        return Record(
            topic: topics.deadLetters, partition: place.partition, offset: place.offset, timestamp: now + 1000,
            key: request.key, value: request.value, headers: headers)
    }

    static func read(_ record: Record) -> DeadLetter? { LetterFilter().letter(in: record, decoder: decoder) }

    static func entry(_ id: String, _ state: LedgerEntry.State, offset: Int64, generation: Int32 = 0) -> Record {
        Record(
            topic: topics.ledger, partition: 3, offset: offset, timestamp: now + offset,
            key: EventIdentity.cloudEvent(source: "/crm", id: id).key,
            value: LedgerWire.value(
                LedgerEntry(generation: generation, sourceOffset: 1042, scope: 1, state: state)))
    }
}

extension [Header] {
    func text(_ name: String) -> String? {
        last { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}
