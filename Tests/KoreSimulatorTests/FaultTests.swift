import Foundation
import RawSockets
import Synchronization
import Testing

@testable import KoreSimulator

@Suite("Simulated faults", .timeLimit(.minutes(5)))
struct FaultTests {
    /// What a client sees of each fault, and whether the campaign was started.
    private static let table: [(fault: SimulatorFault, sees: String, end: RawClient.End, started: Bool)] = [
        (.status(500), "HTTP/1.1 500", .closed, false),
        (.status(502, body: "x {campaignId}", act: true), "x cd-1234567", .closed, true),
        (.status(104), "HTTP/1.1 104", .closed, false),
        (.htmlError(404), "<h1>404</h1>", .closed, false),
        (.unavailable(), "\"code\":503", .closed, false),
        (.gatewayUnavailable(), "Retry-After: 1", .closed, true),
        (.rateLimited(retryAfter: "7"), "Retry-After: 7", .closed, false),
        (.redirect(303, act: true), "Location: /elsewhere", .closed, true),
        (.empty(202), "HTTP/1.1 202", .closed, true),
        (.empty(204), "HTTP/1.1 204", .closed, true),
        (.reset(act: true), "", .reset, true),
        (.reset(act: false), "", .reset, false),
        (.close(act: true), "", .closed, true),
        (.stall(act: true, atMost: .milliseconds(10)), "", .closed, true),
        (.stall(act: false, atMost: .milliseconds(10)), "", .closed, false),
        (.resetBeforeReading, "", .reset, false),
        (.truncated(bytes: 12), "{\"status\":\"A", .closed, true),
        (.slow(bytes: 40, pause: .milliseconds(1)), "Campaign", .closed, true),
        (.garbage(), "this is not HTTP", .closed, true),
        (.raw("HTTP/1.0 200 OK\r\n\r\n\u{FEFF}{answer}"), "\u{FEFF}{\"status\":\"Active\"", .closed, true),
        (.raw("HTTP/1.1 200 OK\r\nContent-Le", end: .close), "Content-Le", .closed, true),
        (.contentType("text/plain"), "Content-Type: text/plain", .closed, true),
        (.interim([102, 103]), "HTTP/1.1 103 Interim", .closed, true),
        (.interim([103]), "Campaign Started", .closed, true),
        (.delay(before: .milliseconds(1), after: .milliseconds(1)), "Campaign Started", .closed, true),
    ]

    @Test("Each fault does what it says, and the journal says what was done", arguments: table.indices)
    func faults(index: Int) async throws {
        let (fault, sees, end, started) = Self.table[index]
        try await withSimulator({ $0.faults = [FaultRule(operations: ["start"], fault: fault)] }) {
            caller async throws in
            let answer = try await caller.start()
            let text = answer.head + "\r\n\r\n" + answer.body
            #expect(sees.isEmpty || text.contains(sees), "saw: \(text)")
            #expect(answer.end == end)
            let entry = try #require(caller.simulator.journal.first)
            #expect(entry.decision == (started ? .started : .lost))
            #expect(entry.fault == fault.kind)
            #expect((entry.instance != nil) == started)
            #expect(caller.simulator.counts.started == (started ? 1 : 0))
            #expect(caller.simulator.counts.faults == [fault.kind: 1])
        }
    }

    @Test("A closed connection before the body is read starts nothing")
    func closeBeforeReading() async throws {
        try await withSimulator({ $0.faults = [FaultRule(fault: .closeBeforeReading)] }) { caller async throws in
            #expect(try await caller.start().head.isEmpty)
            #expect(caller.simulator.journal.map(\.decision) == [.lost])
        }
    }

    @Test("Rules are picked by campaign, operation and number of call, and the first that applies wins")
    func rules() async throws {
        try await withSimulator({
            $0.faults = [
                FaultRule(campaign: "cd-a*", skip: 1, count: 2, fault: .status(500)),
                FaultRule(operations: ["stop"], fault: .status(501)),
                FaultRule(campaign: "*z", total: 1, fault: .status(502)),
                FaultRule(campaign: "cd-never", probability: 0, fault: .status(503)),
            ]
        }) { caller async throws in
            func status(_ campaign: String, _ trigger: String = "play") async throws -> String {
                String(try await caller.start(campaign, trigger: trigger).head.dropFirst(9).prefix(3))
            }
            #expect(
                try await [status("cd-a1"), status("cd-a1"), status("cd-a1"), status("cd-a1")] == [
                    "200", "500", "500", "200",
                ])
            #expect(try await [status("cd-a2"), status("cd-a2")] == ["200", "500"])
            #expect(try await [status("cd-b"), status("cd-b", "stop")] == ["200", "501"])
            #expect(try await [status("cd-1z"), status("cd-2z")] == ["502", "200"])
            #expect(try await status("cd-never") == "200")
        }
    }

    @Test(
        "Patterns match whole ids",
        arguments: [
            ("cd-1", "*", true), ("cd-1", "cd-1", true), ("cd-12", "cd-1", false), ("cd-12", "cd-*", true),
            ("xcd-1", "cd-*", false),
            ("cd-1-z", "cd-*-z", true), ("cd-z", "cd-*-z", false), ("abcabc", "a*b*c", true), ("abab", "a*b*c", false),
        ])
    func patterns(text: String, pattern: String, fits: Bool) {
        #expect(matches(text, pattern: pattern) == fits)
    }

    @Test("A probability hits its share, the same calls for the same seed")
    func probability() {
        func hits(seed: UInt64) -> [Bool] {
            var plan = FaultPlan([FaultRule(probability: 0.3, fault: .reset())])
            var random = SplitMix(seed: seed)
            return (0..<1000).map { _ in
                plan.pick(operation: "start", campaign: "c", stream: "s", account: "a", random: &random) != nil
            }
        }
        #expect((250...350).contains(hits(seed: 1).count { $0 }))
        #expect(hits(seed: 1) == hits(seed: 1))
        #expect(hits(seed: 1) != hits(seed: 2))
    }

    @Test("A token that expires while the call is delayed is refused when the platform looks at it")
    func lease() async throws {
        // The clock is read at arrival for nothing, and at acceptance for the token: it jumps with each reading.
        let time = Mutex<Int64>(1_700_000_000_000)
        var settings = SimulatorSettings()
        settings.faults = [FaultRule(count: 1, fault: .delay(before: .milliseconds(1)))]
        try await withKoreSimulator(
            settings,
            now: {
                time.withLock {
                    $0 += 31_000
                    return $0
                }
            }
        ) { simulator in
            let caller = Caller(simulator: simulator, clock: TestClock())
            let token = SimulatorToken.make(now: time.withLock { $0 } / 1000, lifetime: .seconds(30), tokenId: "j")
            let answer = try await caller.start(token: token)
            #expect(answer.head.hasPrefix("HTTP/1.1 401") && answer.body.contains("jwt expired"))
            let entry = try #require(simulator.journal.first)
            #expect(entry.decision == .refused && entry.reason == "token" && entry.tokenId == "j")
        }
    }

    @Test("A platform that is down refuses connections and comes back on the same port")
    func down() async throws {
        try await withSimulator { caller async throws in
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
            // A test that got no time meanwhile has not seen it: again.
            var wasRefused = false
            while !wasRefused {
                let over = Gate()
                async let window: Void = {
                    defer { over.open() }
                    try await caller.simulator.goDown(for: .milliseconds(300))
                }()
                while !wasRefused, !over.isOpen {
                    do {
                        _ = try await caller.start()
                    } catch {
                        wasRefused = true
                    }
                }
                try await window
            }
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
        }
    }
}
