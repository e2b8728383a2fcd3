import BridgeCore
import Foundation
import RawSockets
import Synchronization
import Testing

@testable import KoreAPI

private func http(_ status: Int, _ body: String, _ fields: String = "") -> String {
    "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private let early = Moment(wall: 1_001_000, monotonic: 1000)

@Suite("The campaign client", .timeLimit(.minutes(5)))
struct ClientTests {
    private func client(_ server: RawServer, reuse: Bool = false) throws -> CampaignClient {
        try CampaignClient(connections: [
            ConnectionSettings(
                name: "main", baseURL: server.url, streamIDs: ["st-1"], accountID: "acc1", clientID: "cs-1",
                key: "secret", deadline: .seconds(60), reuse: reuse)
        ])
    }

    private func call(
        campaign: String = "cd-1", stream: String = "st-1", account: String = "acc1", connection: String = "main",
        traceparent: String? = nil
    ) -> StartCall {
        StartCall(
            connection: connection, streamID: stream, campaignID: campaign, accountID: account, attempt: 1,
            identityLabel: "r", issuedAt: 1000, tokenExpiry: 1030, tokenID: "jti", traceparent: traceparent,
            notAfter: Moment(wall: 1_030_000, monotonic: 30_000))
    }

    private let readCall = ReadCall(
        connection: "main", streamID: "st-1", accountID: "acc1", issuedAt: 1000, tokenExpiry: 1030, tokenID: "j")

    @Test("A start is the documented request, and its answer is read whole")
    func start() async throws {
        let body =
            #"{"status":"Active","message":"Campaign Started","totalCallsCompleted":0,"updatedAt":"u","campaignInstanceId":"cid-1"}"#
        let server = RawServer { _ in
            [.readRequest, .write(http(200, body, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"))]
        }
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let report = try await client(server).start(call(traceparent: trace), now: { early })
        await server.stop()
        #expect(
            report.result
                == .started(
                    StartAnswer(
                        instanceID: "cid-1", status: "Active", message: "Campaign Started", totalCallsCompleted: 0,
                        updatedAt: "u")))
        #expect(report.status == 200 && report.bytesMayHaveLeft && report.serverTime == 784_111_777_000)
        let lines = String(decoding: server.received[0], as: UTF8.self).components(separatedBy: "\r\n")
        #expect(
            lines[0]
                == "POST /api/v2/public/st-1/campaign/trigger/cd-1?accountId=acc1&campaignType=voice&trigger=play HTTP/1.1"
        )
        for line in [
            "iid: st-1", "accountId: acc1", "Content-Type: application/json", "Accept: application/json",
            "Accept-Encoding: identity", "traceparent: \(trace)",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(lines.contains { $0.hasPrefix("auth: eyJ") })
        #expect(lines.last == "{}")
    }

    @Test("What the client must not send it does not send")
    func notBegun() async throws {
        let server = RawServer { _ in [.readRequest, .write(http(200, "{}"))] }
        let client = try client(server)
        let calls: [(StartCall, Moment, String)] = [
            (call(), Moment(wall: 1_030_000, monotonic: 0), "too_late"),
            (call(), Moment(wall: 1_001_000, monotonic: 30_000), "too_late"),
            (call(connection: "other"), early, "not_configured"),
            (call(stream: "st-2"), early, "not_configured"),
            (call(account: "acc2"), early, "not_configured"),
            (call(campaign: "../x"), early, "invalid_request"),
            (call(campaign: ""), early, "invalid_request"),
        ]
        for (call, now, cause) in calls {
            let report = await client.start(call, now: { now })
            #expect(report.result == .notSent(cause: cause))
            #expect(!report.bytesMayHaveLeft)
        }
        await server.stop()
        #expect(server.byteCount == 0)
    }

    @Test("A call whose time passes while its connection is made is not sent")
    func tooLate() async throws {
        let server = RawServer { _ in [.readRequest, .write(http(200, "{}"))] }
        let asked = Mutex(0)
        let report = try await client(server).start(call()) {
            asked.withLock { $0 += 1 }
            return asked.withLock { $0 } == 1 ? early : Moment(wall: 1_030_000, monotonic: 1000)
        }
        await server.stop()
        #expect(report.result == .notSent(cause: "too_late") && !report.bytesMayHaveLeft)
        #expect(asked.withLock { $0 } == 2)
        #expect(server.byteCount == 0)
    }

    @Test("A malformed trace context is left out")
    func trace() async throws {
        let server = RawServer { _ in [.readRequest, .write(http(200, "{}"))] }
        _ = try await client(server).start(call(traceparent: "00-x\r\nX: y"), now: { early })
        await server.stop()
        #expect(!String(decoding: server.received[0], as: UTF8.self).contains("traceparent"))
    }

    @Test("An instance id seen under another campaign is unknown, and kept connections close")
    func foreignInstance() async throws {
        let answer = http(200, #"{"campaignInstanceId":"cid-1","status":"Active"}"#)
        let server = RawServer { _ in Array(repeating: [.readRequest, .write(answer)], count: 3).flatMap { $0 } }
        let client = try client(server, reuse: true)
        #expect(name(await client.start(call(), now: { early }).result) == "started cid-1 Active")
        let report = await client.start(call(campaign: "cd-2"), now: { early })
        #expect(report.result == .unknown(cause: "foreign_instance", status: 200))
        #expect(report.connectionsMustClose && report.bytesMayHaveLeft)
        #expect(name(await client.start(call(), now: { early }).result) == "notSent stale_connection")
        await client.close()
        await server.stop()
    }

    @Test("Retry-After counts from the final head only")
    func retryAfterOfFinalHead() async throws {
        let interim = "HTTP/1.1 103 Early Hints\r\nRetry-After: 77\r\n\r\n"
        let server = RawServer { number in
            [.readRequest, .write(interim + http(429, "{}", number == 0 ? "" : "Retry-After: 5\r\n"))]
        }
        let client = try client(server)
        for expected in [nil, Duration.seconds(5)] {
            guard case .refused(let refusal) = await client.start(call(), now: { early }).result else {
                Issue.record("not refused")
                continue
            }
            #expect(refusal.retryAfter == expected)
        }
        await server.stop()
    }

    @Test("An answer that never comes is unknown and was sent")
    func closed() async throws {
        let server = RawServer { _ in [.readRequest, .reset] }
        let report = try await client(server).start(call(), now: { early })
        await server.stop()
        guard case .unknown(_, nil) = report.result else {
            Issue.record("\(report.result)")
            return
        }
        #expect(report.bytesMayHaveLeft)
        #expect(server.requestCount == 1)
    }

    @Test("The status is read with the documented request")
    func status() async throws {
        let body = #"{"status":"success","data":{"id":"cd-1","status":"Active","name":"n"}}"#
        let server = RawServer { _ in [.readRequest, .write(http(200, body))] }
        let report = try await client(server).status(readCall, campaignID: "cd-1", now: { 1_001_000 })
        await server.stop()
        #expect(report.result == .value(CampaignStatus(id: "cd-1", name: "n", status: "Active")))
        #expect(
            String(decoding: server.received[0], as: UTF8.self)
                .hasPrefix(
                    "POST /campaign/api/v2/public/st-1/campaign/cd-1/status?accountId=acc1&view=status HTTP/1.1\r\n"))
    }

    @Test("The list brings the execution markers")
    func list() async throws {
        let body =
            #"{"status":"success","data":{"results":[{"_id":"cd-1","status":"Ready","updatedAt":"a","campaignInstanceUpdatedAt":"m"},{"x":1}],"hasMore":true}}"#
        let server = RawServer { _ in [.readRequest, .write(http(200, body))] }
        let report = try await client(server).list(readCall, page: 2, limit: 50, now: { 1_001_000 })
        await server.stop()
        let summary = CampaignSummary(id: "cd-1", status: "Ready", updatedAt: "a", executionMarker: "m")
        #expect(report.result == .value(CampaignPage(campaigns: [summary], hasMore: true)))
        #expect(
            String(decoding: server.received[0], as: UTF8.self).hasSuffix(#"{"type":"voice","limit":50,"page":2}"#))
    }

    @Test("A read that fails says how", arguments: [(401, "refused"), (404, "rejected"), (500, "none"), (200, "none")])
    func readFails(status: Int, expected: String) async throws {
        let server = RawServer { _ in [.readRequest, .write(http(status, "{}"))] }
        let report = try await client(server).status(readCall, campaignID: "cd-1", now: { 1_001_000 })
        await server.stop()
        switch report.result {
        case .refused: #expect(expected == "refused")
        case .rejected: #expect(expected == "rejected")
        case .noAnswer: #expect(expected == "none")
        case .value: Issue.record("a value of nothing")
        }
    }

    @Test(
        "Settings that cannot work are told at once",
        arguments: ["http://example.com", "https://a/b", "https://a/", "ftp://a", "https://a?x", "https://u@a"])
    func badBaseURL(url: String) {
        #expect(throws: ConnectionFault.self) {
            try CampaignClient(connections: [
                ConnectionSettings(
                    name: "main", baseURL: url, streamIDs: ["*"], accountID: "a", clientID: "c", key: "secret")
            ])
        }
    }
}
