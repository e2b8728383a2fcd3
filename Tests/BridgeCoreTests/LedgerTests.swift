import Records
import Testing

@testable import BridgeCore

@Suite("The ledger's wire form and index", .timeLimit(.minutes(5)))
struct LedgerTests {
    static let states: [LedgerEntry.State] =
        [
            .attempting(Attempt(number: 1, owner: "replica-0/a\"1\\é", startedAt: 0, tokenExpiry: 1 << 40)),
            .attempting(Attempt(number: 1_000_000, owner: "", startedAt: startOfTime, tokenExpiry: 0)),
            .started(instanceID: nil), .started(instanceID: "in-1"),
        ] + ReleaseCause.allCases.map { .released(attempt: 3, cause: $0) }
        + DeadLetterReason.allCases.map { .deadLettered($0, nonce: .max) }

    @Test("Each entry is read as it was written", arguments: states)
    func entries(state: LedgerEntry.State) {
        let entry = LedgerEntry(generation: 7, sourceOffset: .max, scope: 0xFFFF_0000_0000_0001, state: state)
        let value = LedgerWire.value(entry)
        #expect(LedgerWire.read(key: [1], value: value) == .entry(key: [1], entry))
        #expect(value.count < 160)
    }

    static let results: [KnownResult] = [
        .started(
            StartAnswer(
                instanceID: "in", status: "Active", message: "é\n\"", totalCallsCompleted: -1, updatedAt: "now")),
        .started(StartAnswer()), .released(.notSent), .released(.credentials),
        .rejected(Rejection(status: 404, message: "no", apiCode: "E1")), .rejected(Rejection(status: 400, message: "")),
    ]

    @Test("Each late answer is read as it was written, under a key of its own", arguments: results)
    func lates(result: KnownResult) {
        let late = LateAnswer(
            identityKey: Array(#"["ce","a","b\n"]"#.utf8), generation: 0, attempt: 2, owner: "r/1", serial: 0,
            result: result)
        #expect(LedgerWire.read(key: LedgerWire.key(late), value: LedgerWire.value(late)) == .late(late))
        #expect(LedgerWire.key(late) != late.identityKey)
        var other = late
        other.owner = "r/2"
        #expect(LedgerWire.key(late) != LedgerWire.key(other))
    }

    @Test(
        "What is no entry of ours changes nothing and ends nothing",
        arguments: [
            nil, "", "{", "[]", "{}", #"{"k":1}"#, #"{"k":"settled"}"#, #"{"other":"x","g":0,"o":1,"s":"00"}"#,
        ] as [String?])
    func foreign(text: String?) {
        let record = LedgerWire.read(key: [1], value: text.map { Array($0.utf8) })
        #expect(record == .other)
        #expect(LedgerWire.read(key: nil, value: LedgerWire.value(.some("e"))) == .other)
    }

    @Test(
        "An entry that cannot be understood is told from what is none, and ends nothing",
        arguments: [
            #"{"k":"started"}"#, #"{"k":"new","g":0,"o":1,"s":"00"}"#,
            #"{"k":"attempting","n":0,"by":"r","q":0,"at":1,"x":1,"g":0,"o":1,"s":"00"}"#,
            #"{"k":"attempting","n":1,"by":"r","q":0,"at":1,"x":9223372036854775807,"g":0,"o":1,"s":"00"}"#,
            #"{"k":"attempting","n":1,"by":"r","q":0,"at":-9223372036854775808,"x":1,"g":0,"o":1,"s":"00"}"#,
            #"{"k":"attempting","n":2147483647,"by":"r","q":0,"at":1,"x":1,"g":0,"o":1,"s":"00"}"#,
            #"{"k":"released","n":1,"c":"other","g":0,"o":1,"s":"00"}"#,
            #"{"k":"started","g":99999999999,"o":1,"s":"00"}"#, #"{"k":"started","g":0,"o":1,"s":"xyz"}"#,
            #"{"k":"late","of":"x","g":0,"n":1,"by":"r","q":0,"was":"other"}"#,
        ])
    func unreadable(text: String) {
        guard case .unreadable = LedgerWire.read(key: [1], value: Array(text.utf8)) else {
            Issue.record("taken")
            return
        }
    }

    @Test("A partition whose ledger holds such an entry is blocked: a start might be in it")
    func blocksPartition() {
        let harness = Harness(change: { _ in })
        harness.ledger[0] = [(Array("k".utf8), Array(#"{"k":"new","g":0,"o":1,"s":"00"}"#.utf8))]
        harness.machine.producerReady(at: harness.now)
        harness.assign([0])
        harness.takeOver()
        harness.admit(event("e", offset: 0))
        #expect(harness.begin() == nil)
        #expect(harness.machine.snapshot(at: harness.now).partitions.map(\.stage) == [.blocked])
    }

    @Test("A million entries are found again, in less than 100 MB")
    func million() {
        var index = LedgerIndex()
        let count = 1_000_000
        var random = SeededRandom(seed: 9)
        for number in 0..<count {
            let hash = KeyHash(high: random.next(), low: random.next())
            let state: LedgerEntry.State =
                number % 2 == 0 ? .started(instanceID: "in") : .deadLettered(.rejected, nonce: UInt64(number))
            index.apply(hash, LedgerEntry(generation: 0, sourceOffset: Int64(number), scope: 5, state: state), key: [])
        }
        #expect(index.count == count)
        #expect(index.bytes < 100_000_000)
        random = SeededRandom(seed: 9)
        var missing = 0
        for number in 0..<count {
            let hash = KeyHash(high: random.next(), low: random.next())
            if index[hash]?.sourceOffset != Int64(number) { missing += 1 }
        }
        #expect(missing == 0)
        #expect(index[KeyHash(high: random.next(), low: random.next())] == nil)
    }

    @Test("Hashes that meet in their slot stay apart")
    func collisions() {
        var index = LedgerIndex()
        for number in 0..<3000 {
            // All in one slot of the table, at each of its sizes.
            let hash = KeyHash(high: UInt64(number) << 32, low: UInt64(number % 2))
            index.apply(
                hash,
                LedgerEntry(generation: 0, sourceOffset: Int64(number), scope: 0, state: .started(instanceID: nil)),
                key: [])
        }
        #expect(
            (0..<3000).allSatisfy {
                index[KeyHash(high: UInt64($0) << 32, low: UInt64($0 % 2))]?.sourceOffset == Int64($0)
            })
        #expect(index[KeyHash(high: 0, low: 1)] == nil)
    }

    @Test("A started entry is final at every generation")
    func absorbing() {
        var index = LedgerIndex()
        let hash = KeyHash(high: 1, low: 1)
        index.apply(hash, .make(.started(instanceID: "in-1")), key: [])
        index.apply(hash, .make(.attempting(.first), generation: 4), key: [])
        index.apply(hash, .make(.deadLettered(.rejected, nonce: 1), generation: 5), key: [])
        #expect(index[hash]?.state == .started(instanceID: nil), "the instance id is not kept in memory")
        #expect(index[hash]?.generation == 0 && index.open.isEmpty)
    }

    @Test("Entries of one identity follow one another in the ledger's order")
    func order() {
        var index = LedgerIndex()
        let hash = KeyHash(high: 1, low: 1)
        index.apply(hash, .make(.attempting(.first)), key: [9])
        #expect(index.open == [hash] && index.key(ofOpen: hash) == [9])
        #expect(index[hash]?.state == .attempting(.first))
        index.apply(hash, .make(.released(attempt: 1, cause: .credentials)), key: [9])
        #expect(index.open.isEmpty && index.key(ofOpen: hash) == nil)
        #expect(index[hash]?.state == .released(attempt: 1, cause: .credentials))
        index.apply(hash, .make(.deadLettered(.expired, nonce: 77)), key: [9])
        #expect(index[hash]?.state == .deadLettered(.expired, nonce: 77))
        #expect(index.count == 1)
        index.apply(hash, .make(.deadLettered(.rejected, nonce: 78), generation: 1), key: [9])
        index.apply(hash, .make(.deadLettered(.expired, nonce: 77)), key: [9])
        #expect(index[hash]?.generation == 1)
    }

    @Test("A late answer that does not fit takes nothing away from one that does")
    func lateStays() {
        var index = LedgerIndex()
        let hash = KeyHash(high: 1, low: 1)
        let late = LateAnswer(
            identityKey: [], generation: 0, attempt: 1, owner: "r/1", serial: 0,
            result: .started(StartAnswer(instanceID: "in")))
        index.apply(hash, late)
        #expect(index.late(for: hash) == nil, "no attempt is open")
        index.apply(hash, .make(.attempting(.first)), key: [])
        index.apply(hash, late)
        var older = late
        older.owner = "r/0"
        index.apply(hash, older)
        #expect(index.late(for: hash) == late)
        index.apply(hash, .make(.attempting(Attempt(number: 2, owner: "r/1", startedAt: 2, tokenExpiry: 3))), key: [])
        #expect(index.late(for: hash) == nil, "it was for the attempt before")
        index.apply(hash, .make(.started(instanceID: nil)), key: [])
        index.apply(hash, late)
        #expect(index.late(for: hash) == nil)
    }
}

extension Attempt {
    static let first = Attempt(number: 1, owner: "r/1", startedAt: 1, tokenExpiry: 2)
}

extension LedgerEntry {
    static func make(_ state: State, generation: Int32 = 0) -> LedgerEntry {
        LedgerEntry(generation: generation, sourceOffset: 3, scope: 4, state: state)
    }

    static func some(_ instance: String) -> LedgerEntry { make(.started(instanceID: instance)) }
}
