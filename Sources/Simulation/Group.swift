internal import BridgeCore

/// What a member sends with its offsets.
struct GroupMetadata {
    var member: Int
    var generation: Int
}

/// The consumer group as its coordinator sees it.
final class Group: CustomStringConvertible {
    struct Member {
        let id: Int
        let client: GroupClient
        /// What the group believes it owns.
        var assigned: [Int32] = []
        /// What it said that it owns when it joined (cooperative).
        var claims: [Int32] = []
        var isJoined = true
    }

    unowned let world: World
    /// What it reads.
    let topic: KeyPath<World, [Log]>
    private(set) var generation = 0
    private(set) var members: [Member] = []
    private(set) var isPreparing = false
    private var round = 0
    private var lastMember = 0
    private var target: [Int32: Int] = [:]
    /// Offsets by partition, and those of transactions without a marker yet.
    var committed: [Int32: Int64] = [:]
    var pending: [Int32: [Int: Int64]] = [:]
    /// What stands beside the offsets.
    var ledgerEnds: [Int32: Int64] = [:]
    /// Whether the broker has dropped offsets that it had committed.
    var hasUndone = false

    private static let rebalanceTimeout: Int64 = 60_000

    init(_ world: World, reading topic: KeyPath<World, [Log]>) {
        self.world = world
        self.topic = topic
    }

    var description: String { topic == \World.requests ? "the movers' group" : "the group" }

    func index(of member: Int) -> Int? { members.firstIndex { $0.id == member } }

    /// A process that is no member joins.
    func join(_ client: GroupClient) {
        let process = client.process
        guard process.state != .dead else { return }
        lastMember += 1
        let id = lastMember
        if world.setup.isStatic, let old = members.firstIndex(where: { $0.client.process.slot == process.slot }) {
            if !isPreparing {
                // The same instance id in a stable group: the new member steps into the old one's place.
                world.count(.staticRejoin)
                let assigned = members[old].assigned
                members[old] = Member(id: id, client: client, assigned: assigned)
                for partition in assigned { target[partition] = id }
                tellAssignment(of: members[old])
                repairUnowned()
                return
            }
            members.remove(at: old)
        }
        members.append(Member(id: id, client: client))
        process.receiveGroup(after: world.latency()) { client.admitted(as: id) }
        target = [:]
        beginRebalance("replica \(process) joins", joining: id)
        completeIfJoined()
    }

    /// Divides all partitions anew.
    func divide(_ why: String) {
        target = [:]
        beginRebalance(why)
    }

    private func beginRebalance(_ why: String, joining: Int? = nil) {
        guard !members.isEmpty, !isPreparing else { return }
        world.count(.rebalance)
        world.story("\(self) rebalances: \(why)")
        isPreparing = true
        round += 1
        let round = round
        for index in members.indices where members[index].id != joining {
            members[index].isJoined = false
            notify(members[index])
        }
        world.after(Group.rebalanceTimeout) { [self] in
            guard isPreparing, self.round == round else { return }
            for member in members where !member.isJoined { remove(member.id, "did not join in time") }
            completeIfJoined()
        }
    }

    private func notify(_ member: Member) {
        let delay = world.latency() + world.between(0, world.isCalm ? 300 : 1500)
        member.client.process.receiveGroup(after: delay) { member.client.rebalanceNeeded(member: member.id) }
    }

    /// A member joins again. Without such a member it is told so.
    func joinAgain(_ client: GroupClient, member: Int, claims: [Int32]) {
        guard let index = index(of: member) else {
            client.process.receiveGroup(after: world.latency()) { client.membershipLost(member) }
            return
        }
        if !isPreparing { beginRebalance("replica \(client.process) joins again", joining: member) }
        members[index].claims = claims
        members[index].isJoined = true
        completeIfJoined()
    }

    func remove(_ member: Int, _ why: String) {
        guard let index = index(of: member) else { return }
        let client = members[index].client
        world.story("\(self) removes replica \(client.process): \(why)")
        members.remove(at: index)
        client.process.receiveGroup(after: world.latency() + world.between(0, world.isCalm ? 500 : 3000)) {
            client.membershipLost(member)
        }
        target = [:]
        beginRebalance("a member is gone")
        completeIfJoined()
    }

    func expireSession(of process: Process, after time: Int64) {
        world.after(time) { [self] in
            guard process.state != .running || process.isCut,
                let member = members.first(where: { $0.client.process === process })
            else { return }
            world.count(.sessionExpired)
            remove(member.id, "its session has expired")
        }
    }

    private func completeIfJoined() {
        guard isPreparing, !members.isEmpty, members.allSatisfy(\.isJoined) else { return }
        isPreparing = false
        generation += 1
        setTarget()
        let owners = members.flatMap { member in member.claims.map { ($0, member.id) } }
        let owner = Dictionary(owners, uniquingKeysWith: { first, _ in first })
        for index in members.indices {
            let id = members[index].id
            let wanted = target.keys.sorted().filter { target[$0] == id }
            members[index].assigned =
                world.setup.isCooperative ? wanted.filter { owner[$0] == nil || owner[$0] == id } : wanted
            let process = members[index].client.process
            world.story("\(self), generation \(generation): \(members[index].assigned) for replica \(process)")
            tellAssignment(of: members[index])
        }
    }

    private func tellAssignment(of member: Member) {
        let generation = generation
        member.client.process.receiveGroup(after: world.latency()) {
            member.client.synced(member: member.id, generation: generation, member.assigned)
        }
    }

    /// A static member that restarts while it had to give partitions up is given the rest back, and nobody joins again
    /// for what it gave up. The service's slow watch finds partitions without an owner and subscribes again.
    private func repairUnowned() {
        world.after(20_000) { [self] in
            let owned = members.flatMap(\.assigned)
            guard !isPreparing, owned.count < world[keyPath: topic].count else { return }
            world.count(.partitionUnowned)
            beginRebalance("a partition has no owner")
        }
    }

    /// Each partition gets a member; those that have one that still lives keep it, in a follow-up of the same change.
    private func setTarget() {
        let partitions = world[keyPath: topic].indices
        let ids = members.map(\.id)
        var load: [Int: Int] = [:]
        for partition in partitions {
            if let id = target[Int32(partition)], ids.contains(id) { load[id, default: 0] += 1 }
        }
        for partition in partitions {
            if let id = target[Int32(partition)], ids.contains(id) { continue }
            let least = ids.map { load[$0, default: 0] }.min() ?? 0
            let free = ids.filter { load[$0, default: 0] == least }
            let id = free[Int(world.between(0, Int64(free.count - 1)))]
            target[Int32(partition)] = id
            load[id, default: 0] += 1
        }
    }
}
