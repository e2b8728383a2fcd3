// What the group says: partitions assigned, revoked, lost; a revoke is held while their calls end.

extension ReplicaMachine {
    /// The group gave us partitions. A revoke that is still held is over by this, and its answer is never sent: the
    /// assignment is a new one (L1).
    package mutating func assigned(number: Int, partitions list: [Int32], at now: Moment) {
        assignment = number
        groupIsStale = false
        for revoke in revokes {
            for partition in revoke.partitions { giveUp(partition) }
        }
        revokes.removeAll()
        for partition in list {
            giveUp(partition)
            begin(partition, at: now)
        }
        shareBudgets(at: now)
    }

    /// The group takes partitions back. The revoke is held while their calls end, until `deadline` (monotonic); what
    /// is lost already is given up at once.
    package mutating func revoked(
        number: Int, partitions list: [Int32], isLost: Bool, deadline: Int64, at now: Moment
    ) {
        groupIsStale = false
        for partition in list {
            if isLost && isBroken(.lostPartitionIsKept) { continue }
            // A revoke that takes over a held one names partitions that are draining already.
            if !isLost && partitions[partition]?.isDraining == true { continue }
            if isLost || partitions[partition]?.isOwned != true {
                giveUp(partition)
            } else {
                partitions[partition]?.stage = .draining
                giveBackUnsighted(partition)
                notes.append(.partition(partition, .draining))
            }
        }
        if !isLost {
            revokes.append(HeldRevoke(number: number, partitions: list, deadline: deadline))
        }
        shareBudgets(at: now)
    }

    /// Held revokes that may be answered now: nothing of their partitions is under way, or their time is up.
    package mutating func finishedRevokes(at now: Moment) -> [Int] {
        var finished: [Int] = []
        for revoke in revokes {
            let isQuiet = revoke.partitions.allSatisfy { partitions[$0]?.isQuiet ?? true }
            guard isQuiet || now.monotonic >= revoke.deadline else { continue }
            for partition in revoke.partitions { giveUp(partition) }
            finished.append(revoke.number)
        }
        revokes.removeAll { finished.contains($0.number) }
        if !finished.isEmpty { shareBudgets(at: now) }
        return finished
    }
}
