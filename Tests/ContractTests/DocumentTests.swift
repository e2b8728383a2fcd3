import JSON
import Operations
import Records
import Testing

@testable import BridgeCore

@Suite("Examples of the documents, executed", .timeLimit(.minutes(5)))
struct DocumentTests {
    /// The request of the page, as the source gives it.
    private func request() throws -> DecodedRecord {
        let value = try example("start-request", in: text(of: "docs/contracts.md"))
        return RequestDecoder().decode(
            Record(
                topic: "campaign-start-requests", partition: 3, offset: 1042, timestamp: 1_769_851_800_000,
                key: nil, value: Array(value.utf8), headers: [Header("content-type", "application/cloudevents+json")]))
    }

    private func records(_ outcome: Outcome) throws -> [OutgoingRecord] {
        let write = Samples.write(try request(), outcome)
        return Samples.encoder(.structured).records(
            of: TransactionPlan(id: 1, assignment: 1, writes: [write], offsets: [3: 1043]), at: 1_769_851_801_250
        ).records
    }

    @Test("The request is taken, and the started event is what the encoder makes of it")
    func started() throws {
        let answer = StartAnswer(
            instanceID: "ci-1", status: "Active", message: "Campaign Started", totalCallsCompleted: 0,
            updatedAt: "2026-01-31T09:30:01.100Z")
        let value = try #require(try records(.started(answer, evidence: .answer))[0].value)
        let shown = try json(example("campaign-started", in: text(of: "docs/contracts.md")))
        let written = try JSONReader.parse(value)
        #expect(shown == written, "\(String(decoding: value, as: UTF8.self))")
    }

    @Test("The failed event is what the encoder makes of the same request")
    func failed() throws {
        let outcome = Outcome.deadLetter(
            .rejected, message: "the API answered 404: Campaign not found", nonce: 0x0123_4567_89ab_cdef)
        let value = try #require(try records(outcome).first { $0.topic == Samples.topics.failed }?.value)
        let shown = try json(example("campaign-start-failed", in: text(of: "docs/contracts.md")))
        let written = try JSONReader.parse(value)
        #expect(shown == written, "\(String(decoding: value, as: UTF8.self))")
    }

    @Test("The data is taken as plain JSON and as a binary event")
    func data() throws {
        let value = Array(try example("start-request.data", in: text(of: "docs/contracts.md")).utf8)
        for headers in [[], [("specversion", "1.0"), ("id", "1"), ("source", "/crm"), ("type", "x")]] {
            let record = Record(
                topic: "t", partition: 0, offset: 0, timestamp: 1, key: nil, value: value,
                headers: headers.map { Header("ce_" + $0.0, $0.1) })
            let request = try RequestDecoder().decode(record).content.get()
            #expect(request.campaignID == "cd-1234567-aaaa" && request.notBefore != nil && request.expiresAt != nil)
        }
    }

    @Test("The table of reasons is the code's list")
    func reasons() throws {
        let page = try text(of: "docs/contracts.md")
        let shown = try rows(of: page, below: "### Reasons").filter { $0.count == 4 }.map {
            $0[0...2].joined(separator: " ")
        }
        #expect(shown == DeadLetterReason.allCases.map { "\($0.rawValue) \($0.category) \($0.isSafeToReplay)" })
    }

    @Test("The table of headers is what dead letters have, and says which are always there")
    func headers() throws {
        let page = try text(of: "docs/contracts.md")
        let rows = try rows(of: page, below: "### Headers")
        let letters = Samples.all().filter { $0.headers == "dead-letter.headers.schema.json" }
        let prefixes = ["campaign-bridge-", "__connect.errors.", "kafka_dlt-"]
        let names = letters.map { letter in
            Set(
                letter.record.headers.compactMap { String(validating: $0.name, as: UTF8.self) }.filter { name in
                    prefixes.contains { name.hasPrefix($0) }
                })
        }
        let all = names.reduce(into: Set<String>()) { $0.formUnion($1) }
        let always = names.reduce(all) { $0.intersection($1) }
        #expect(Set(rows.map { $0[0] }) == all)
        #expect(Set(rows.filter { $0[1] == "yes" }.map { $0[0] }) == always)
        #expect(rows.allSatisfy { ["yes", "no"].contains($0[1]) })
    }

    @Test("The table of replay headers is what replays have, and says which are always there")
    func replayHeaders() throws {
        let rows = try rows(of: text(of: "docs/contracts.md"), below: "## Replays")
        let names = Samples.replays.map { replay in
            Set(
                replay.record.headers.compactMap { String(validating: $0.name, as: UTF8.self) }.filter { name in
                    name.hasPrefix(Replay.HeaderName.prefix)
                })
        }
        let all = names.reduce(into: Set<String>()) { $0.formUnion($1) }
        #expect(Set(rows.map { $0[0] }) == all)
        #expect(Set(rows.filter { $0[1] == "yes" }.map { $0[0] }) == names.reduce(all) { $0.intersection($1) })
    }

    @Test("The control topic's examples are what the commands write")
    func control() throws {
        let page = try text(of: "docs/contracts.md")
        let hold = try json(example("control-record/hold", in: page))
        #expect(hold.bytes == Hold(who: "ann", why: "incident 7", at: 1_769_851_800_000).value)
        let key = try json(example("control-key/campaign", in: page))
        let scope = HoldScope.campaign(
            streamID: "st-0603182c-7ffb-53c3-b307-47ca14b00000", campaignID: "cd-1234567-aaaa")
        #expect(key.bytes == scope.key)
    }

    @Test(
        "The ledger's examples are entries that the bridge reads, and writes the same",
        arguments: ["attempting", "released", "started", "dead-lettered", "late"])
    func entries(name: String) throws {
        let shown = try json(example("ledger-entry/\(name)", in: text(of: "docs/ledger.md")))
        switch LedgerWire.read(key: Array("k".utf8), value: shown.bytes) {
        case .entry(_, let entry): #expect(LedgerWire.value(entry) == shown.bytes)
        case .late(let late):
            #expect(LedgerWire.value(late) == shown.bytes)
            let key = try json(example("ledger-key/late", in: text(of: "docs/ledger.md")))
            #expect(LedgerWire.key(late) == key.bytes)
        case .unreadable, .other: Issue.record("\(name) is no entry")
        }
    }

    @Test("The ledger's keys are those of the identities that they stand for", arguments: ["ce", "field", "position"])
    func keys(name: String) throws {
        let key = try json(example("ledger-key/\(name)", in: text(of: "docs/ledger.md"))).bytes
        let identity = try #require(EventIdentity(key: key))
        #expect(identity.kind.rawValue == name)
        if name == "ce" { #expect(EventIdentity.cloudEvent(source: "/crm/orders", id: "order-4711").key == key) }
    }
}
