internal import BridgeCore

/// Who reads the partitions that a member owns.
protocol GroupListener: AnyObject, CustomStringConvertible {
    /// Nothing of a reading of this partition that was begun before counts any more.
    func stopReading(_ partition: Int32)
    func assigned(number: Int, partitions: [Int32])
    func revoked(number: Int, partitions: [Int32], isLost: Bool, deadline: Int64)
}

/// The consumer's side of rebalances, as the Kafka client reports them: every event has a number, each ends a held revoke
/// of a lower number.
final class GroupClient {
    unowned let process: Process
    private unowned let world: World
    unowned let group: Group
    private unowned let listener: any GroupListener
    /// nil: no member.
    private(set) var member: Int?
    private var lostMember = 0
    private var lastRequest: Int64 = 0
    /// A request to join has no answer yet: what it said that is owned; and whether another one is to follow it.
    private var joining: [Int32]?
    private var mustJoinAgain = false
    private var rebalances = 0
    private var owned: [Int32] = []
    private var held: HeldRevoke?
    private var mustJoinAfterRevoke = false
    private var takenBack: [Int32] = []
    /// Of the assignment that holds now, by its number.
    private(set) var metadata: [Int: GroupMetadata] = [:]

    private struct HeldRevoke {
        var number: Int
        var partitions: [Int32]
        var added: [Int32]
        var generation: Int
        var deadline: Int64
    }

    init(of process: Process, in group: Group, for listener: any GroupListener) {
        self.process = process
        self.group = group
        self.listener = listener
        world = process.world
    }

    // MARK: - To the group

    func join() {
        joining = []
        request { [self] in group.join(self) }
    }

    private func joinAgain() {
        guard let member else { return }
        if let joining {
            mustJoinAgain = joining != owned
            return
        }
        let claims = owned
        joining = claims
        request { [self] in group.joinAgain(self, member: member, claims: claims) }
    }

    /// Requests of one connection arrive in their order.
    private func request(_ action: @escaping () -> Void) {
        lastRequest = max(lastRequest, world.now + world.latency())
        world.after(lastRequest - world.now, action)
    }

    func heartbeat() {
        guard let member else { return }
        guard let index = group.index(of: member) else {
            membershipLost(member)
            return
        }
        if group.isPreparing, !group.members[index].isJoined { rebalanceNeeded(member: member) }
    }

    /// Ends the membership, unless the next process of this instance is to find it.
    func leave() {
        if !world.setup.isStatic, let member { group.remove(member, "it has left") }
    }

    /// Whether the group has gone on without this member.
    var isZombie: Bool { member.map { group.index(of: $0) == nil } ?? false }

    // MARK: - From the group

    func admitted(as id: Int) {
        if id > lostMember { member = id }
    }

    /// The group is gathering its members.
    func rebalanceNeeded(member id: Int) {
        // Who waits for the answer to a request is not told.
        guard member == id, joining == nil else { return }
        if held != nil {
            // A change of metadata makes the client join again although our revoke is held.
            if world.setup.isCooperative && world.chance(500) {
                joinAgain()
            } else {
                mustJoinAfterRevoke = true
            }
            return
        }
        if world.setup.isCooperative || owned.isEmpty {
            joinAgain()
        } else {
            mustJoinAfterRevoke = true
            hold(owned, added: [], generation: 0)
        }
    }

    /// The group's answer to a join. What is new and what is to be given up, the client finds by its own view.
    func synced(member id: Int, generation: Int, _ assigned: [Int32]) {
        if member == nil { admitted(as: id) }
        guard member == id else { return }
        joining = nil
        take(assigned, generation: generation, member: id)
        guard mustJoinAgain else { return }
        mustJoinAgain = false
        joinAgain()
    }

    private func take(_ assigned: [Int32], generation: Int, member: Int) {
        var added = assigned
        if world.setup.isCooperative {
            added = assigned.filter { !owned.contains($0) }
            let revoked = owned.filter { !assigned.contains($0) }
            if !revoked.isEmpty {
                mustJoinAfterRevoke = true
                hold(revoked, added: added, generation: generation)
                return
            }
        }
        var new = added
        if let overtaken = held {
            world.count(.revokeOvertaken)
            held = nil
            new += overtaken.partitions.filter { assigned.contains($0) && !added.contains($0) }
        }
        owned = assigned
        begin(new, generation: generation, member: member)
    }

    private func begin(_ named: [Int32], generation: Int, member: Int) {
        rebalances += 1
        // What a revoke had named that a later revoke did not name again is still ours, and is ours anew.
        let new = named + takenBack.filter { owned.contains($0) && !named.contains($0) }
        takenBack = []
        metadata = [rebalances: GroupMetadata(member: member, generation: generation)]
        world.story("\(listener) is assigned \(new), generation \(generation)")
        for partition in new { listener.stopReading(partition) }
        listener.assigned(number: rebalances, partitions: new)
    }

    private func hold(_ partitions: [Int32], added: [Int32], generation: Int) {
        if let overtaken = held {
            world.count(.revokeOvertakenByRevoke)
            takenBack += overtaken.partitions
        }
        takenBack.removeAll { partitions.contains($0) }
        rebalances += 1
        world.count(.revokeHeld)
        world.story("\(listener) is to give up \(partitions)")
        let deadline = process.moment.monotonic + world.setup.holdDeadline
        held = HeldRevoke(
            number: rebalances, partitions: partitions, added: added, generation: generation, deadline: deadline)
        for partition in partitions { listener.stopReading(partition) }
        listener.revoked(number: rebalances, partitions: partitions, isLost: false, deadline: deadline)
    }

    /// The machine lets go of a held revoke. One that was overtaken is not answered.
    func finishRevoke(_ number: Int) {
        guard let revoke = held, revoke.number == number else { return }
        held = nil
        if process.moment.monotonic >= revoke.deadline { world.count(.revokeTimedOut) }
        owned.removeAll { revoke.partitions.contains($0) }
        world.story("\(listener) gives up \(revoke.partitions)")
        if !revoke.added.isEmpty, let member {
            owned = (owned + revoke.added).sorted()
            begin(revoke.added, generation: revoke.generation, member: member)
        }
        guard mustJoinAfterRevoke else { return }
        mustJoinAfterRevoke = false
        process.receiveGroup(after: 0) { self.joinAgain() }
    }

    /// The group knows this member no more.
    func membershipLost(_ id: Int) {
        guard member == id else { return }
        world.count(.assignmentLost)
        world.story("\(listener) has lost its membership, and with it \(owned)")
        member = nil
        lostMember = id
        takenBack = []
        held = nil
        mustJoinAfterRevoke = false
        mustJoinAgain = false
        rebalances += 1
        let lost = owned
        owned = []
        for partition in lost { listener.stopReading(partition) }
        if !lost.isEmpty {
            listener.revoked(number: rebalances, partitions: lost, isLost: true, deadline: process.moment.monotonic)
        }
        join()
    }
}
