internal import BridgeCore
internal import HTTPClient

/// The table of design section 3, and the only place where an answer becomes a class. Pure: no clock, no state.
///
/// In doubt it says `unknown`: nothing here may call "not started" what a backend may have carried out.
enum Classify {
    /// What an exchange came to that has no complete answer.
    static func fault(_ result: ExchangeResult) -> AttemptResult? {
        switch result {
        case .answer: nil
        case .notSent(let fault): .notSent(cause: fault.label)
        case .maybeSent(let fault, let status): .unknown(cause: fault.label, status: status)
        }
    }

    /// What a complete answer means.
    static func answer(
        _ answer: HTTPAnswer, retryAfter: Duration?, redactor: Redactor
    ) -> AttemptResult {
        let status = answer.status
        let body = AnswerBody(answer.body, contentType: answer.field("content-type"))
        let message = { redactor.clean(body.errorMessage) }
        let refused = { (kind: Refusal.Kind) in
            AttemptResult.refused(Refusal(kind: kind, status: status, retryAfter: retryAfter, message: message()))
        }
        let rejected = {
            AttemptResult.rejected(
                Rejection(
                    status: status, message: message(),
                    apiCode: body.apiErrors.lazy.compactMap(\.code).first.map { redactor.clean($0) }))
        }
        let unclear = AttemptResult.unknown(cause: "answer_unclear", status: status)
        let started = startAnswer(body, redactor)
        switch status {
        case 200, 201:
            if let started { return body.hasFailedStatus ? unclear : .started(started) }
            guard body.saysFailure else { return unclear }
            if speaksOfRateLimit(body.errorMessage) { return refused(.throttled) }
            return body.hasServerErrorCode() ? unclear : rejected()
        // Half of such an answer is wrong, and nobody knows which.
        case 300...499 where started != nil:
            return unclear
        case 301, 307, 308:
            return rejected()
        case 408:
            // Some servers write it about a request that they have passed on.
            return .unknown(cause: "status_408", status: status)
        case 421, 425, 429:
            return refused(.throttled)
        case 400...499:
            if speaksOfRateLimit(body.errorMessage) { return refused(.throttled) }
            if body.hasServerErrorCode() { return unclear }
            if body.isHTML { return refused(.foreignAnswer) }
            if status == 401 || status == 403 { return refused(.credentials) }
            return rejected()
        case 503 where body.hasOwnError && !body.hasServerErrorCode(besides: 503):
            return refused(.unavailable)
        case 200...299: return .unknown(cause: "status_2xx", status: status)
        case 300...399: return .unknown(cause: "status_3xx", status: status)
        case 500...599: return .unknown(cause: "status_5xx", status: status)
        default: return .unknown(cause: "status_invalid", status: status)
        }
    }

    /// The fields that say "started" are read first and alone: no other field can spoil the answer.
    private static func startAnswer(_ body: AnswerBody, _ redactor: Redactor) -> StartAnswer? {
        let instanceID = body.text("campaignInstanceId")
        let status = body.text("status")
        let message = body.text("message")
        let says =
            instanceID != nil || status?.lowercased() == "active" || message?.lowercased() == "campaign started"
        guard says else { return nil }
        return StartAnswer(
            instanceID: instanceID.map(redactor.clean),
            status: status.map(redactor.clean),
            message: message.map(redactor.clean),
            totalCallsCompleted: body.integer("totalCallsCompleted"),
            updatedAt: body.text("updatedAt").map { redactor.clean(timeText($0)) })
    }

    /// A time as a number of milliseconds becomes RFC 3339; any other text stays as it is.
    private static func timeText(_ text: String) -> String {
        guard let milliseconds = Int64(text), milliseconds > 100_000_000_000, milliseconds < 253_402_300_800_000 else {
            return text
        }
        return RFC3339.format(milliseconds)
    }

    static func speaksOfRateLimit(_ message: String) -> Bool {
        let text = message.prefix(2000).lowercased()
        return ["rate limit", "rate-limit", "ratelimit", "too many requests"].contains { text.contains($0) }
    }
}
