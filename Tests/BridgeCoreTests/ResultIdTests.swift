import JSON
import Testing

@testable import BridgeCore

@Suite("Ids of the bridge's own events", .timeLimit(.minutes(5)))
struct ResultIdTests {
    private let encoder = ResultEncoder(
        topics: ResultTopics(
            source: "campaign-start", started: "started", deadLetters: "dead", ledger: "ledger", failed: "failed"),
        format: .structured, eventSource: "/bridge", accounts: ["acc1"], version: "1")

    /// The ids of the started and failed events of everything that is due.
    private func ids(_ harness: Harness) throws -> [String] {
        var ids: [String] = []
        while let plan = harness.commit() {
            for record in encoder.records(of: plan, at: startOfTime).records
            where record.topic == "started" || record.topic == "failed" {
                ids.append(try #require(try JSONReader.parse(record.value ?? [])["id"]?.string))
            }
        }
        return ids
    }

    @Test("Conflicts of one identity have ids of their own, the same again for the same record")
    func conflicts() throws {
        func history() throws -> [String] {
            let harness = Harness.owning()
            harness.answer(try #require(harness.call(event("e1", offset: 0, campaign: "cd-1"))), active)
            harness.admit(
                event("e1", offset: 1, campaign: "cd-2"), event("e1", offset: 2, campaign: "cd-2"),
                event("e1", offset: 3, campaign: "cd-3"))
            return try ids(harness)
        }
        let found = try history()
        #expect(found.count == 4 && Set(found).count == 4)
        #expect(found.count { $0.hasPrefix("failed-") } == 3)
        let again = try history()
        #expect(again.sorted() == found.sorted())
    }

    @Test("Any other outcome has its identity's id")
    func others() throws {
        let harness = Harness.owning()
        let started = event("e1", offset: 0)
        harness.answer(try #require(harness.call(started)), active)
        let refused = RequestDecoder().decode(record("{", offset: 1))
        harness.admit(refused)
        let found = try ids(harness)
        #expect(
            found.sorted() == [
                "failed-\(refused.identity.requestID)-0", "started-\(started.identity.requestID)-0",
            ])
    }
}
