import Records
import Testing

@testable import BridgeCore

@Suite("Holds and the control topic", .timeLimit(.minutes(5)))
struct ControlBoardTests {
    private func record(_ offset: Int64, _ key: String, _ value: String?) -> Record {
        Record(
            topic: "control", partition: 0, offset: offset, timestamp: 5, key: Array(key.utf8),
            value: value.map { Array($0.utf8) })
    }

    private func record(_ offset: Int64, _ scope: HoldScope, _ hold: Hold?) -> Record {
        Record(topic: "control", partition: 0, offset: offset, timestamp: 5, key: scope.key, value: hold?.value)
    }

    private let hold = Hold(who: "ann", why: "incident \"7\"", at: 1000)

    @Test("Keys and values are those of the contract")
    func wire() {
        let keys: [(HoldScope, String)] = [
            (.all, #"["hold","all"]"#), (.account("main"), #"["hold","account","main"]"#),
            (.stream("st-1"), #"["hold","stream","st-1"]"#),
            (.campaign(streamID: "st-1", campaignID: "cd-1"), #"["hold","campaign","st-1","cd-1"]"#),
        ]
        for (scope, text) in keys {
            #expect(String(decoding: scope.key, as: UTF8.self) == text)
            #expect(HoldScope(parts: scope.parts) == scope)
        }
        #expect(String(decoding: hold.value, as: UTF8.self) == #"{"who":"ann","why":"incident \"7\"","at":1000}"#)
        #expect(HoldScope(parts: []) == nil && HoldScope(parts: ["account"]) == nil && HoldScope(parts: ["x"]) == nil)
    }

    @Test("A hold stands until its deletion, and the last one counts")
    func holds() {
        var board = ControlBoard()
        board.apply(record(0, .all, hold))
        board.apply(record(1, .stream("st-1"), hold))
        var later = hold
        later.why = "more"
        board.apply(record(2, .all, later))
        #expect(board.holds[.all]?.hold == later && board.holds[.all]?.offset == 2)
        board.apply(record(3, .all, nil))
        #expect(Set(board.holds.keys) == [.stream("st-1")])
    }

    @Test("Records of nobody change nothing, and a hold that cannot be read holds all the same")
    func odd() {
        var board = ControlBoard()
        for key in [
            "", "x", "[]", "[1]", #"["hold"]"#, #"["hold","all","x"]"#, #"["replica"]"#, "{}", #"["other","x"]"#,
        ] {
            board.apply(record(0, key, "{}"))
        }
        board.apply(record(1, #"["replica","r/1"]"#, #"{"until":"soon"}"#))
        #expect(board.holds.isEmpty && board.force(of: 0, at: 0) == .init(confirmed: [], awaited: []))
        board.apply(record(2, #"["hold","all"]"#, "not JSON"))
        #expect(board.holds[.all] != nil)
    }

    @Test("In force when each replica that may still act has read beyond the hold")
    func force() {
        var board = ControlBoard()
        board.apply(record(0, #"["replica","r1/a"]"#, #"{"until":10000,"seen":7,"at":1}"#))
        board.apply(record(1, #"["replica","r2/b"]"#, #"{"until":20000,"seen":8,"at":1}"#))
        #expect(board.force(of: 7, at: 10_999).awaited.map(\.owner) == ["r1/a"])
        #expect(board.force(of: 7, at: 10_999).confirmed.map(\.owner) == ["r2/b"])
        // Its lease and a second more have passed.
        #expect(board.force(of: 7, at: 11_000).isInForce)
        board.apply(record(2, #"["replica","r1/a"]"#, #"{"until":30000,"seen":8,"at":1}"#))
        #expect(board.force(of: 7, at: 15_000).isInForce)
        #expect(!board.force(of: 8, at: 15_000).isInForce)
        board.apply(record(3, #"["replica","r1/a"]"#, nil))
        board.apply(record(4, #"["replica","r2/b"]"#, nil))
        #expect(board.force(of: 99, at: 0).isInForce)
    }

    @Test("Replicas of long ago are forgotten, the oldest first")
    func bound() {
        var board = ControlBoard()
        for number in 0...ControlBoard.maximumReplicas {
            board.apply(record(0, #"["replica","r/\#(number)"]"#, #"{"until":\#(number + 10),"seen":0,"at":1}"#))
        }
        let awaited = board.force(of: 5, at: 0).awaited
        #expect(awaited.count == ControlBoard.maximumReplicas && !awaited.contains { $0.owner == "r/0" })
    }

    @Test("Which holds an event stands under")
    func under() {
        var board = ControlBoard()
        let scopes: [HoldScope] = [
            .all, .account("main"), .account("other"), .stream("st-1"), .stream("st-2"),
            .campaign(streamID: "st-1", campaignID: "cd-1"), .campaign(streamID: "st-2", campaignID: "cd-1"),
        ]
        for (offset, scope) in scopes.enumerated() { board.apply(record(Int64(offset), scope, hold)) }
        let mine = board.holds(account: "main", streamID: "st-1", campaignID: "cd-1")
        let expected: Set<HoldScope> = [
            .all, .account("main"), .stream("st-1"), .campaign(streamID: "st-1", campaignID: "cd-1"),
        ]
        #expect(Set(mine) == expected)
        #expect(board.holds(account: nil, streamID: nil, campaignID: nil) == [.all])
    }
}
