import BridgeCore
import KoreSimulator
import Synchronization
import Testing

@testable import KoreAPI

@Suite("Read-backs of the simulated API", .timeLimit(.minutes(5)))
struct SimulatedReadBackTests {
    private static let start: Int64 = 1_700_000_000_000

    /// What happens between the reading before a call and the one after it.
    struct Story: Sendable, CustomTestStringConvertible {
        var name: String
        var settings: @Sendable (inout SimulatorSettings) -> Void = { _ in }
        var faults: [FaultRule] = []
        var between: @Sendable (KoreSimulator) -> Void = { _ in }
        var decision: ReadBackDecision
        var wasStarted: Bool

        var testDescription: String { name }
    }

    private static let lost = FaultRule(operations: ["start"], fault: .reset(act: true))
    private static let never = FaultRule(operations: ["start"], fault: .stall(act: false, atMost: .milliseconds(1)))

    // The reading before the call asks once for the status and three times for a page of the list.
    private static let stories: [Story] = [
        Story(name: "the answer was lost", faults: [lost], decision: .started, wasStarted: true),
        Story(name: "the call was lost", faults: [never], decision: .notStarted, wasStarted: false),
        Story(
            name: "the run has ended", settings: { $0.runDuration = .seconds(1) }, faults: [lost], decision: .unknown,
            wasStarted: true),
        Story(
            name: "the marker moves late, and the status shows it", settings: { $0.markerDelay = .seconds(3600) },
            faults: [lost], decision: .unknown, wasStarted: true),
        Story(
            name: "the status stays", settings: { $0.statusStays = true }, faults: [lost], decision: .unknown,
            wasStarted: true),
        Story(
            name: "the marker never moves", settings: { $0.markerStays = true }, faults: [lost], decision: .unknown,
            wasStarted: true),
        Story(
            name: "somebody stopped it", faults: [lost],
            between: { $0.setStatus("cd-1", to: "Stopped") }, decision: .unknown, wasStarted: true),
        Story(
            name: "the reads are down",
            faults: [
                lost, FaultRule(operations: ["status"], skip: 1, fault: .unavailable()),
            ], decision: .undecided, wasStarted: true),
        Story(
            name: "the list is down", faults: [lost, FaultRule(operations: ["list"], skip: 3, fault: .reset())],
            decision: .undecided, wasStarted: true),
        Story(
            name: "the status is another campaign's",
            faults: [lost, FaultRule(operations: ["status"], skip: 1, fault: .wrongData())], decision: .unknown,
            wasStarted: true),
        Story(
            name: "the list is another campaign's",
            faults: [lost, FaultRule(operations: ["list"], skip: 3, fault: .wrongData())], decision: .unknown,
            wasStarted: true),
        Story(
            name: "the account is throttled",
            faults: [lost, FaultRule(operations: ["status"], skip: 1, fault: .rateLimited(retryAfter: "9"))],
            decision: .undecided, wasStarted: true),
    ]

    @Test("What a lost answer is taken for, and what was really done", arguments: stories)
    func story(story: Story) async throws {
        let clock = Mutex(Self.start)
        let now: @Sendable () -> Int64 = { clock.withLock { $0 } }
        var settings = SimulatorSettings()
        settings.runDuration = .zero
        settings.ratePerMinute = 0
        settings.requireTokenId = true
        settings.faults = story.faults
        // Campaigns before it in the list take up its first pages.
        settings.campaigns = (0..<5).map { number in
            SimulatorCampaign(campaignId: "cd-0-\(number)", streamId: "st-1", accountId: "acc1")
        }
        story.settings(&settings)
        // With an offset the Date header is that of the test's clock.
        settings.clockOffset = .seconds(1)
        try await withKoreSimulator(settings, now: now) { simulator in
            let client = try CampaignClient(connections: [
                ConnectionSettings(
                    name: "main", baseURL: simulator.baseURL, streamIDs: ["*"], accountID: "acc1",
                    clientID: SimulatorSettings.demoApp.clientId, key: SimulatorSettings.demoApp.key,
                    deadline: .seconds(60), listPageSize: 2)
            ])
            func read(_ id: String) async -> StatusReport {
                let seconds = now() / 1000
                return await client.read(
                    StatusRead(
                        connection: "main", streamID: "st-1", campaignID: "cd-1", accountID: "acc1",
                        identityLabel: "r", issuedAt: seconds, tokenExpiry: seconds + 40, tokenID: id), now: now)
            }
            let before = await read("before")
            guard case .seen(let state) = before.result else {
                Issue.record("\(before.result)")
                return
            }
            #expect(state.status == "Ready" && state.marker != nil)
            #expect(before.requests == 4)
            let expiry = Self.start / 1000 + 40
            let attempt = await client.start(
                StartCall(
                    connection: "main", streamID: "st-1", campaignID: "cd-1", accountID: "acc1", attempt: 1,
                    identityLabel: "r", issuedAt: Self.start / 1000, tokenExpiry: expiry, tokenID: "start",
                    notAfter: Moment(wall: expiry * 1000, monotonic: .max)),
                now: { Moment(wall: now(), monotonic: 0) })
            guard case .unknown = attempt.result else {
                Issue.record("\(attempt.result)")
                return
            }
            clock.withLock { $0 += 60_000 }
            story.between(simulator)
            let after = await read("after")
            #expect(after.serverTime == Self.start + 61_000 || after.serverTime == nil)
            let decision = ReadBackDecision.decide(
                before: state, after: after, afterLease: (after.serverTime ?? 0) > expiry * 1000 + 5000,
                isExclusive: true, markerWasSeenToMove: true, expiredTokenIsRefused: true)
            #expect(decision == story.decision, "\(after)")
            #expect(simulator.counts.starts["cd-1", default: 0] == (story.wasStarted ? 1 : 0))
            #expect(after.isThrottled == (after.retryAfter == .seconds(9)))
            await client.close()
        }
    }

    @Test("The reads themselves refuse a token that is used twice or has expired")
    func tokens() async throws {
        try await withKoreSimulator(now: { Self.start }) { simulator in
            let client = try CampaignClient(connections: [
                ConnectionSettings(
                    name: "main", baseURL: simulator.baseURL, streamIDs: ["*"], accountID: "acc1",
                    clientID: SimulatorSettings.demoApp.clientId, key: SimulatorSettings.demoApp.key,
                    deadline: .seconds(60))
            ])
            let now = Self.start / 1000
            var read = StatusRead(
                connection: "main", streamID: "st-1", campaignID: "cd-1", accountID: "acc1", identityLabel: "r",
                issuedAt: now, tokenExpiry: now + 60, tokenID: "j")
            guard case .seen = await client.read(read, now: { now * 1000 }).result else {
                Issue.record("not seen")
                return
            }
            #expect(await client.read(read, now: { now * 1000 }).result == .noAnswer(cause: "credentials"))
            (read.issuedAt, read.tokenExpiry, read.tokenID) = (now - 60, now - 20, "old")
            #expect(await client.read(read, now: { (now - 30) * 1000 }).result == .noAnswer(cause: "credentials"))
            #expect(simulator.counts.started == 0)
            await client.close()
        }
    }
}
