package import BridgeCore
internal import HTTPClient
internal import JSON

extension CampaignClient {
    /// Reads a campaign's state: its status ("Campaign status" v2), then its execution marker, which only the list
    /// ("List campaigns" v2) shows. Returns at the connection's deadline at the latest, which holds for all requests
    /// together; ends at the first request that has no usable answer. Each request has a token of its own.
    ///
    /// - Parameter now: our wall clock in milliseconds since 1970. No request is begun with an expired token.
    package nonisolated func read(_ read: StatusRead, now: @Sendable () -> Int64) async -> StatusReport {
        guard let connection = connections[read.connection] else {
            return StatusReport(result: .noAnswer(cause: "not_configured"), requests: 0, duration: .zero)
        }
        var reading = Reading(read, connection)
        let result = await state(&reading, now: now)
        return reading.report(result)
    }

    /// Asks for a campaign's status with a token that has expired: one request that only reads, never a start.
    ///
    /// The refusal is evidence only where the same credentials are taken with a living token. The expiry should have
    /// passed by the clock leeway and hardly more, by the API's own clock: an API that lets tokens live on for longer
    /// then shows it.
    ///
    /// - Returns: what was seen, and the requests that the API may have counted.
    package nonisolated func tryExpiredToken(
        _ read: StatusRead, now: @Sendable () -> Int64
    ) async -> (result: ExpiredToken, requests: Int) {
        guard let connection = connections[read.connection] else { return (.unseen(cause: "not_configured"), 0) }
        var reading = Reading(read, connection)
        let call = reading.nextCall()
        let report = await self.read(
            call, campaignID: read.campaignID, now: now,
            exchange: { $0.statusExchange(call, campaignID: read.campaignID, token: $1) }, value: ReadAnswers.status)
        return (ExpiredToken(report.result), report.bytesMayHaveLeft ? 1 : 0)
    }

    private nonisolated func state(
        _ reading: inout Reading, now: @Sendable () -> Int64
    ) async -> StatusReport.Result {
        let read = reading.read
        let answer = await ask(&reading, now: now, value: ReadAnswers.status) { connection, call, token in
            connection.statusExchange(call, campaignID: read.campaignID, token: token)
        }
        guard case .success(let found) = answer else { return answer.failure }
        guard found.id?.utf8.elementsEqual(read.campaignID.utf8) ?? true else {
            return .unusable(cause: "other_campaign")
        }

        let (pageSize, pages) = (reading.connection.settings.listPageSize, reading.connection.settings.listPages)
        let filter = documentedStatuses.contains(found.status) ? found.status : nil
        for page in 1...max(1, pages) {
            let answer = await ask(&reading, now: now, value: ReadAnswers.page) { connection, call, token in
                connection.listExchange(call, page: page, limit: pageSize, status: filter, token: token)
            }
            guard case .success(let list) = answer else { return answer.failure }
            let entries = list.campaigns.filter { $0.id.utf8.elementsEqual(read.campaignID.utf8) }
            if let entry = entries.first {
                // Two answers that do not fit: the campaign moves just now, or one of them is stale.
                guard entry.status?.utf8.elementsEqual(found.status.utf8) ?? true, entries.allSatisfy({ $0 == entry })
                else { return .unusable(cause: "answers_differ") }
                return .seen(CampaignState(status: found.status, marker: entry.executionMarker))
            }
            if !list.hasMore { return .unusable(cause: "not_listed") }
        }
        return .unusable(cause: "list_too_long")
    }

    /// Makes the reading's next request.
    private nonisolated func ask<Value: Sendable & Equatable>(
        _ reading: inout Reading, now: @Sendable () -> Int64, value: (JSONValue) -> Value?,
        exchange: (Connection, ReadCall, String) -> HTTPExchange
    ) async -> Asked<Value> {
        let read = reading.read
        guard now() < saturatingMilliseconds(read.tokenExpiry) else {
            return .failure(.noAnswer(cause: "token_expired"))
        }
        let remaining = reading.remaining(at: .now)
        guard remaining > .zero else { return .failure(.noAnswer(cause: "timeout")) }
        let call = reading.nextCall()
        let report = await self.read(
            call, campaignID: read.campaignID, now: now,
            exchange: { connection, token in
                var request = exchange(connection, call, token)
                request.deadline = min(request.deadline, remaining)
                connection.pass(read.traceparent, with: &request)
                return request
            }, value: value)
        reading.add(report)
        switch report.result {
        case .value(let value): return .success(value)
        case .rejected(let rejection):
            return .failure(.unusable(cause: rejection.status == 404 ? "not_found" : "rejected"))
        case .refused(let refusal): return .failure(.noAnswer(cause: refusal.kind.label))
        case .noAnswer(let cause):
            return .failure(saysNothing.contains(cause) ? .unusable(cause: cause) : .noAnswer(cause: cause))
        }
    }
}

extension ExpiredToken {
    /// What the answer to a read with an expired token shows. Only 401 and 403 are refusals of the token.
    package init<Value>(_ result: ReadResult<Value>) {
        self =
            switch result {
            case .value: .taken
            case .refused(let refusal) where refusal.kind == .credentials: .refused
            case .refused(let refusal): .unseen(cause: refusal.kind.label)
            case .rejected: .unseen(cause: "rejected")
            case .noAnswer(let cause): .unseen(cause: cause)
            }
    }
}

/// What one request of a reading came to.
private enum Asked<Value: Sendable & Equatable> {
    case success(Value)
    case failure(StatusReport.Result)

    /// What the reading comes to where this is no success.
    var failure: StatusReport.Result {
        if case .failure(let result) = self { return result }
        return .noAnswer(cause: "internal")
    }
}

/// The statuses that the list's filter takes (Kore.ai's page on "Get All Campaigns v2"); any other one is looked for in
/// the whole list.
private let documentedStatuses: Set<String> = [
    "Active", "Completed", "Ready", "Paused", "Preparing", "Stopped", "Scheduled", "Rescheduled",
]

/// Causes with which a complete answer came that will be the same again.
private let saysNothing: Set<String> = ["answer_unclear", "status_2xx", "status_3xx", "status_invalid"]

extension Refusal.Kind {
    fileprivate var label: String { self == .foreignAnswer ? "foreign_answer" : rawValue }
}

/// A reading on its way.
struct Reading {
    let read: StatusRead
    let connection: Connection
    private let begun: ContinuousClock.Instant
    private var calls = 0
    private var requests = 0
    private var serverTime: Int64?
    private var lacksServerTime = false
    private var retryAfter: Duration?
    private var isThrottled = false

    init(_ read: StatusRead, _ connection: Connection, begun: ContinuousClock.Instant = .now) {
        self.read = read
        self.connection = connection
        self.begun = begun
    }

    /// Of the deadline, which holds for all requests together.
    func remaining(at now: ContinuousClock.Instant) -> Duration {
        connection.settings.deadline - begun.duration(to: now)
    }

    mutating func nextCall() -> ReadCall {
        calls += 1
        return ReadCall(
            connection: read.connection, streamID: read.streamID, accountID: read.accountID, issuedAt: read.issuedAt,
            tokenExpiry: read.tokenExpiry, tokenID: "\(read.tokenID)-\(calls)")
    }

    mutating func add<Value: Sendable & Equatable>(_ report: ReadReport<Value>) {
        if report.bytesMayHaveLeft { requests += 1 }
        if let time = report.serverTime {
            serverTime = min(serverTime ?? time, time)
        } else {
            lacksServerTime = true
        }
        retryAfter = report.retryAfter
        if case .refused(let refusal) = report.result, refusal.kind == .throttled { isThrottled = true }
    }

    func report(_ result: StatusReport.Result) -> StatusReport {
        StatusReport(
            result: result, serverTime: lacksServerTime ? nil : serverTime, retryAfter: retryAfter,
            isThrottled: isThrottled, requests: requests, duration: begun.duration(to: .now))
    }
}
