import Foundation
import Testing

@testable import KoreSimulator

/// What the status call and the list show of a campaign.
private struct View: Equatable {
    private struct Status: Decodable {
        struct Data: Decodable { var status: String }
        var data: Data
    }

    private struct List: Decodable {
        struct Entry: Decodable {
            var _id: String
            var status: String
            var campaignInstanceUpdatedAt: String
        }
        struct Data: Decodable { var results: [Entry] }
        var data: Data
    }

    var status: String
    var listStatus: String
    var marker: String

    init(_ caller: Caller, _ id: String = Caller.campaign) async throws {
        let state = try await caller.read("\(id)/status?accountId=\(Caller.account)&view=status").body
        let list = try await caller.read(
            "getAllCampaignDetails?accountId=\(Caller.account)", body: "{\"type\":\"voice\"}"
        ).body
        status = try JSONDecoder().decode(Status.self, from: Data(state.utf8)).data.status
        let entries = try JSONDecoder().decode(List.self, from: Data(list.utf8)).data.results
        let entry = try #require(entries.first { $0._id == id })
        (listStatus, marker) = (entry.status, entry.campaignInstanceUpdatedAt)
    }
}

@Suite("The simulated execution marker", .timeLimit(.minutes(5)))
struct MarkerTests {
    @Test("It is there before the first run, moves with each start, stop and end of a run, and stays otherwise")
    func moves() async throws {
        try await withSimulator({ $0.runDuration = .seconds(60) }) { caller async throws in
            _ = try await caller.read("\(Caller.campaign)/status?accountId=\(Caller.account)&view=status")
            var views = [try await View(caller)]
            func look(_ status: String) async throws {
                views.append(try await View(caller))
                #expect(views.last?.status == status && views.last?.listStatus == status)
            }
            // All of it in one millisecond: markers differ all the same.
            _ = try await caller.start()
            try await look("Active")
            _ = try await caller.start(trigger: "stop")
            try await look("Stopped")
            _ = try await caller.start()
            try await look("Active")
            caller.clock.advance(milliseconds: 60_000)
            try await look("Completed")
            #expect(Set(views.map(\.marker)).count == 5 && views.map(\.marker) == views.map(\.marker).sorted())
            caller.clock.advance(milliseconds: 60_000)
            #expect(try await View(caller) == views.last)
        }
    }

    @Test(
        "It moves where the answer to a start is lost, and not where the call is",
        arguments: [
            (SimulatorFault.reset(act: true), true), (.close(act: true), true), (.truncated(bytes: 3), true),
            (.stall(act: true, atMost: .milliseconds(1)), true), (.gatewayUnavailable(), true),
            (.htmlError(502, act: true), true), (.garbage(), true), (.empty(204), true),
            (.reset(act: false), false), (.resetBeforeReading, false), (.status(500), false),
            (.stall(act: false, atMost: .milliseconds(1)), false),
        ])
    func lostAnswers(fault: SimulatorFault, isStarted: Bool) async throws {
        try await withSimulator({ $0.faults = [FaultRule(operations: ["start"], fault: fault)] }) {
            caller async throws in
            _ = try await caller.read("\(Caller.campaign)/status?accountId=\(Caller.account)&view=status")
            let before = try await View(caller)
            caller.clock.advance(milliseconds: 1000)
            _ = try await caller.start()
            let after = try await View(caller)
            #expect(after.status == (isStarted ? "Active" : "Ready"))
            #expect((after.marker > before.marker) == isStarted)
            #expect(isStarted || after == before)
        }
    }

    /// Changes of the settings, with what reads show after a start, and 5 s later.
    private static let settings: [(json: String, status: [String], isMoved: [Bool])] = [
        ("{}", ["Active", "Active"], [true, true]),
        (#"{"markerDelayMilliseconds":5000}"#, ["Active", "Active"], [false, true]),
        (#"{"readDelayMilliseconds":5000}"#, ["Ready", "Active"], [false, true]),
        (#"{"readDelayMilliseconds":5000,"markerDelayMilliseconds":9000}"#, ["Ready", "Active"], [false, false]),
        (#"{"statusStays":true}"#, ["Ready", "Ready"], [true, true]),
        (#"{"markerStays":true}"#, ["Active", "Active"], [false, false]),
        (#"{"statusStays":true,"markerDelayMilliseconds":5000}"#, ["Ready", "Ready"], [false, true]),
    ]

    @Test("Settings hold the marker or the status back", arguments: settings.indices)
    func heldBack(index: Int) async throws {
        let (json, status, isMoved) = Self.settings[index]
        var settings = SimulatorSettings()
        settings.ratePerMinute = 0
        settings = try SimulatorSettings(json: Array(json.utf8), over: settings)
        try await withSimulator({ $0 = settings }) { caller async throws in
            _ = try await caller.read("\(Caller.campaign)/status?accountId=\(Caller.account)&view=status")
            let before = try await View(caller)
            _ = try await caller.start()
            for (status, isMoved) in zip(status, isMoved) {
                let view = try await View(caller)
                #expect(view.status == status && view.listStatus == status && (view.marker != before.marker) == isMoved)
                caller.clock.advance(milliseconds: 5000)
            }
            #expect(caller.simulator.counts.starts == [Caller.campaign: 1])
        }
    }

    @Test("Reads can fail or lie while starts go on")
    func reads() async throws {
        try await withSimulator({
            $0.faults = [
                FaultRule(operations: ["status", "list"], campaign: "*", count: 1, fault: .wrongData()),
                FaultRule(operations: ["status", "list"], fault: .unavailable()),
            ]
        }) { caller async throws in
            let state = "\(Caller.campaign)/status?accountId=\(Caller.account)&view=status"
            let list = "getAllCampaignDetails?accountId=\(Caller.account)"
            for (path, body) in [(state, "{}"), (list, #"{"type":"voice"}"#)] {
                let wrong = try await caller.read(path, body: body)
                #expect(wrong.head.hasPrefix("HTTP/1.1 200") && wrong.body.contains("cd-0000000-another"))
                #expect(!wrong.body.contains(Caller.campaign))
                #expect(try JSONSerialization.jsonObject(with: Data(wrong.body.utf8)) is [String: Any])
                #expect(try await caller.read(path, body: body).head.hasPrefix("HTTP/1.1 503"))
            }
            #expect(try await caller.start().head.hasPrefix("HTTP/1.1 200"))
        }
    }
}
