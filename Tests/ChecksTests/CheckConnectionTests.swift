import Configuration
import KoreSimulator
import Synchronization
import Testing

@testable import Bridge
@testable import BridgeCore
@testable import Checks
@testable import KoreAPI
@testable import campaign_bridge

@Suite("What check makes of the API's answers")
struct CheckConnectionTests {
    private var connection: Configuration.ConnectionSettings {
        var connection = Configuration.ConnectionSettings()
        connection.name = "main"
        connection.baseURL = "https://platform.example"
        return connection
    }

    private func report(_ result: ReadResult<CampaignPage>) -> ReadReport<CampaignPage> {
        ReadReport(result: result, status: nil, serverTime: nil, duration: .zero)
    }

    private func line(_ result: ReadResult<CampaignPage>, isStreamKnown: Bool = true) -> CheckLine {
        CheckConnections.lines(connection, report(result), now: 0, isStreamKnown: isStreamKnown)[0]
    }

    @Test("each class of answer has its state")
    func classes() {
        func refusal(_ kind: Refusal.Kind) -> ReadResult<CampaignPage> {
            .refused(Refusal(kind: kind, status: 401, message: "m"))
        }
        let rejection = ReadResult<CampaignPage>.rejected(Rejection(status: 404, message: "m"))
        #expect(line(.value(CampaignPage(campaigns: [], hasMore: false))).state == .fine)
        #expect(line(refusal(.credentials)).state == .failed)
        #expect(line(refusal(.credentials)).advice?.contains("clientSecret") == true)
        #expect(line(refusal(.throttled)).state == .warning)
        #expect(line(refusal(.unavailable)).isUnreachable)
        #expect(line(refusal(.foreignAnswer)).state == .failed)
        #expect(line(rejection).state == .warning)
        #expect(line(rejection, isStreamKnown: false).state == .fine)
        #expect(line(.noAnswer(cause: "tls")).advice?.contains("caFile") == true)
        #expect(line(.noAnswer(cause: "dns")).isUnreachable)
    }

    @Test(
        "a clock is off from the leeway on, and a whole second of the Date header is no difference",
        arguments: [
            (0, CheckLine.State.fine), (999, .fine), (3000, .fine), (3501, .warning), (6000, .warning), (6001, .failed),
            (-2500, .fine), (-2501, .warning), (-5001, .failed),
        ] as [(Int64, CheckLine.State)])
    func clock(ahead: Int64, state: CheckLine.State) {
        #expect(CheckConnections.clockLine(connection, server: 1_000_000, now: 1_000_000 + ahead).state == state)
    }

    @Test("an API that takes expired tokens is warned of; only 401 and 403 are refusals of the token")
    func expired() {
        func line(_ result: ReadResult<CampaignPage>) -> CheckLine {
            CheckConnections.expiredLine(connection, ExpiredToken(result))
        }
        func refusal(_ kind: Refusal.Kind) -> ReadResult<CampaignPage> {
            .refused(Refusal(kind: kind, status: 401, message: ""))
        }
        #expect(line(.value(CampaignPage(campaigns: [], hasMore: false))).state == .warning)
        #expect(line(refusal(.credentials)).state == .fine)
        #expect(line(refusal(.throttled)).state == .skipped)
        #expect(line(refusal(.foreignAnswer)).state == .skipped)
        // A stream that does not exist is answered alike, whatever the token.
        #expect(line(.rejected(Rejection(status: 404, message: ""))).state == .skipped)
        #expect(line(.noAnswer(cause: "dns")).state == .skipped)
    }

    @Test("a read-back is tried, and what keeps it from deciding is said")
    func readBack() {
        func line(_ result: StatusReport.Result, isThrottled: Bool = false) -> CheckLine {
            let report = StatusReport(result: result, isThrottled: isThrottled, requests: 2, duration: .zero)
            return CheckConnections.readBackLine(connection, ("cd-1", report))
        }
        #expect(line(.seen(CampaignState(status: "Ready", marker: "m"))).state == .fine)
        #expect(line(.seen(CampaignState(status: "Ready", marker: nil))).advice?.contains("readBack: false") == true)
        #expect(line(.unusable(cause: "list_too_long")).text.contains("500"))
        #expect(line(.unusable(cause: "list_too_long")).advice?.contains("listPages") == true)
        #expect(line(.unusable(cause: "not_listed")).state == .warning)
        #expect(line(.noAnswer(cause: "timeout")).state == .warning)
        #expect(line(.noAnswer(cause: "throttled"), isThrottled: true).advice?.contains("rate") == true)
        #expect(CheckConnections.readBackLine(connection, nil).state == .skipped)
    }
}

@Suite("What check asks of the API", .timeLimit(.minutes(5)))
struct CheckedConnectionTests {
    private static let start: Int64 = 1_760_000_000_000

    /// The lines of a check of one connection, and what the API was asked for. Both clocks stand still; ours is one
    /// second ahead of the API's.
    private func check(
        _ change: (inout SimulatorSettings) -> Void = { _ in },
        _ connectionChange: (inout Configuration.ConnectionSettings) -> Void = { _ in }
    ) async throws -> (lines: [CheckLine], asked: [JournalEntry]) {
        var simulated = SimulatorSettings()
        simulated.campaigns = (1...3).map { number in
            SimulatorCampaign(campaignId: "cd-\(number)", streamId: "st-1", accountId: "acc1")
        }
        // With an offset the Date header is that of the test's clock.
        simulated.clockOffset = .seconds(-1)
        simulated.tokenLeeway = .seconds(1)
        change(&simulated)
        return try await withKoreSimulator(simulated, now: { Self.start }) { simulator in
            var connection = Configuration.ConnectionSettings()
            connection.name = "main"
            connection.baseURL = simulator.baseURL
            connection.streams = ["st-1"]
            connection.accountId = "acc1"
            connection.clientId = SimulatorSettings.demoApp.clientId
            connection.clientSecret = Secret(SimulatorSettings.demoApp.key)
            connection.readBack = true
            connection.deadline = .seconds(60)
            connectionChange(&connection)
            var settings = BridgeSettings()
            settings.connections = [connection]
            let client = try settings.campaignClient(version: "1")
            let lines = Mutex<[CheckLine]>([])
            let check = CheckConnections(settings: settings) { Moment(wall: Self.start, monotonic: 0) }
            await check.run(client) { line in lines.withLock { $0.append(line) } }
            await client.close()
            return (lines.withLock { $0 }, simulator.journal)
        }
    }

    private func states(_ lines: [CheckLine]) -> [String] {
        lines.filter { !$0.name.hasPrefix("clock") }.map { "\($0.name): \($0.state.rawValue)" }
    }

    @Test("A read-back and a read with an expired token are tried on a campaign of the list, and nothing is started")
    func all() async throws {
        let (lines, asked) = try await check()
        #expect(states(lines) == ["connection main: ok", "read-back main: ok", "tokens main: ok"])
        #expect(asked.map(\.operation) == ["list", "status", "list", "status"])
        #expect(asked.map(\.campaign) == ["", "cd-1", "", "cd-1"])
        #expect(asked.map { $0.reason ?? "" } == ["", "", "", "token"])
    }

    @Test("Without read-backs none is tried; an expired token still is")
    func off() async throws {
        let (lines, asked) = try await check({ _ in }, { $0.readBack = false })
        #expect(states(lines) == ["connection main: ok", "tokens main: ok"])
        #expect(asked.map(\.operation) == ["list", "status"])
    }

    @Test("Where no campaign is known, that is said")
    func noCampaign() async throws {
        let (lines, asked) = try await check { $0.campaigns = [] }
        #expect(states(lines) == ["connection main: ok", "read-back main: skip", "tokens main: ok"])
        #expect(asked.map(\.operation) == ["list", "list"])
    }

    @Test("An API that lets tokens live on for longer than the clock leeway is warned of")
    func leeway() async throws {
        let (lines, _) = try await check { $0.tokenLeeway = .seconds(30) }
        #expect(states(lines) == ["connection main: ok", "read-back main: ok", "tokens main: warn"])
    }

    @Test("A token counts as expired by the API's own clock")
    func skewed() async throws {
        // Ours is 4 s ahead, then 4 s behind, which the leeway allows.
        let (lines, _) = try await check {
            $0.clockOffset = .seconds(-4)
            $0.tokenLeeway = .seconds(5)
        }
        #expect(states(lines) == ["connection main: ok", "read-back main: ok", "tokens main: ok"])
        let (lenient, _) = try await check {
            $0.clockOffset = .seconds(4)
            $0.tokenLeeway = .seconds(8)
        }
        #expect(states(lenient).last == "tokens main: warn")
    }

    @Test("Reads that say nothing, or that the API turns away")
    func failing() async throws {
        let (lines, _) = try await check(
            { $0.faults = [FaultRule(operations: ["status"], count: 1, fault: .wrongData())] })
        #expect(states(lines) == ["connection main: ok", "read-back main: warn", "tokens main: ok"])
        let (throttled, _) = try await check(
            { $0.faults = [FaultRule(operations: ["status"], fault: .rateLimited())] })
        #expect(states(throttled) == ["connection main: ok", "read-back main: warn", "tokens main: skip"])
    }
}
