import Foundation
import RawSockets
import Synchronization
import Testing

@testable import KoreSimulator

/// A clock that tests move.
final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_700_000_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// Calls of the campaign API, as a client makes them.
struct Caller: Sendable {
    static let stream = "st-0603182c-7ffb-53c3-b307-47ca14b00000"
    static let account = "60e1ca10a22da60b3fe0cd3a"
    static let campaign = "cd-1234567-aaaa-bbbb-cccc-1234567890ab"

    var simulator: KoreSimulator
    var clock: TestClock

    func token(_ id: String = UUID().uuidString, lifetime: Duration = .seconds(30)) -> String {
        SimulatorToken.make(now: clock.now / 1000, lifetime: lifetime, tokenId: id)
    }

    func headers(token: String? = nil) -> [String] {
        [
            "auth: \(token ?? self.token())", "iid: \(Self.stream)", "accountId: \(Self.account)",
            "Content-Type: application/json", "X-Request-Id: r-1",
        ]
    }

    func start(
        _ campaign: String = campaign, trigger: String = "play", token: String? = nil
    ) async throws -> (head: String, body: String, end: RawClient.End) {
        try await RawClient.exchange(
            port: simulator.port, "POST",
            "/api/v2/public/\(Self.stream)/campaign/trigger/\(campaign)?accountId=\(Self.account)&campaignType=voice&trigger=\(trigger)",
            headers: headers(token: token), body: "{}")
    }

    func read(
        _ rest: String, method: String = "POST", body: String = "{}"
    ) async throws -> (head: String, body: String, end: RawClient.End) {
        try await RawClient.exchange(
            port: simulator.port, method, "/campaign/api/v2/public/\(Self.stream)/campaign/\(rest)", headers: headers(),
            body: method == "GET" ? "" : body)
    }
}

/// A simulator with a test's clock, without a rate limit unless the test sets one.
func withSimulator(
    _ change: (inout SimulatorSettings) -> Void = { _ in }, _ body: (Caller) async throws -> Void
) async throws {
    var settings = SimulatorSettings()
    settings.ratePerMinute = 0
    settings.onActive = .startAnother
    change(&settings)
    let clock = TestClock()
    try await withKoreSimulator(settings, now: { clock.now }) { simulator in
        try await body(Caller(simulator: simulator, clock: clock))
    }
}
