package import BridgeCore
internal import HTTPClient
internal import JSON

/// Starts voice campaigns through the Kore.ai API, and reads their state.
///
/// One call makes at most one request: it never sends again, follows nothing, and never mints a token other than the
/// one that the call describes. Calls run side by side; the actor itself keeps only the instance ids it has seen.
package actor CampaignClient: CampaignAPI {
    nonisolated let connections: [String: Connection]
    private nonisolated let settings: CampaignClientSettings
    private var instances: [String: InstanceTable] = [:]

    /// - Throws: the first connection that cannot be used as it is configured.
    package init(
        connections: [ConnectionSettings], settings: CampaignClientSettings = CampaignClientSettings()
    ) throws(ConnectionFault) {
        var ready: [String: Connection] = [:]
        for connection in connections {
            guard ready[connection.name] == nil else {
                throw ConnectionFault(connection: connection.name, text: "two connections have this name")
            }
            ready[connection.name] = try Connection(connection, settings)
        }
        self.connections = ready
        self.settings = settings
    }

    /// Makes one start call. Returns at the connection's deadline at the latest.
    ///
    /// Cancelling the task before the request is sent gives `notSent`; afterwards it changes nothing.
    ///
    /// - Parameter now: our clocks, also asked on the HTTP client's thread right before the request is written. A call
    ///   whose time has passed then is not begun.
    package nonisolated func start(_ call: StartCall, now: @escaping @Sendable () -> Moment) async -> AttemptReport {
        let begun = ContinuousClock.now
        let notBegun = { (cause: String) in
            AttemptReport(
                result: .notSent(cause: cause), bytesMayHaveLeft: false, duration: begun.duration(to: .now))
        }
        guard let connection = connections[call.connection] else { return notBegun("not_configured") }
        if let cause = connection.refusal(
            streamID: call.streamID, accountID: call.accountID, campaignID: call.campaignID)
        {
            return notBegun(cause)
        }
        guard now().isBefore(call.notAfter) else { return notBegun("too_late") }
        guard let token = connection.token(issuedAt: call.issuedAt, expiry: call.tokenExpiry, id: call.tokenID)
        else { return notBegun("internal") }

        var request = connection.startExchange(call, token: token)
        request.maySend = { now().isBefore(call.notAfter) }
        let exchange = await connection.http.perform(request)
        guard case .answer(let answer) = exchange else {
            let result = Classify.fault(exchange) ?? .unknown(cause: "internal", status: nil)
            if case .unknown(_, let status) = result {
                return AttemptReport(
                    result: result, status: status, bytesMayHaveLeft: true, duration: begun.duration(to: .now))
            }
            return AttemptReport(result: result, bytesMayHaveLeft: false, duration: begun.duration(to: .now))
        }
        let facts = HeadFacts(answer, now: now().wall, maximumRetryAfter: connection.settings.maximumRetryAfter)
        var result = Classify.answer(answer, retryAfter: facts.retryAfter, redactor: Redactor(token: token))
        var isForeign = false
        if case .started(let started) = result, let instanceID = started.instanceID {
            isForeign = await !remember(instanceID, call)
            if isForeign {
                connection.http.closeKeptConnections()
                result = .unknown(cause: "foreign_instance", status: answer.status)
            }
        }
        return AttemptReport(
            result: result, status: answer.status, bytesMayHaveLeft: true, serverTime: facts.serverTime,
            duration: begun.duration(to: .now), connectionsMustClose: isForeign)
    }

    /// Reads a campaign's status ("Campaign status" v2).
    package nonisolated func status(
        _ call: ReadCall, campaignID: String, now: @Sendable () -> Int64
    ) async -> ReadReport<CampaignStatus> {
        await read(
            call, campaignID: campaignID, now: now,
            exchange: { $0.statusExchange(call, campaignID: campaignID, token: $1) }, value: ReadAnswers.status)
    }

    /// Reads one page of the stream's voice campaigns ("List campaigns" v2), which holds the execution markers.
    ///
    /// - Parameters:
    ///   - page: from 1.
    ///   - limit: entries of a page.
    package nonisolated func list(
        _ call: ReadCall, page: Int, limit: Int, now: @Sendable () -> Int64
    ) async -> ReadReport<CampaignPage> {
        await read(
            call, campaignID: nil, now: now,
            exchange: { $0.listExchange(call, page: page, limit: limit, token: $1) }, value: ReadAnswers.page)
    }

    /// Refuses new calls and returns when those under way have ended, each by its deadline.
    package func close() async {
        for connection in connections.values { await connection.http.close() }
    }

    /// Makes one request that reads. It does not look at the token's expiry: `check` tries an expired one.
    nonisolated func read<Value>(
        _ call: ReadCall, campaignID: String?, now: @Sendable () -> Int64,
        exchange: (Connection, String) -> HTTPExchange, value: (JSONValue) -> Value?
    ) async -> ReadReport<Value> {
        let begun = ContinuousClock.now
        let none = { (cause: String) in
            ReadReport<Value>(result: .noAnswer(cause: cause), duration: begun.duration(to: .now))
        }
        guard let connection = connections[call.connection] else { return none("not_configured") }
        if let cause = connection.refusal(
            streamID: call.streamID, accountID: call.accountID, campaignID: campaignID)
        {
            return none(cause)
        }
        guard let token = connection.token(issuedAt: call.issuedAt, expiry: call.tokenExpiry, id: call.tokenID)
        else { return none("internal") }
        let result = await connection.http.perform(exchange(connection, token))
        var report = none("internal")
        var facts: HeadFacts?
        if case .answer(let answer) = result {
            report.status = answer.status
            facts = HeadFacts(answer, now: now(), maximumRetryAfter: connection.settings.maximumRetryAfter)
            report.serverTime = facts?.serverTime
            report.retryAfter = facts?.retryAfter
        } else if case .maybeSent(_, let status) = result {
            report.status = status
        }
        if case .notSent = result {} else { report.bytesMayHaveLeft = true }
        report.result = ReadAnswers.classify(
            result, retryAfter: facts?.retryAfter, redactor: Redactor(token: token), value: value)
        report.duration = begun.duration(to: .now)
        return report
    }

    private func remember(_ instanceID: String, _ call: StartCall) -> Bool {
        instances[call.connection, default: InstanceTable(maximum: settings.rememberedInstances)]
            .remember(instanceID, stream: call.streamID, campaign: call.campaignID)
    }
}

/// What the final head says besides its status.
private struct HeadFacts {
    var serverTime: Int64?
    var retryAfter: Duration?

    init(_ answer: HTTPAnswer, now: Int64, maximumRetryAfter: Duration) {
        let server = answer.field("date").flatMap { HTTPDate.parse($0, now: now / 1000) }
        serverTime = server.map { $0 * 1000 }
        retryAfter = KoreAPI.retryAfter(
            answer.field("retry-after"), reference: server ?? now / 1000, maximum: maximumRetryAfter)
    }
}

/// Seconds as milliseconds, the nearest that there is.
func saturatingMilliseconds(_ seconds: Int64) -> Int64 {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    return overflow ? (seconds < 0 ? .min : .max) : product
}
