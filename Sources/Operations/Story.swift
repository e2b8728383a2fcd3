package import BridgeCore
internal import Records

/// Which event a story is told of.
package struct StoryQuery: Sendable {
    /// CloudEvents `source`; nil: any, and other identities too.
    package var source: String?
    /// The event's own id, or, without a source, its request id.
    package var id: String

    package init(source: String? = nil, id: String) {
        self.source = source
        self.id = id
    }

    /// Ids are compared as bytes.
    func fits(_ identity: EventIdentity) -> Bool {
        fits(requestID: identity.requestID, eventID: identity.eventID)
    }

    func fits(requestID: String, eventID: String) -> Bool {
        if let source { return EventIdentity.cloudEvent(source: source, id: id).requestID == requestID }
        return requestID == id || eventID.utf8.elementsEqual(id.utf8)
    }
}

/// One thing that the topics tell of an event.
package struct StoryFact: Sendable, Equatable {
    /// In the order in which things of one moment happened.
    package enum Kind: String, Sendable, CaseIterable {
        case request
        case replay
        case attempting
        case released
        case late
        case unreadable
        case entryStarted = "ledger-started"
        case entryDeadLettered = "ledger-dead-lettered"
        case started
        case deadLetter = "dead-letter"
    }

    package var kind: Kind
    /// When its record was written, milliseconds since 1970.
    package var time: Int64
    package var topic: String
    package var partition: Int32
    package var offset: Int64
    /// In plain words; holds no payload.
    package var text: String

    init(_ kind: Kind, _ record: Record, _ text: String) {
        self.kind = kind
        time = record.timestamp ?? 0
        topic = record.topic
        partition = record.partition
        offset = record.offset
        self.text = text
    }

    fileprivate func isAtPlace(of other: StoryFact) -> Bool {
        offset == other.offset && partition == other.partition && topic == other.topic
    }

    fileprivate var rank: (Int64, Int, Int64) { (time, Kind.allCases.firstIndex(of: kind) ?? 0, offset) }
}

/// All that the topics tell of one event.
package struct Story: Sendable {
    /// Of a repeat of an event there may be any number of records.
    static let maximumFacts = 1000

    package var requestID: String
    package var eventID = ""
    package var source: String?
    package var identityKind = ""
    package var streamID: String?
    package var campaignID: String?
    /// The event's own expiry, milliseconds since 1970.
    package var expiresAt: Int64?
    package private(set) var facts: [StoryFact] = []
    /// Facts that were not kept.
    package private(set) var omitted = 0
    /// The last entry of the ledger under the event's own key.
    package var entry: LedgerEntry?
    /// The last dead letter, by time, that is the event's own.
    package var letter: DeadLetter?
    /// The highest generation of which a replay was written.
    package var replay: Int32 = 0
    /// A late answer says that the campaign was started.
    package var lateStart = false

    init(requestID: String) { self.requestID = requestID }

    /// What is at the same place is the same, as with a record that is read in the source and in the intake topic.
    mutating func add(_ fact: StoryFact) {
        guard !facts.contains(where: { $0.isAtPlace(of: fact) }) else { return }
        guard facts.count < Self.maximumFacts else {
            omitted += 1
            return
        }
        facts.append(fact)
    }

    mutating func know(_ identity: EventIdentity) {
        eventID = identity.eventID
        source = identity.source
        identityKind = identity.kind.rawValue
    }

    mutating func know(_ request: CampaignRequest) {
        streamID = streamID ?? request.streamID
        campaignID = campaignID ?? request.campaignID
        expiresAt = expiresAt ?? request.expiresAt
    }

    /// In the order of time.
    package mutating func sort() { facts.sort { $0.rank < $1.rank } }
}
