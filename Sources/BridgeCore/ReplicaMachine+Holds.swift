package import Records

/// What a replica knows of the operators' holds, and until when it may act on it.
struct Holding {
    /// Until when; both clocks count.
    struct Lease: Equatable {
        var wall: Int64
        var monotonic: Int64
    }

    var board = ControlBoard()
    /// Every control record below this offset is applied.
    var seen: Int64 = 0
    /// Whether the control topic has been read to an end once.
    var isRead = false
    /// In force.
    var lease: Lease?
    /// Written, and in force as soon as it has been read back.
    var planned: Lease?
    var isWriting = false
    /// When the next confirmation is due, monotonic.
    var dueAt: Int64 = .min
}

// P7. A hold is a record of the control topic. A replica that has applied all records up to a place confirms it there,
// with a time until which it may act; whoever waits for a hold waits until each replica has confirmed it, or its time
// is over. The topic's order makes it right: a confirmation counts for the replica itself only once it has read it back,
// with every record before it applied.

extension ReplicaMachine {
    /// One record of the control topic, in its order.
    package mutating func control(_ record: Record, at now: Moment) {
        holding.board.apply(record)
        holding.seen = max(holding.seen, record.offset + 1)
        if let planned = holding.planned, holding.board.replica(settings.owner)?.until == planned.wall,
            record.key == ControlBoard.Replica(owner: settings.owner, until: 0, seen: 0).key
        {
            holding.lease = planned
            holding.planned = nil
        }
        let held = self.held
        guard held != lanes.held else { return }
        lanes.hold(held)
        // Whoever set it waits for this.
        holding.dueAt = .min
    }

    /// The control topic has been read to its end.
    package mutating func controlEnd(_ offset: Int64) {
        holding.seen = max(holding.seen, offset)
        holding.isRead = true
    }

    private var held: Lanes.Held {
        var held = Lanes.Held()
        for scope in holding.board.holds.keys {
            switch scope {
            case .all: held.all = true
            case .account(let name):
                for index in settings.connections.indices where settings.connections[index].name == name {
                    held.accounts.insert(index)
                }
            case .stream(let id): held.streams.insert(CampaignRequest.streamScope(id))
            case .campaign(let stream, let campaign):
                held.campaigns.insert(CampaignRequest.scope(streamID: stream, campaignID: campaign))
            }
        }
        return held
    }

    func isHeld(_ request: Request) -> Bool {
        guard let account = request.account, !isBroken(.heldIntentIsCalled) else { return false }
        return lanes.held.covers(account: account, stream: request.stream, scope: request.scope)
    }

    func hasLease(at now: Moment) -> Bool {
        guard settings.leaseDuration > 0, !isBroken(.leaseIsIgnored) else { return true }
        guard let lease = holding.lease else { return false }
        return now.wall < lease.wall && now.monotonic < lease.monotonic
    }

    /// When the next confirmation is due, monotonic; nil: none is.
    var nextConfirmation: Int64? {
        guard settings.leaseDuration > 0, holding.isRead, !holding.isWriting, !isDraining else { return nil }
        return holding.dueAt
    }

    /// A confirmation to write now, one at a time.
    package mutating func leaseWrite(at now: Moment) -> LeaseWrite? {
        if let lease = holding.lease, now.wall >= lease.wall {
            // Over before its time, by a clock that was set.
            holding.lease = nil
            holding.dueAt = .min
        }
        guard let due = nextConfirmation, now.monotonic >= due else { return nil }
        holding.isWriting = true
        holding.dueAt = now.monotonic + settings.confirmInterval
        let until = now.wall + settings.leaseDuration
        holding.planned = Holding.Lease(wall: until, monotonic: now.monotonic + settings.leaseDuration)
        if isBroken(.confirmedBeforeRead) { holding.lease = holding.planned }
        let seen = isBroken(.confirmedBeforeRead) ? .max / 2 : holding.seen
        return LeaseWrite(
            replica: ControlBoard.Replica(owner: settings.owner, until: until, seen: seen), at: now.wall)
    }

    /// The confirmation stands in the topic, or could not be written: then it is tried again after a second.
    package mutating func leaseWritten(_ isWritten: Bool, at now: Moment) {
        holding.isWriting = false
        if !isWritten { holding.dueAt = now.monotonic + 1000 }
    }
}
