internal import HTTPServer
internal import JSON

/// The platform's true answer to a call. Shapes: the samples of Kore.ai's documents.
struct PlatformAnswer: Sendable {
    var status: Int
    var body: [UInt8]
    var retryAfter: String?
    var date: String?

    /// The documented form of an error.
    static func error(_ status: Int, _ message: String) -> PlatformAnswer {
        var writer = JSONWriter()
        writer.object { w in
            w.key("errors")
            w.array { w in
                w.object { w in
                    w.member("msg", message)
                    w.member("code", status)
                }
            }
        }
        return PlatformAnswer(status: status, body: writer.bytes)
    }

    static func started(_ campaign: CampaignStore.Campaign, sms: Bool) -> PlatformAnswer {
        var writer = JSONWriter()
        writer.object { w in
            w.member("status", campaign.status)
            w.member("message", "Campaign Started")
            if !sms { w.member("totalCallsCompleted", 0) }
            w.member("updatedAt", Timestamp.iso(campaign.updatedAt))
            if !sms { w.member("campaignInstanceId", campaign.instance ?? "") }
        }
        return PlatformAnswer(status: 200, body: writer.bytes)
    }

    static func stopped(_ campaign: CampaignStore.Campaign, sms: Bool) -> PlatformAnswer {
        var writer = JSONWriter()
        writer.object { w in
            w.member("status", campaign.status)
            w.member("message", "Campaign Stopped")
            w.member("updatedAt", Timestamp.iso(campaign.updatedAt))
            if sms {
                w.member("campaignExecutionType", "NORMAL")
            } else {
                w.member("campaignInstanceId", campaign.instance ?? "")
            }
        }
        return PlatformAnswer(status: 200, body: writer.bytes)
    }

    static func read(_ campaign: CampaignStore.Campaign, _ kind: Operation.Kind) -> PlatformAnswer {
        var writer = JSONWriter()
        writer.object { w in
            w.member("status", "success")
            w.key("data")
            w.object { w in
                switch kind {
                case .contacts:
                    w.key("contacts")
                    w.array { _ in }
                    w.member("page", 1)
                    w.member("totalPages", 0)
                    w.member("totalResults", 0)
                case .get:
                    w.member("_id", campaign.id)
                    w.member("name", campaign.name)
                    w.member("status", campaign.view.status)
                    w.member("priority", 1)
                    w.member("dialingMode", "agentless")
                    schedule(&w)
                    w.member("updatedAt", Timestamp.iso(campaign.view.updatedAt))
                default:
                    w.member("id", campaign.id)
                    w.member("status", campaign.view.status)
                    w.member("name", campaign.name)
                }
            }
        }
        return PlatformAnswer(status: 200, body: writer.bytes)
    }

    static func list(_ campaigns: [CampaignStore.Campaign], _ query: ListQuery) -> PlatformAnswer {
        // All campaigns here are voice campaigns.
        let all = campaigns.filter { query.type == "voice" && (query.statuses?.contains($0.view.status) ?? true) }
        let page = all.dropFirst(query.skip).prefix(query.limit)
        var writer = JSONWriter(capacity: 256 * (page.count + 1))
        writer.object { w in
            w.member("status", "success")
            w.key("data")
            w.object { w in
                w.key("results")
                w.array { w in
                    for campaign in page {
                        w.object { w in
                            w.member("_id", campaign.id)
                            w.member("name", campaign.name)
                            w.member("status", campaign.view.status)
                            schedule(&w)
                            w.member("updatedAt", Timestamp.iso(campaign.view.updatedAt))
                            w.member("campaignInstanceUpdatedAt", Timestamp.iso(campaign.view.marker))
                        }
                    }
                }
                w.member("hasMore", query.skip + page.count < all.count)
                w.member("totalPages", (all.count + query.limit - 1) / query.limit)
                w.member("totalResults", all.count)
            }
        }
        return PlatformAnswer(status: 200, body: writer.bytes)
    }

    private static func schedule(_ w: inout JSONWriter) {
        w.key("schedule")
        w.object { w in
            w.member("isSchedulingEnabled", false)
            w.member("isRecurrenceEnabled", false)
        }
    }

    /// As HTTP.
    var response: HTTPResponse {
        var response = HTTPResponse(
            status: status, headers: ["Content-Type": "application/json; charset=utf-8"], body: body)
        if let retryAfter { response.headers.add("Retry-After", retryAfter) }
        if let date { response.headers.add("Date", date) }
        return response
    }
}

/// What the list call asks for.
struct ListQuery {
    var type: String
    var statuses: [String]?
    var limit = 20
    var skip = 0

    /// Nil where the body is no object with a `type`.
    init?(_ body: [UInt8]) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(body)
        } catch {
            // The caller answers 400; what exactly is wrong with the text makes no difference.
            return nil
        }
        guard let type = value["type"]?.string, type == "voice" || type == "sms" else { return nil }
        self.type = type
        statuses = value["filters"]?["status"]?.array.map { $0.compactMap(\.string) }
        if statuses?.isEmpty == true { statuses = nil }
        limit = Int(max(1, min(1000, value["limit"]?.int64 ?? 20)))
        skip = Int(clamping: max(0, value["skip"]?.int64 ?? 0))
        if let page = value["page"]?.int64, value["skip"] == nil {
            skip = Int(clamping: max(0, min(page, 1 << 32) - 1)) * limit
        }
    }
}
