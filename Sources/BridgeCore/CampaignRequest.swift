package import Records

/// What a valid source record asks for.
package struct CampaignRequest: Sendable {
    package var streamID: String
    package var campaignID: String
    /// As the event gave it; the connection's account is what a call is made for.
    package var accountID: String?
    /// The earlier of CloudEvents `expirytime` and the data's `expiresAt`, in milliseconds since 1970.
    package var expiresAt: Int64?
    /// Not to be called before this time, in milliseconds since 1970.
    package var notBefore: Int64?
    package var correlationID: String?
    package var requestedBy: String?
    /// W3C trace context of the producer, where it is well formed.
    package var traceparent: String?

    /// Names stream and campaign for lanes and for the ledger's check that an identity keeps meaning the same call.
    package var scope: UInt64 { Self.scope(streamID: streamID, campaignID: campaignID) }

    /// Names a stream alone.
    static func streamScope(_ streamID: String) -> UInt64 { KeyHash(Array(streamID.utf8), key: .fixed).low }

    package static func scope(streamID: String, campaignID: String) -> UInt64 {
        // Identifiers hold no slash, so no two pairs make the same text.
        KeyHash(Array("\(streamID)/\(campaignID)".utf8), key: .fixed).low
    }
}

/// Why a record cannot be called, found by looking at the record alone.
package struct RecordFault: Error, Sendable, Equatable {
    package var reason: DeadLetterReason
    /// For people; holds names of fields and what was expected, never their content.
    package var message: String

    package init(_ reason: DeadLetterReason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}

/// A source record with what it means.
package struct DecodedRecord: Sendable {
    /// As it stood in the source, also where it was moved to the intake topic since.
    package var record: Record
    /// Its place in the topic that the ledger belongs to: the source, or the intake topic.
    package var partition: Int32
    package var offset: Int64
    /// What of it is left in the source only.
    package var omitted: OmittedContent?
    package var identity: EventIdentity
    package var content: Result<CampaignRequest, RecordFault>
    /// nil: the event as its producer sent it.
    package var replay: Replay?

    package init(
        record: Record, identity: EventIdentity, content: Result<CampaignRequest, RecordFault>, replay: Replay? = nil
    ) {
        self.record = record
        partition = record.partition
        offset = record.offset
        self.identity = identity
        self.content = content
        self.replay = replay
    }

    /// Memory that the record takes while it waits, about.
    package var bytes: Int {
        var bytes = 512
        bytes += record.key?.count ?? 0
        bytes += record.value?.count ?? 0
        for header in record.headers { bytes += header.name.count + (header.value?.count ?? 0) }
        return bytes
    }
}
