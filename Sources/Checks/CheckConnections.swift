internal import Bridge
package import BridgeCore
package import Configuration
package import KoreAPI

/// What an answer of the API to a harmless read says of a connection. Pure, but for `run`, which asks.
package struct CheckConnections: Sendable {
    let settings: BridgeSettings
    let clock: @Sendable () -> Moment

    package init(settings: BridgeSettings, clock: @escaping @Sendable () -> Moment = currentMoment) {
        self.settings = settings
        self.clock = clock
    }

    /// Asks each connection for one page of campaigns, for the state of the campaign that stands on it where read-backs
    /// are on, and once with a token that has expired. Nothing is started; all of it counts against the account's rate.
    func run(_ client: CampaignClient, _ report: @Sendable (CheckLine) -> Void) async {
        for connection in settings.connections {
            let stream = connection.streams.first { $0 != "*" }
            let good = call(connection, stream, expiry: clock().wall / 1000 + 60, "check")
            let answer = await client.list(good, page: 1, limit: 1) { clock().wall }
            let lines = Self.lines(connection, answer, now: clock().wall, isStreamKnown: stream != nil)
            for line in lines { report(line) }
            guard !lines.contains(where: { $0.state == .failed }) else { continue }
            var campaign: String?
            if case .value(let page) = answer.result { campaign = page.campaigns.first?.id }
            if connection.readBack { await readBack(connection, stream, campaign, client, report) }
            await expiredToken(connection, stream, campaign, serverTime: answer.serverTime, client, report)
        }
    }

    private func readBack(
        _ connection: Configuration.ConnectionSettings, _ stream: String?, _ campaign: String?,
        _ client: CampaignClient, _ report: @Sendable (CheckLine) -> Void
    ) async {
        guard let campaign else { return report(Self.readBackLine(connection, nil)) }
        let good = call(connection, stream, expiry: clock().wall / 1000 + 60, "check-read")
        let answer = await client.read(statusRead(good, campaign)) { clock().wall }
        report(Self.readBackLine(connection, (campaign, answer)))
    }

    /// - Parameter serverTime: the API's own clock, which decides whether a token has expired.
    private func expiredToken(
        _ connection: Configuration.ConnectionSettings, _ stream: String?, _ campaign: String?, serverTime: Int64?,
        _ client: CampaignClient, _ report: @Sendable (CheckLine) -> Void
    ) async {
        let leeway = (connection.clockLeeway.milliseconds64 + 999) / 1000
        let old = call(connection, stream, expiry: (serverTime ?? clock().wall) / 1000 - leeway - 1, "check-expired")
        let result: ExpiredToken
        if let campaign {
            result = await client.tryExpiredToken(statusRead(old, campaign)) { clock().wall }.result
        } else {
            result = ExpiredToken(await client.list(old, page: 1, limit: 1) { clock().wall }.result)
        }
        report(Self.expiredLine(connection, result))
    }

    private func call(
        _ connection: Configuration.ConnectionSettings, _ stream: String?, expiry: Int64, _ label: String
    ) -> ReadCall {
        var random = SeededRandom(seed: UInt64.random(in: .min ... .max))
        return ReadCall(
            connection: connection.name, streamID: stream ?? "st-check", accountID: connection.accountId,
            issuedAt: expiry - 60, tokenExpiry: expiry, tokenID: "\(label)-\(random.hex(bytes: 8))")
    }

    private func statusRead(_ call: ReadCall, _ campaign: String) -> StatusRead {
        StatusRead(
            connection: call.connection, streamID: call.streamID, campaignID: campaign, accountID: call.accountID,
            identityLabel: "check", issuedAt: call.issuedAt, tokenExpiry: call.tokenExpiry, tokenID: call.tokenID)
    }

    /// The lines of the first read.
    package static func lines(
        _ connection: Configuration.ConnectionSettings, _ report: ReadReport<CampaignPage>, now: Int64,
        isStreamKnown: Bool
    ) -> [CheckLine] {
        let name = "connection \(connection.name)"
        let key = "connections.\(connection.name)"
        var lines: [CheckLine] = []
        switch report.result {
        case .value:
            lines.append(CheckLine(.fine, name, "\(connection.baseURL) answers and takes the credentials"))
        case .rejected(let rejection):
            lines.append(
                isStreamKnown
                    ? CheckLine(
                        .warning, name,
                        "\(connection.baseURL) answers \(rejection.status) to a list of campaigns: \(rejection.message)",
                        advice: "check \(key).streams, accountId and the app's scope Campaign Management")
                    : CheckLine(
                        .fine, name,
                        "\(connection.baseURL) answers (\(rejection.status) for a stream that does not exist); "
                            + "it names no stream of its own to ask for"))
        case .refused(let refusal):
            lines.append(refused(connection, refusal, name, key))
        case .noAnswer(let cause):
            lines.append(
                CheckLine(
                    .failed, name, "\(connection.baseURL) gives no usable answer: \(cause)",
                    advice: advice(cause, key), isUnreachable: report.status == nil))
        }
        if let server = report.serverTime { lines.append(clockLine(connection, server: server, now: now)) }
        return lines
    }

    private static func refused(
        _ connection: Configuration.ConnectionSettings, _ refusal: Refusal, _ name: String, _ key: String
    ) -> CheckLine {
        switch refusal.kind {
        case .credentials:
            CheckLine(
                .failed, name, "the API refuses the credentials (\(refusal.status)): \(refusal.message)",
                advice: "check \(key).clientId, clientSecret and algorithm, that the app has the scope Campaign "
                    + "Management and is published, and the clocks")
        case .throttled:
            CheckLine(
                .warning, name, "the account's rate is used up at the moment (\(refusal.status)): \(refusal.message)",
                advice: "check again later; if it stays so, others spend the account's rate")
        case .unavailable:
            CheckLine(
                .failed, name, "the API says that it is not available (\(refusal.status)): \(refusal.message)",
                advice: "check again later", isUnreachable: true)
        case .foreignAnswer:
            CheckLine(
                .failed, name, "something else than the API answers (\(refusal.status))",
                advice: "check \(key).baseUrl, readPath and the proxy: a gateway's page came instead of JSON")
        }
    }

    private static func advice(_ cause: String, _ key: String) -> String {
        switch cause {
        case "dns": "the host's name has no address: check \(key).baseUrl and the name servers"
        case "connect_refused": "nobody listens there: check \(key).baseUrl, proxy and firewall"
        case "connect_failed", "connect_timeout": "check network, firewall and \(key).proxy"
        case "tls":
            "the certificate is not trusted or for another name, or a client certificate is needed: check "
                + "\(key).caFile, certificateFile and keyFile"
        case "proxy": "the proxy refused the connection: check \(key).proxy"
        case "timeout": "the API is slower than \(key).deadline"
        case "answer_unclear": "check \(key).baseUrl and readPath: the answer is not the API's"
        default: "check \(key).baseUrl and what stands between here and there"
        }
    }

    /// The `Date` header counts whole seconds, so up to one second is no difference.
    package static func clockLine(
        _ connection: Configuration.ConnectionSettings, server: Int64, now: Int64
    ) -> CheckLine {
        let name = "clock \(connection.name)"
        let skew = now - server
        let difference = skew < 0 ? -skew : max(0, skew - 1000)
        let text = "our clock is \(difference) ms \(skew < 0 ? "behind" : "ahead of") the API's"
        let leeway = connection.clockLeeway.milliseconds64
        let advice = "synchronise this machine's clock (NTP)"
        if difference > leeway {
            return CheckLine(
                .failed, name, text + ", more than clockLeeway (\(leeway) ms): tokens are refused or live too long",
                advice: advice)
        }
        if difference * 2 > leeway { return CheckLine(.warning, name, text, advice: advice) }
        return CheckLine(.fine, name, difference == 0 ? "our clock and the API's agree" : text)
    }
}
