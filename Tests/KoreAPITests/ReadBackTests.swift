import BridgeCore
import RawSockets
import Testing

@testable import KoreAPI

private func http(_ status: Int, _ body: String, _ fields: String = "") -> String {
    "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private func state(_ status: String, id: String = "cd-1") -> String {
    http(200, #"{"status":"success","data":{"id":"\#(id)","status":"\#(status)","name":"n"}}"#)
}

private func page(_ entries: [String], more: Bool = false, fields: String = "") -> String {
    http(
        200, #"{"status":"success","data":{"results":[\#(entries.joined(separator: ","))],"hasMore":\#(more)}}"#, fields
    )
}

private func entry(_ id: String = "cd-1", status: String = "Ready", marker: String? = "m") -> String {
    let marker = marker.map { #","campaignInstanceUpdatedAt":"\#($0)""# } ?? ""
    return #"{"_id":"\#(id)","status":"\#(status)","updatedAt":"u"\#(marker)}"#
}

@Suite("Reading a campaign's state", .timeLimit(.minutes(5)))
struct ReadBackTests {
    private static let path = "POST /campaign/api/v2/public/st-1/campaign/"

    private func client(
        _ url: String, pages: Int = 3, deadline: Duration = .seconds(60), readPrefix: String = "/campaign/api/v2/public"
    ) throws -> CampaignClient {
        try CampaignClient(connections: [
            ConnectionSettings(
                name: "main", baseURL: url, streamIDs: ["st-1"], accountID: "acc1", clientID: "cs-1", key: "secret",
                readPrefix: readPrefix, deadline: deadline, listPageSize: 2, listPages: pages)
        ])
    }

    private func read(
        campaign: String = "cd-1", connection: String = "main", account: String = "acc1", traceparent: String? = nil
    ) -> StatusRead {
        StatusRead(
            connection: connection, streamID: "st-1", campaignID: campaign, accountID: account, identityLabel: "r",
            issuedAt: 1000, tokenExpiry: 1030, tokenID: "jti", traceparent: traceparent)
    }

    /// Answers one request on each connection, in order; the last again and again.
    private func server(_ answers: [String]) -> RawServer {
        RawServer { number in [.readRequest, .write(answers[min(number, answers.count - 1)])] }
    }

    private func report(_ answers: String...) async throws -> StatusReport {
        let server = server(answers)
        let report = try await client(server.url).read(read(), now: { 1_001_000 })
        await server.stop()
        #expect(report.requests == server.requestCount)
        return report
    }

    @Test("Status, then the list until the campaign is found; each request has a token of its own")
    func requests() async throws {
        let server = server([
            state("Ready"), page([entry("cd-2"), entry("cd-3")], more: true), page([entry("cd-1", marker: "m1")]),
        ])
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let report = try await client(server.url).read(read(traceparent: trace), now: { 1_001_000 })
        await server.stop()
        #expect(report.result == .seen(CampaignState(status: "Ready", marker: "m1")))
        #expect(report.requests == 3 && !report.isThrottled && report.retryAfter == nil && report.serverTime == nil)
        let received = try Received(server)
        let list = Self.path + "getAllCampaignDetails?accountId=acc1 HTTP/1.1"
        #expect(
            received.lines == [Self.path + "cd-1/status?accountId=acc1&view=status HTTP/1.1", list, list])
        #expect(
            received.bodies == [
                "{}", #"{"type":"voice","limit":2,"page":1,"filters":{"status":["Ready"]}}"#,
                #"{"type":"voice","limit":2,"page":2,"filters":{"status":["Ready"]}}"#,
            ])
        #expect(received.tokenIDs == ["jti-1", "jti-2", "jti-3"])
        #expect(received.traces == 3)
    }

    @Test("Reads have a path prefix of their own")
    func prefix() async throws {
        let server = server([http(404, "{}")])
        _ = try await client(server.url, readPrefix: "/x/api/v2/public").read(read(), now: { 1_001_000 })
        await server.stop()
        #expect(try Received(server).lines[0].hasPrefix("POST /x/api/v2/public/st-1/campaign/cd-1/status?"))
    }

    @Test("A status that the filter does not know is looked for in the whole list")
    func unknownStatus() async throws {
        let server = server([state("System_Stopped"), page([entry(status: "System_Stopped", marker: nil)])])
        let report = try await client(server.url).read(read(), now: { 1_001_000 })
        await server.stop()
        #expect(report.result == .seen(CampaignState(status: "System_Stopped", marker: nil)))
        #expect(try Received(server).bodies[1] == #"{"type":"voice","limit":2,"page":1}"#)
    }

    @Test("The earliest Date counts, and none where one is missing")
    func serverTime() async throws {
        let (early, late) = ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Date: Sun, 06 Nov 1994 08:49:39 GMT\r\n")
        let body = #"{"status":"success","data":{"id":"cd-1","status":"Ready"}}"#
        for (first, second, time) in [
            (early, late, 784_111_777_000), (late, early, 784_111_777_000), (early, "", nil), ("", late, nil),
        ] as [(String, String, Int64?)] {
            let report = try await report(http(200, body, first), page([entry()], fields: second))
            #expect(report.serverTime == time)
        }
    }

    @Test(
        "Answers that say nothing are unusable, and asked for no further",
        arguments: [
            (404, "{}", "not_found"), (400, "{}", "rejected"), (422, "{}", "rejected"), (301, "", "rejected"),
            (200, #"{"status":"failure"}"#, "rejected"), (200, "{}", "answer_unclear"),
            (200, "<html>", "answer_unclear"), (200, #"{"status":"success","data":{"id":"cd-1"}}"#, "answer_unclear"),
            (200, #"{"status":"success","data":{"id":"cd-9","status":"Ready"}}"#, "other_campaign"),
            (204, "", "answer_unclear"), (302, "", "status_3xx"), (699, "", "status_invalid"),
        ])
    func unusable(status: Int, body: String, cause: String) async throws {
        let report = try await report(http(status, body))
        #expect(report.result == .unusable(cause: cause))
        #expect(report.requests == 1)
    }

    @Test("A list that does not show the campaign as its status says is unusable")
    func unusableList() async throws {
        for (list, cause) in [
            (page([]), "not_listed"), (page([entry("cd-2")]), "not_listed"),
            (page([entry("CD-1")]), "not_listed"), (page([entry(status: "Active")]), "answers_differ"),
            (page([entry(), entry(marker: "other")]), "answers_differ"),
            (http(200, #"{"status":"success","data":{}}"#), "answer_unclear"), (http(404, "{}"), "not_found"),
        ] {
            #expect(try await report(state("Ready"), list).result == .unusable(cause: cause))
        }
    }

    @Test("No more pages are read than are allowed")
    func pages() async throws {
        let report = try await report(state("Ready"), page([entry("cd-2"), entry("cd-3")], more: true))
        #expect(report.result == .unusable(cause: "list_too_long"))
        #expect(report.requests == 4)
    }

    @Test(
        "Where no answer came, it may be asked again",
        arguments: [
            (401, "{}", "credentials"), (403, "{}", "credentials"), (429, "{}", "throttled"),
            (400, #"{"errors":[{"msg":"rate limit","code":1}]}"#, "throttled"),
            (200, #"{"status":"failure","message":"rate limit"}"#, "throttled"), (500, "{}", "status_5xx"),
            (502, "<html>", "status_5xx"), (503, #"{"errors":[{"msg":"x","code":503}]}"#, "unavailable"),
            (404, "<html>", "foreign_answer"), (408, "{}", "status_408"),
        ])
    func noAnswer(status: Int, body: String, cause: String) async throws {
        let answer = http(status, body, "Retry-After: 7\r\n")
        for answers in [[answer], [state("Ready"), answer]] {
            let server = server(answers)
            let report = try await client(server.url).read(read(), now: { 1_001_000 })
            await server.stop()
            #expect(report.result == .noAnswer(cause: cause))
            #expect(report.isThrottled == (cause == "throttled"))
            #expect(report.retryAfter == .seconds(7))
            #expect(report.requests == answers.count)
        }
    }

    @Test("A connection that breaks is no answer, and a request that may have left counts")
    func broken() async throws {
        let scripts: [([Step], String)] = [
            ([.readRequest, .reset], "reset"), ([.readRequest, .close], "closed"),
            ([.readRequest, .write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), .close], "body_truncated"),
            ([.readRequest, .write("nonsense\r\n\r\n"), .close], "protocol"),
        ]
        for (script, cause) in scripts {
            let server = RawServer { _ in script }
            let report = try await client(server.url).read(read(), now: { 1_001_000 })
            await server.stop()
            #expect(report.result == .noAnswer(cause: cause))
            #expect(report.requests == 1)
        }
    }

    @Test("A host that nobody listens on costs no request")
    func refused() async throws {
        let nobody = UnusedPort()
        let report = try await client(nobody.url).read(read(), now: { 1_001_000 })
        #expect(report.result == .noAnswer(cause: "connect_refused"))
        #expect(report.requests == 0)
        withExtendedLifetime(nobody) {}
    }

    @Test("A list that never comes ends the reading by the deadline")
    func stalled() async throws {
        let server = RawServer { number in
            number == 0 ? [.readRequest, .write(state("Ready"))] : [.readRequest, .stall]
        }
        let report = try await client(server.url, deadline: .seconds(3)).read(read(), now: { 1_001_000 })
        await server.stop()
        guard case .noAnswer = report.result else {
            Issue.record("\(report.result)")
            return
        }
        #expect(report.requests == server.requestCount)
    }

    @Test("The deadline holds for all requests of a reading together")
    func deadline() throws {
        let settings = ConnectionSettings(
            name: "main", baseURL: "http://127.0.0.1:1", streamIDs: ["*"], accountID: "acc1", clientID: "cs-1",
            key: "secret", deadline: .seconds(15))
        let begun = ContinuousClock.now
        var reading = Reading(read(), try Connection(settings, CampaignClientSettings()), begun: begun)
        #expect(reading.remaining(at: begun) == .seconds(15))
        #expect(reading.nextCall().tokenID == "jti-1")
        #expect(reading.remaining(at: begun + .seconds(11)) == .seconds(4))
        #expect(reading.nextCall().tokenID == "jti-2")
        #expect(reading.remaining(at: begun + .seconds(16)) == .seconds(-1))
    }

    @Test("Nothing is asked that the connection does not serve, nor with a token that has expired")
    func notAsked() async throws {
        let server = server([state("Ready")])
        let client = try client(server.url)
        for (read, now, cause) in [
            (read(connection: "other"), 1_001_000, "not_configured"),
            (read(account: "acc2"), 1_001_000, "not_configured"),
            (read(campaign: "../x"), 1_001_000, "invalid_request"), (read(), 1_030_000, "token_expired"),
        ] as [(StatusRead, Int64, String)] {
            let report = await client.read(read, now: { now })
            #expect(report.result == .noAnswer(cause: cause))
            #expect(report.requests == 0)
        }
        await server.stop()
        #expect(server.byteCount == 0)
    }

    @Test("A token that expires on the way ends the reading")
    func expiresOnTheWay() async throws {
        let server = server([state("Ready"), page([entry()])])
        let gate = Gate()
        // The clock reaches the expiry with its second reading after the answer.
        let report = try await client(server.url).read(read()) {
            defer { gate.open() }
            return gate.isOpen ? 1_030_000 : 1_001_000
        }
        await server.stop()
        #expect(report.result == .noAnswer(cause: "token_expired"))
        #expect(report.requests == 1)
    }
}
