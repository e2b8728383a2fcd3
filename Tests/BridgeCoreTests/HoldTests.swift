import Records
import Testing

@testable import BridgeCore

@Suite("P7: holds", .timeLimit(.minutes(5)))
struct HoldTests {
    /// A replica with holds, and the control topic as its reader shows it.
    private final class Control {
        let harness: Harness
        var offset: Int64 = 0

        init(lease: Int64 = 10_000) {
            harness = Harness.owning { settings in
                settings.leaseDuration = lease
                settings.confirmInterval = lease / 3
            }
            harness.machine.controlEnd(0)
        }

        @discardableResult
        func append(_ key: [UInt8], _ value: [UInt8]?) -> Int64 {
            let record = Record(
                topic: "control", partition: 0, offset: offset, timestamp: harness.now.wall, key: key, value: value)
            harness.machine.control(record, at: harness.now)
            offset += 1
            return offset - 1
        }

        @discardableResult
        func hold(_ scope: HoldScope) -> Int64 {
            append(scope.key, Hold(who: "ann", why: "test", at: harness.now.wall).value)
        }

        func write() -> LeaseWrite? { harness.machine.leaseWrite(at: harness.now) }

        /// A confirmation that is written and read back.
        @discardableResult
        func confirm() -> LeaseWrite? {
            guard let lease = write() else { return nil }
            harness.machine.leaseWritten(true, at: harness.now)
            append(lease.replica.key, lease.replica.value(at: lease.at))
            return lease
        }
    }

    @Test("Without a confirmation that was read back nothing is intended")
    func noLease() throws {
        let control = Control()
        control.harness.admit(event("e", offset: 0))
        #expect(control.harness.commit() == nil)
        let lease = try #require(control.write())
        control.harness.machine.leaseWritten(true, at: control.harness.now)
        #expect(control.harness.commit() == nil, "written, but what stands before it may not be applied")
        control.append(lease.replica.key, lease.replica.value(at: lease.at))
        #expect(control.harness.commit()?.kinds == ["attempting 1"])
    }

    @Test("A lease that is over keeps a committed intent from being called, by either clock")
    func leaseEnds() {
        for isWall in [true, false] {
            let control = Control()
            control.confirm()
            control.harness.admit(event("e", offset: 0))
            control.harness.commit()
            if isWall { control.harness.now.wall += 10_000 } else { control.harness.now.monotonic += 10_000 }
            #expect(control.harness.calls().isEmpty)
            control.confirm()
            #expect(control.harness.calls().count == 1)
        }
    }

    @Test("L7, P6, P7: an order ends with the token, the event or the lease, whichever is first")
    func orderEnds() throws {
        let own = RFC3339.format(startOfTime + 5000)
        for (lease, expiry, end) in [
            (100_000, "", nil), (10_000, "", startOfTime + 10_000),
            (10_000, #","expiresAt":"\#(own)""#, startOfTime + 5000),
        ] as [(Int64, String, Int64?)] {
            let control = Control(lease: lease)
            control.confirm()
            let monotonic = control.harness.now.monotonic
            control.harness.admit(event("e", offset: 0, extra: expiry))
            control.harness.commit()
            let order = try #require(control.harness.calls().first)
            #expect(order.call.notAfter.wall == end ?? order.attempt.tokenExpiry * 1000)
            #expect(order.call.notAfter.monotonic == monotonic + lease)
        }
    }

    @Test(
        "A hold stops what it names before the next intent, and nothing else",
        arguments: [
            HoldScope.all, .account("main"), .stream("st-1"), .campaign(streamID: "st-1", campaignID: "cd-1"),
        ])
    func scopes(scope: HoldScope) {
        let control = Control()
        control.confirm()
        control.hold(.stream("st-9"))
        control.hold(.account("nobody"))
        control.hold(.campaign(streamID: "st-2", campaignID: "cd-1"))
        control.hold(scope)
        control.harness.admit(event("e", offset: 0))
        #expect(control.harness.commit() == nil)
        control.append(scope.key, nil)
        #expect(control.harness.commit()?.kinds == ["attempting 1"])
    }

    @Test("A hold of one campaign leaves the others their turn")
    func others() {
        let control = Control()
        control.confirm()
        control.hold(.campaign(streamID: "st-1", campaignID: "cd-1"))
        control.harness.admit(event("a", offset: 0), event("b", offset: 1, campaign: "cd-2"))
        control.harness.commit()
        #expect(control.harness.calls().map(\.call.campaignID) == ["cd-2"])
    }

    @Test("An intent that is committed and not called is released, and waits")
    func released() throws {
        let control = Control()
        control.confirm()
        control.harness.admit(event("e", offset: 0))
        control.harness.commit()
        control.hold(.all)
        #expect(control.harness.calls().isEmpty)
        #expect(control.harness.commit()?.kinds == ["released 1 not-sent"])
        #expect(control.harness.commit() == nil)
        control.append(HoldScope.all.key, nil)
        #expect(control.harness.commit()?.kinds == ["attempting 2"])
    }

    @Test("A process that ends without a lease releases its uncalled intents all the same")
    func releasedWithoutLease() throws {
        let control = Control()
        control.confirm()
        control.harness.admit(event("e", offset: 0))
        control.harness.commit()
        control.harness.wait(20_000)
        control.harness.machine.beginDrain()
        #expect(control.harness.calls().isEmpty)
        #expect(control.harness.commit()?.kinds == ["released 1 not-sent"])
    }

    @Test("A hold is confirmed at once, and its confirmation says that it was seen")
    func confirmed() throws {
        let control = Control()
        control.confirm()
        #expect(control.write() == nil, "not due")
        let hold = control.hold(.all)
        let lease = try #require(control.write())
        #expect(lease.replica.seen > hold)
        #expect(control.write() == nil, "one at a time")
        control.harness.machine.leaseWritten(false, at: control.harness.now)
        #expect(control.write() == nil)
        control.harness.wait(1000)
        #expect(control.write() != nil, "tried again")
    }

    @Test("Nothing is confirmed before the control topic has been read to an end")
    func unread() {
        let harness = Harness.owning { $0.leaseDuration = 10_000 }
        #expect(harness.machine.leaseWrite(at: harness.now) == nil)
    }

    @Test("What is held still expires")
    func expires() {
        let control = Control()
        control.confirm()
        control.hold(.all)
        control.harness.admit(event("e", offset: 0))
        control.harness.wait(86_400_001)
        control.harness.commitAll()
        #expect(control.harness.results.map(\.summary) == ["dead expired"])
    }
}
