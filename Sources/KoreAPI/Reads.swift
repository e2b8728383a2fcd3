package import BridgeCore
internal import HTTPClient
internal import JSON

/// A read of campaign data. It has a token of its own: with "Enforce JTI" a token counts once.
package struct ReadCall: Sendable, Equatable {
    /// Name of the configured connection.
    package var connection: String
    package var streamID: String
    package var accountID: String
    /// Token times in seconds since 1970, and its `jti`.
    package var issuedAt: Int64
    package var tokenExpiry: Int64
    package var tokenID: String

    package init(
        connection: String, streamID: String, accountID: String, issuedAt: Int64, tokenExpiry: Int64, tokenID: String
    ) {
        self.connection = connection
        self.streamID = streamID
        self.accountID = accountID
        self.issuedAt = issuedAt
        self.tokenExpiry = tokenExpiry
        self.tokenID = tokenID
    }
}

/// What a read came to. Reads have no effect, so it does not matter whether one was sent.
package enum ReadResult<Value: Sendable & Equatable>: Sendable, Equatable {
    case value(Value)
    /// No usable answer: the transport failed, or the answer says nothing. The cause is a label of a bounded set.
    case noAnswer(cause: String)
    /// Turned away for now: throttled, credentials, unavailable, or not the API's own answer.
    case refused(Refusal)
    /// The API says that it will not answer this, now or later.
    case rejected(Rejection)
}

package struct ReadReport<Value: Sendable & Equatable>: Sendable, Equatable {
    package var result: ReadResult<Value>
    package var status: Int?
    /// Milliseconds since 1970 from the answer's `Date`.
    package var serverTime: Int64?
    /// How long the answer asks to wait, capped.
    package var retryAfter: Duration?
    /// Whether the API may have had the request, and counted it.
    package var bytesMayHaveLeft = false
    package var duration: Duration
}

/// The answer of "campaign status" (v2). The set of status values is open.
package struct CampaignStatus: Sendable, Equatable {
    package var id: String?
    package var name: String?
    package var status: String
}

/// One entry of "list campaigns" (v2). `executionMarker` is `campaignInstanceUpdatedAt` as written: it is compared for
/// change only, its exact meaning is not documented.
package struct CampaignSummary: Sendable, Equatable {
    package var id: String
    package var status: String?
    package var updatedAt: String?
    package var executionMarker: String?
}

package struct CampaignPage: Sendable, Equatable {
    package var campaigns: [CampaignSummary]
    package var hasMore: Bool
}

/// Pure: answers of the reads.
enum ReadAnswers {
    static func classify<Value>(
        _ result: ExchangeResult, retryAfter: Duration?, redactor: Redactor, value: (JSONValue) -> Value?
    ) -> ReadResult<Value> {
        guard case .answer(let answer) = result else {
            switch result {
            case .notSent(let fault), .maybeSent(let fault, _): return .noAnswer(cause: fault.label)
            case .answer: return .noAnswer(cause: "internal")
            }
        }
        let body = AnswerBody(answer.body, contentType: answer.field("content-type"))
        if (200...299).contains(answer.status), !body.saysFailure {
            if let value = body.json.flatMap(value) { return .value(value) }
            return .noAnswer(cause: "answer_unclear")
        }
        // The same table as for a start: a start is unclear where a read has no answer.
        switch Classify.answer(answer, retryAfter: retryAfter, redactor: redactor) {
        case .refused(let refusal): return .refused(refusal)
        case .rejected(let rejection): return .rejected(rejection)
        case .unknown(let cause, _), .notSent(let cause): return .noAnswer(cause: cause)
        case .started: return .noAnswer(cause: "answer_unclear")
        }
    }

    /// `{status:"success", data:{id, status, name}}`.
    static func status(_ json: JSONValue) -> CampaignStatus? {
        guard let data = json["data"], let status = data["status"]?.string, !status.isEmpty else { return nil }
        return CampaignStatus(id: data["id"]?.string, name: data["name"]?.string, status: status)
    }

    /// `{status:"success", data:{results:[...], hasMore}}`.
    static func page(_ json: JSONValue) -> CampaignPage? {
        guard let data = json["data"], let results = data["results"]?.array else { return nil }
        let campaigns = results.compactMap { entry -> CampaignSummary? in
            guard let id = entry["_id"]?.string ?? entry["id"]?.string else { return nil }
            return CampaignSummary(
                id: id, status: entry["status"]?.string, updatedAt: plain(entry["updatedAt"]),
                executionMarker: plain(entry["campaignInstanceUpdatedAt"]))
        }
        return CampaignPage(campaigns: campaigns, hasMore: (data["hasMore"] ?? json["hasMore"])?.bool ?? false)
    }

    private static func plain(_ value: JSONValue?) -> String? {
        value?.string ?? value?.numberText
    }
}
