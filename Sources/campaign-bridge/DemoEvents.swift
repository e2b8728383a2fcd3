internal import BridgeCore
internal import JSON
internal import Records

/// What a demonstration's event is meant to run into.
enum DemoKind: String, CaseIterable {
    case plain
    /// The API answers 429 once.
    case throttled = "busy"
    /// The API answers 503 with its own error once.
    case unavailable = "away"
    /// The API does not know the campaign.
    case rejected = "gone"
    /// The API starts the campaign, and its answer is lost.
    case lost
    /// The event names no campaign.
    case incomplete = "incomplete"
    /// No JSON at all.
    case malformed = "malformed"
    /// The event before it, sent again.
    case duplicate

    /// The order in which they come, again and again.
    static let order: [DemoKind] = [
        .plain, .plain, .throttled, .plain, .duplicate, .plain, .rejected, .plain, .lost, .plain, .unavailable,
        .plain, .incomplete, .plain, .malformed, .plain,
    ]
}

/// One event of the demonstration. Its record's key is the campaign's id, which no other event has but its repeat.
struct DemoEvent {
    var kind: DemoKind
    var key: String
    var record: OutgoingRecord
    /// The id in log lines and notes; nil where it follows from the record's place.
    var requestID: String?

    static let source = "/demo/crm"
    /// One stream for each of the two connections.
    static let streams = ["st-demo-sales", "st-demo-service"]

    /// Event number `number`, from 0.
    init(number: Int, topic: String) {
        kind = DemoKind.order[number % DemoKind.order.count]
        // A repeat is the whole event before it again.
        let original = kind == .duplicate ? number - 1 : number
        let kindOfOriginal = DemoKind.order[original % DemoKind.order.count]
        key = "cd-demo-\(kindOfOriginal.rawValue)-\(original + 1)"
        let id = "demo-\(original + 1)"
        let stream = Self.streams[original / DemoKind.order.count % Self.streams.count]
        if kindOfOriginal == .malformed {
            requestID = nil
            record = OutgoingRecord(topic: topic, key: Array(key.utf8), value: Array("{\"campaignId\": ".utf8))
            return
        }
        requestID = EventIdentity.cloudEvent(source: Self.source, id: id).requestID
        let event = CloudEventWriter(
            source: Self.source, id: id, streamID: stream, campaignID: kindOfOriginal == .incomplete ? nil : key)
        record = OutgoingRecord(
            topic: topic, key: Array(key.utf8), value: event.bytes, headers: [CloudEventWriter.contentType])
    }
}
