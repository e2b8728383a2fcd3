internal import BridgeCore

// The consumer's side of rebalances, as the Kafka client reports them: every event has a number, each ends a held
// revoke of a lower number.

extension Process {
    func requestJoin() {
        request { [self] in world.join(self) }
    }

    private func requestJoinAgain() {
        guard let member = memberID else { return }
        let claims = owned
        request { [self] in world.joinAgain(self, member: member, claims: claims) }
    }

    /// Requests of one connection arrive in their order.
    private func request(_ action: @escaping () -> Void) {
        lastGroupRequest = max(lastGroupRequest, world.now + world.latency())
        world.after(lastGroupRequest - world.now, action)
    }

    /// The group is gathering its members.
    func rebalanceNeeded(member: Int) {
        guard memberID == member else { return }
        if held != nil {
            // A change of metadata makes the client join again although our revoke is held.
            if world.setup.isCooperative && world.chance(500) {
                requestJoinAgain()
            } else {
                mustJoinAfterRevoke = true
            }
            return
        }
        if world.setup.isCooperative || owned.isEmpty {
            requestJoinAgain()
        } else {
            mustJoinAfterRevoke = true
            hold(owned, added: [], generation: 0)
        }
    }

    /// The group's answer to a join. What is new and what is to be given up, the client finds by its own view.
    func synced(member: Int, generation: Int, _ assigned: [Int32]) {
        if memberID == nil && member > lostMember { memberID = member }
        guard memberID == member else { return }
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
        take(new, generation: generation, member: member)
    }

    private func take(_ named: [Int32], generation: Int, member: Int) {
        rebalances += 1
        // What a revoke had named that a later revoke did not name again is still ours, and is ours anew.
        let new = named + takenBack.filter { owned.contains($0) && !named.contains($0) }
        takenBack = []
        metadata = [rebalances: GroupMetadata(member: member, generation: generation)]
        world.story("\(self) is assigned \(new), generation \(generation)")
        for partition in new { sources[partition] = nil }
        machine.assigned(number: rebalances, partitions: new, at: moment)
    }

    private func hold(_ partitions: [Int32], added: [Int32], generation: Int) {
        if let overtaken = held {
            world.count(.revokeOvertakenByRevoke)
            takenBack += overtaken.partitions
        }
        takenBack.removeAll { partitions.contains($0) }
        rebalances += 1
        world.count(.revokeHeld)
        world.story("\(self) is to give up \(partitions)")
        let now = moment
        let deadline = now.monotonic + world.setup.holdDeadline
        held = HeldRevoke(
            number: rebalances, partitions: partitions, added: added, generation: generation, deadline: deadline)
        for partition in partitions { sources[partition] = nil }
        machine.revoked(number: rebalances, partitions: partitions, isLost: false, deadline: deadline, at: now)
    }

    /// The machine lets go of a held revoke. One that was overtaken is not answered.
    func finishRevoke(_ number: Int) {
        guard let revoke = held, revoke.number == number else { return }
        held = nil
        if moment.monotonic >= revoke.deadline { world.count(.revokeTimedOut) }
        owned.removeAll { revoke.partitions.contains($0) }
        world.story("\(self) gives up \(revoke.partitions)")
        if !revoke.added.isEmpty, let member = memberID {
            owned = (owned + revoke.added).sorted()
            take(revoke.added, generation: revoke.generation, member: member)
        }
        guard mustJoinAfterRevoke else { return }
        mustJoinAfterRevoke = false
        receiveGroup(after: 0) { self.requestJoinAgain() }
    }

    /// The group knows this member no more.
    func membershipLost(_ member: Int) {
        guard memberID == member else { return }
        world.count(.assignmentLost)
        world.story("\(self) has lost its membership, and with it \(owned)")
        memberID = nil
        lostMember = member
        takenBack = []
        held = nil
        mustJoinAfterRevoke = false
        rebalances += 1
        let lost = owned
        owned = []
        for partition in lost { sources[partition] = nil }
        if !lost.isEmpty {
            let now = moment
            machine.revoked(number: rebalances, partitions: lost, isLost: true, deadline: now.monotonic, at: now)
        }
        requestJoin()
    }
}
