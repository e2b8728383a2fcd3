internal import BridgeCore

/// What a member sends with its offsets.
struct GroupMetadata {
    var member: Int
    var generation: Int
}

/// The consumer group as its coordinator sees it.
struct Group {
    struct Member {
        let id: Int
        let process: Process
        /// What the group believes it owns.
        var assigned: [Int32] = []
        /// What it said that it owns when it joined (cooperative).
        var claims: [Int32] = []
        var isJoined = true
    }

    var generation = 0
    var members: [Member] = []
    var isPreparing = false
    var round = 0
    var lastMember = 0
    var target: [Int32: Int] = [:]
    /// Offsets by partition, and those of transactions without a marker yet.
    var committed: [Int32: Int64] = [:]
    var pending: [Int32: [Int: Int64]] = [:]

    func index(of member: Int) -> Int? { members.firstIndex { $0.id == member } }
}

extension World {
    private static let rebalanceTimeout: Int64 = 60_000

    /// A process that is no member joins.
    func join(_ process: Process) {
        guard process.state != .dead else { return }
        group.lastMember += 1
        let id = group.lastMember
        if setup.isStatic, let old = group.members.firstIndex(where: { $0.process.slot == process.slot }) {
            if !group.isPreparing {
                // The same instance id in a stable group: the new member steps into the old one's place.
                count(.staticRejoin)
                let assigned = group.members[old].assigned
                group.members[old] = Group.Member(id: id, process: process, assigned: assigned)
                for partition in assigned { group.target[partition] = id }
                let generation = group.generation
                process.receiveGroup(after: latency()) {
                    process.synced(member: id, generation: generation, assigned)
                }
                repairUnowned()
                return
            }
            group.members.remove(at: old)
        }
        group.members.append(Group.Member(id: id, process: process))
        process.receiveGroup(after: latency()) {
            if id > process.lostMember { process.memberID = id }
        }
        group.target = [:]
        beginRebalance("replica \(process) joins", joining: id)
        completeIfJoined()
    }

    func beginRebalance(_ why: String, joining: Int? = nil) {
        guard !group.members.isEmpty, !group.isPreparing else { return }
        count(.rebalance)
        story("the group rebalances: \(why)")
        group.isPreparing = true
        group.round += 1
        let round = group.round
        for index in group.members.indices {
            let member = group.members[index]
            guard member.id != joining else { continue }
            group.members[index].isJoined = false
            notify(member.process, member.id)
        }
        after(World.rebalanceTimeout) {
            guard self.group.isPreparing, self.group.round == round else { return }
            for member in self.group.members where !member.isJoined { self.remove(member.id, "did not join in time") }
            self.completeIfJoined()
        }
    }

    private func notify(_ process: Process, _ member: Int) {
        process.receiveGroup(after: latency() + between(0, isCalm ? 300 : 1500)) {
            process.rebalanceNeeded(member: member)
        }
    }

    /// A member joins again. Without such a member it is told so.
    func joinAgain(_ process: Process, member: Int, claims: [Int32]) {
        guard let index = group.index(of: member) else {
            process.receiveGroup(after: latency()) { process.membershipLost(member) }
            return
        }
        if !group.isPreparing { beginRebalance("replica \(process) joins again", joining: member) }
        group.members[index].claims = claims
        group.members[index].isJoined = true
        completeIfJoined()
    }

    func remove(_ member: Int, _ why: String) {
        guard let index = group.index(of: member) else { return }
        let process = group.members[index].process
        story("the group removes replica \(process): \(why)")
        group.members.remove(at: index)
        process.receiveGroup(after: latency() + between(0, isCalm ? 500 : 3000)) { process.membershipLost(member) }
        group.target = [:]
        beginRebalance("a member is gone")
        completeIfJoined()
    }

    func expireSession(of process: Process, after time: Int64) {
        after(time) {
            guard process.state != .running || process.isCut,
                let member = self.group.members.first(where: { $0.process === process })
            else { return }
            self.count(.sessionExpired)
            self.remove(member.id, "its session has expired")
        }
    }

    private func completeIfJoined() {
        guard group.isPreparing, !group.members.isEmpty, group.members.allSatisfy(\.isJoined) else { return }
        group.isPreparing = false
        group.generation += 1
        let generation = group.generation
        setTarget()
        let owners = group.members.flatMap { member in member.claims.map { ($0, member.id) } }
        let owner = Dictionary(owners, uniquingKeysWith: { first, _ in first })
        for index in group.members.indices {
            let id = group.members[index].id
            let process = group.members[index].process
            let wanted = group.target.keys.sorted().filter { group.target[$0] == id }
            group.members[index].assigned =
                setup.isCooperative ? wanted.filter { owner[$0] == nil || owner[$0] == id } : wanted
            let assigned = group.members[index].assigned
            story("generation \(generation): \(assigned) for replica \(process)")
            process.receiveGroup(after: latency()) {
                process.synced(member: id, generation: generation, assigned)
            }
        }
    }

    /// A static member that restarts while it had to give partitions up is given the rest back, and nobody joins again
    /// for what it gave up. The service's slow watch finds partitions without an owner and subscribes again.
    private func repairUnowned() {
        after(20_000) {
            let owned = self.group.members.flatMap(\.assigned)
            guard !self.group.isPreparing, owned.count < self.source.count else { return }
            self.count(.partitionUnowned)
            self.beginRebalance("a partition has no owner")
        }
    }

    /// Each partition gets a member; those that have one that still lives keep it, in a follow-up of the same change.
    private func setTarget() {
        let ids = group.members.map(\.id)
        var load: [Int: Int] = [:]
        for partition in source.indices {
            if let id = group.target[Int32(partition)], ids.contains(id) { load[id, default: 0] += 1 }
        }
        for partition in source.indices {
            if let id = group.target[Int32(partition)], ids.contains(id) { continue }
            let least = ids.map { load[$0, default: 0] }.min() ?? 0
            let free = ids.filter { load[$0, default: 0] == least }
            let id = free[Int(between(0, Int64(free.count - 1)))]
            group.target[Int32(partition)] = id
            load[id, default: 0] += 1
        }
    }
}
