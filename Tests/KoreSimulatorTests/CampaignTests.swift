import Foundation
import RawSockets
import Testing

@testable import KoreSimulator

@Suite("Simulated campaigns", .timeLimit(.minutes(5)))
struct CampaignTests {
    @Test("A start answers as documented, a run ends by itself, and reads tell of it")
    func life() async throws {
        try await withSimulator({ $0.runDuration = .seconds(60) }) { caller async throws in
            let id = Caller.campaign
            #expect(
                try await caller.read("\(id)/status?accountId=\(Caller.account)&view=status").body.contains(
                    "\"status\":\"Ready\""))
            let started = try await caller.start()
            #expect(started.head.hasPrefix("HTTP/1.1 200"))
            let pattern =
                #/\{"status":"Active","message":"Campaign Started","totalCallsCompleted":0,"updatedAt":"2023-11-14T22:13:20.000Z","campaignInstanceId":"cid-[0-9a-f]{7}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"\}/#
            #expect(try pattern.wholeMatch(in: started.body) != nil)
            #expect(
                try await caller.read("\(id)/status?accountId=\(Caller.account)&view=status").body
                    == "{\"status\":\"success\",\"data\":{\"id\":\"\(id)\",\"status\":\"Active\",\"name\":\"campaign \(id.suffix(6))\"}}"
            )
            caller.clock.advance(milliseconds: 60_000)
            let list = try await caller.read(
                "getAllCampaignDetails?accountId=\(Caller.account)", body: "{\"type\":\"voice\"}"
            ).body
            #expect(list.contains("\"status\":\"Completed\""))
            #expect(list.contains("\"campaignInstanceUpdatedAt\":\"2023-11-14T22:14:20.000Z\""))
            #expect(
                try await caller.read("\(id)?accountId=\(Caller.account)", method: "GET").body.contains(
                    "\"_id\":\"\(id)\""))
            let again = try await caller.start()
            #expect(again.body.contains("Campaign Started") && again.body != started.body)
            let stopped = try await caller.start(trigger: "stop")
            #expect(stopped.body.contains("\"status\":\"Stopped\"") && stopped.body.contains(again.body.suffix(42)))
            #expect(caller.simulator.counts.starts == [id: 2])
        }
    }

    @Test("A play on an Active campaign is refused or starts another instance, as set")
    func active() async throws {
        try await withSimulator({ $0.onActive = .refuse(status: 409, message: "no") }) { caller async throws in
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
            let second = try await caller.start()
            #expect(
                second.head.hasPrefix("HTTP/1.1 409") && second.body == "{\"errors\":[{\"msg\":\"no\",\"code\":409}]}")
            caller.simulator.settings.onActive = .startAnother
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
            #expect(caller.simulator.journal.map(\.decision) == [.started, .refused, .started])
            #expect(caller.simulator.setStatus(Caller.campaign, to: "Scheduled"))
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test("Reads show a start only after the read delay")
    func readDelay() async throws {
        try await withSimulator({ $0.readDelay = .seconds(5) }) { caller async throws in
            _ = try await caller.start()
            let path = "\(Caller.campaign)/status?accountId=\(Caller.account)&view=status"
            #expect(try await caller.read(path).body.contains("Ready"))
            caller.clock.advance(milliseconds: 5000)
            #expect(try await caller.read(path).body.contains("Active"))
        }
    }

    @Test(
        "Calls over the limit of an account get the documented answer until a minute has passed",
        arguments: [
            (SimulatorSettings.RetryAfter.none, nil), (.seconds, "Retry-After: 50"),
            (.date, "Retry-After: Tue, 14 Nov 2023 22:14:20 GMT"),
            (.text("soon"), "Retry-After: soon"),
        ])
    func rateLimit(retryAfter: SimulatorSettings.RetryAfter, field: String?) async throws {
        try await withSimulator({
            $0.ratePerMinute = 3
            $0.retryAfter = retryAfter
        }) { caller async throws in
            for _ in 0..<3 { #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200")) }
            caller.clock.advance(milliseconds: 10_001)
            let refused = try await caller.start()
            #expect(
                refused.head.hasPrefix("HTTP/1.1 429")
                    && refused.body.contains("You've exceeded the per-minute rate limit"))
            if let field {
                #expect(refused.head.contains(field))
            } else {
                #expect(!refused.head.contains("Retry-After"))
            }
            caller.clock.advance(milliseconds: 49_999)
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
            #expect(caller.simulator.counts.refusals == ["rate-limit": 1])
        }
    }

    @Test("Wrong headers, ids and parameters are refused and start nothing")
    func refused() async throws {
        try await withSimulator({ $0.createCampaigns = false }) { caller async throws in
            let port = caller.simulator.port
            let path = "/api/v2/public/\(Caller.stream)/campaign/trigger/"
            let good = "?accountId=\(Caller.account)&campaignType=voice&trigger=play"
            for (target, drop, status) in [
                (path + Caller.campaign + good, "", 404), (path + "xx" + good, "", 400),
                (path + Caller.campaign + good, "iid", 400), (path + Caller.campaign + good, "accountId", 400),
                (path + Caller.campaign + good, "Content-Type", 400), (path + Caller.campaign + good, "auth", 401),
                (path + Caller.campaign + "?accountId=other&campaignType=voice&trigger=play", "", 400),
                (path + Caller.campaign + "?accountId=\(Caller.account)&campaignType=voice&trigger=pause", "", 400),
                ("/api/v2/private", "", 404),
            ] {
                let headers = caller.headers().filter { drop.isEmpty || !$0.hasPrefix(drop) }
                let answer = try await RawClient.exchange(port: port, "POST", target, headers: headers, body: "{}")
                #expect(answer.head.hasPrefix("HTTP/1.1 \(status)"), "\(target) without \(drop)")
                #expect(answer.body.hasPrefix("{\"errors\":[{\"msg\":"))
            }
            #expect(caller.simulator.counts.started == 0)
        }
    }

    @Test(
        "The other documented calls are known",
        arguments: [
            ("POST", "/campaign/api/v1/public/S/campaign/C?campaignType=voice&trigger=play", "Campaign Started"),
            ("POST", "/campaign/api/v2/public/S/campaign/C?campaignType=sms&trigger=play", "Campaign Started"),
            ("POST", "/agentassist/api/v1/public/S/campaign/C/status?view=status", "Ready"),
            ("POST", "/campaign/api/v2/public/S/campaign/C/status?accountId=A&view=contacts", "totalResults"),
            ("GET", "/agentassist/api/v1/public/S/campaign/C", "Ready"),
            (
                "POST", "/campaign/api/v2/public/S/campaign//trigger/C?accountId=A&campaignType=sms&trigger=stop",
                "not active"
            ),
        ])
    func otherCalls(method: String, path: String, text: String) async throws {
        try await withSimulator { caller async throws in
            let target = path.replacingOccurrences(of: "/S/", with: "/\(Caller.stream)/")
                .replacingOccurrences(of: "accountId=A", with: "accountId=\(Caller.account)")
                .replacingOccurrences(of: "/C", with: "/\(Caller.campaign)")
            let answer = try await RawClient.exchange(
                port: caller.simulator.port, method, target, headers: caller.headers(),
                body: method == "GET" ? "" : "{}")
            #expect(answer.body.contains(text))
        }
    }

    @Test("Latencies come from their distribution")
    func latency() {
        #expect(SimulatorLatency.none.sample(0.5) == .zero)
        #expect(SimulatorLatency.uniform(.seconds(1), .seconds(3)).sample(0.5) == .seconds(2))
        let tail = SimulatorLatency.percentiles([(50, .seconds(1)), (100, .seconds(3))])
        #expect(tail.sample(0.1) == .seconds(1))
        #expect(tail.sample(0.75) == .seconds(2))
    }
}
