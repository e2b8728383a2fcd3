import Foundation
import JSON
import RawSockets
import Testing

@testable import KoreSimulator

@Suite("Journal and control", .timeLimit(.minutes(5)))
struct JournalTests {
    @Test("The journal's file holds each decision before its answer, and then how the exchange ended")
    func file() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await withSimulator({
            $0.journalFile = path
            $0.faults = [FaultRule(skip: 1, count: 1, fault: .reset())]
        }) { caller async throws in
            let first = try await caller.start(token: caller.token("j-1"))
            _ = try await caller.start(token: caller.token("j-2"))
            _ = try await caller.start(token: caller.token("j-1"))
            let entries = caller.simulator.journal
            #expect(entries.map(\.decision) == [.started, .started, .refused])
            #expect(entries.map(\.tokenId) == ["j-1", "j-2", "j-1"])
            #expect(entries.map(\.sequence) == [1, 2, 3])
            #expect(
                entries[0].requestId == "r-1" && entries[0].stream == Caller.stream
                    && entries[0].account == Caller.account)
            #expect(entries[0].tokenExpiry == caller.clock.now / 1000 + 30)
            #expect(first.body.contains(try #require(entries[0].instance)))
            #expect(entries[1].status == nil && entries[2].status == 401)
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let values = try lines.map { try JSONReader.parse(Array($0.utf8)) }
        let decisions = values.filter { $0["kind"]?.string == "decision" }
        #expect(decisions.map { $0["decision"]?.string } == ["started", "started", "refused"])
        #expect(decisions.map { $0["jti"]?.string } == ["j-1", "j-2", "j-1"])
        let ends = values.filter { $0["kind"]?.string == "end" }
        #expect(
            ends.sorted { ($0["sequence"]?.int64 ?? 0) < ($1["sequence"]?.int64 ?? 0) }.map { $0["answered"]?.bool }
                == [true, false, true])
        for (index, value) in values.enumerated() where value["kind"]?.string == "end" {
            let decision = values.firstIndex { $0["kind"]?.string == "decision" && $0["sequence"] == value["sequence"] }
            #expect(decision.map { $0 < index } == true)
        }
        #expect(!lines.joined().contains("eyJ"), "a token is in the journal")
    }

    @Test("A journal that cannot be written is an error at the start")
    func unwritable() {
        var settings = SimulatorSettings()
        settings.journalFile = "/nonexistent/journal"
        #expect(throws: SimulatorError.self) { try KoreSimulator(settings: settings) }
    }

    @Test("The journal in memory keeps the newest entries")
    func bound() throws {
        var journal = try Journal(file: nil, limit: 8)
        for _ in 0..<100 {
            _ = journal.append(
                JournalEntry(
                    sequence: 0, time: "", requestId: "", operation: "start", stream: "", campaign: "", account: "",
                    decision: .lost))
        }
        journal.end(100, answered: true)
        journal.end(1, answered: true)
        #expect(journal.entries.count <= 9)
        #expect(journal.entries.last?.sequence == 100 && journal.entries.last?.answered == true)
        #expect(journal.entries(after: 98).map(\.sequence) == [99, 100])
        #expect(journal.entries(after: 0).count == journal.entries.count)
    }

    @Test("The simulator's own endpoints show and change it")
    func admin() async throws {
        try await withSimulator { caller async throws in
            let port = caller.simulator.port
            func ask(_ method: String, _ path: String, _ body: String = "") async throws -> (
                status: String, body: String
            ) {
                let answer = try await RawClient.exchange(port: port, method, "/simulator\(path)", body: body)
                return (String(answer.head.dropFirst(9).prefix(3)), answer.body)
            }
            #expect(try await ask("GET", "").status == "200")
            #expect(
                try await ask("PUT", "/faults", "[{\"fault\":{\"kind\":\"html-error\",\"status\":599}}]").status
                    == "200")
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 599"))
            let shown = try await ask("GET", "/faults").body
            #expect(try FaultRule.list(json: Array(shown.utf8)).count == 1)
            #expect(try await ask("PUT", "/faults", "[{\"fault\":{\"kind\":\"nonsense\"}}]").status == "400")
            #expect(try await ask("PUT", "/faults", "{").status == "400")
            #expect(try await ask("DELETE", "/faults").body == "[]")
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
            let journal = try JSONReader.parse(Array(try await ask("GET", "/journal?after=1").body.utf8))
            #expect(journal["entries"]?.array?.first?["decision"]?.string == "started")
            #expect(journal["next"]?.int64 == 2)
            #expect(try await ask("GET", "/counts").body.contains("\"started\":1"))
            #expect(try await ask("PUT", "/settings", "{\"onActive\":{\"status\":418}}").status == "200")
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 418"))
            #expect(try await ask("PUT", "/settings", "{\"onActiv\":1}").body.contains("onActiv"))
            #expect(try await ask("PUT", "/campaigns/\(Caller.campaign)", "{\"status\":\"Paused\"}").status == "200")
            #expect(try await ask("GET", "/campaigns").body.contains("\"status\":\"Paused\""))
            let token = try await ask("GET", "/token?lifetime=10&jti=t").body
            #expect(try await caller.start("cd-other", token: token).head.hasPrefix("HTTP/1.1 200"))
            #expect(try await ask("POST", "/reset").status == "200")
            #expect(caller.simulator.counts == SimulatorCounts() && caller.simulator.journal.isEmpty)
            #expect(try await ask("POST", "/down?milliseconds=x").status == "400")
            #expect(try await ask("GET", "/nothing").status == "404")
        }
    }

    @Test("Every named fault is read from JSON and written as it was read", arguments: SimulatorFault.kinds)
    func faultKinds(kind: String) throws {
        let text =
            "[{\"name\":\"n\",\"operations\":[\"start\"],\"campaign\":\"cd-*\",\"skip\":1,\"count\":2,\"total\":3,\"probability\":0.5,\"fault\":{\"kind\":\"\(kind)\",\"delayBeforeMilliseconds\":5,\"act\":true}}]"
        let rule = try #require(try FaultRule.list(json: Array(text.utf8)).first)
        #expect(rule.fault.kind == kind && rule.fault.act && rule.fault.delayBefore == .milliseconds(5))
        var writer = JSONWriter()
        writer.array { w in rule.write(to: &w) }
        let again = try #require(try FaultRule.list(json: writer.bytes).first)
        #expect("\(again)" == "\(rule)")
    }

    @Test("Settings are read from JSON, and each wrong one is named")
    func settings() throws {
        let text = """
            {"port": 0, "ratePerMinute": 5, "runSeconds": 1.5, "latency": {"percentileMilliseconds": {"99": 900, "50": 20}},
             "onActive": "startAnother", "retryAfter": "date", "seed": 7,
             "apps": [{"clientId": "c", "key": "k", "algorithm": "HS512"}],
             "campaigns": [{"campaignId": "cd-1", "streamId": "s", "accountId": "a"}],
             "faults": [{"fault": {"kind": "stall", "atMostMilliseconds": 10}}]}
            """
        let settings = try SimulatorSettings(json: Array(text.utf8))
        #expect(settings.ratePerMinute == 5 && settings.runDuration == .milliseconds(1500) && settings.seed == 7)
        #expect(settings.latency == .percentiles([(50, .milliseconds(20)), (99, .milliseconds(900))]))
        #expect(settings.onActive == .startAnother && settings.retryAfter == .date)
        #expect(settings.apps.first?.algorithm == .hs512 && settings.campaigns.count == 1 && settings.faults.count == 1)
        for (wrong, named) in [
            ("{\"rate\": 1}", "rate"), ("{\"port\": 70000}", "port"), ("{\"latency\": 5}", "latency"), ("[]", "$"),
            ("{\"apps\": [{\"clientId\": \"c\", \"key\": \"k\", \"algorithm\": \"RS256\"}]}", "apps[0].key"),
            ("{\"faults\": [{}]}", "faults[0].fault"), ("{\"runSeconds\": \"1\"}", "runSeconds"),
        ] {
            #expect { try SimulatorSettings(json: Array(wrong.utf8)) } throws: { "\($0)".contains(named) }
        }
    }
}
