internal import BridgeCore
internal import JSON
internal import Records

/// Writes a start request as a structured CloudEvent, as `send` and `demo` emit it. The contract stands in the schemas.
struct CloudEventWriter {
    var source: String
    var id: String
    var streamID: String
    /// nil leaves it out: such a request is refused.
    var campaignID: String?
    /// Milliseconds since 1970.
    var time: Int64?
    var expiresAt: Int64?
    var correlationID: String?

    init(source: String, id: String, streamID: String, campaignID: String?) {
        self.source = source
        self.id = id
        self.streamID = streamID
        self.campaignID = campaignID
    }

    static let type = "campaign.start.requested"
    static let contentType = Header("content-type", "application/cloudevents+json; charset=UTF-8")

    var bytes: [UInt8] {
        var out = JSONWriter(capacity: 512)
        out.object { out in
            out.member("specversion", "1.0")
            out.member("type", Self.type)
            out.member("source", source)
            out.member("id", id)
            if let time { out.member("time", RFC3339.format(time)) }
            out.member("datacontenttype", "application/json")
            if let expiresAt { out.member("expirytime", RFC3339.format(expiresAt)) }
            if let correlationID { out.member("correlationid", correlationID) }
            out.key("data")
            out.object { out in
                out.member("streamId", streamID)
                if let campaignID { out.member("campaignId", campaignID) }
            }
        }
        return out.bytes
    }
}
