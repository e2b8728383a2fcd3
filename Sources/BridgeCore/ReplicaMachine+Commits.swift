// How a transaction ended, and what that means for each of its writes.

extension ReplicaMachine {
    /// How the open transaction ended.
    package mutating func transactionEnded(_ id: Int, _ end: TransactionEnd, at now: Moment) {
        guard let ended = open, ended.plan.id == id else { return }
        open = nil
        if ended.plan.isSettling { settled(ended.plan, end) }
        switch end {
        case .committed:
            for (index, write) in ended.plan.writes.enumerated() {
                committed(write, isSighted: ended.seen.contains(index), at: now)
            }
            for (number, offset) in ended.plan.offsets where partitions[number]?.epoch == ended.epochs[number] {
                partitions[number]?.committed = offset
                partitions[number]?.watermarkMovedAt = nil
                partitions[number]?.mayBeUndone = false
                moved(number, at: now)
            }
        case .aborted(let culprits, let isStale):
            // A refusal that comes after the news is about the assignment before.
            if isStale && ended.plan.assignment == assignment { groupIsStale = true }
            for (index, write) in ended.plan.writes.enumerated().reversed() {
                aborted(write, isCulprit: culprits.contains(index), at: now)
            }
            for (number, partition) in partitions where partition.committed > 0 {
                partitions[number]?.mayBeUndone = true
                partitions[number]?.watermarkMovedAt = partition.watermarkMovedAt ?? now.monotonic
            }
        case .lost where isBroken(.unknownCommitIsAborted):
            isProducerReady = false
            for write in ended.plan.writes.reversed() { aborted(write, isCulprit: false, at: now) }
        case .lost where isBroken(.unknownCommitIsCommitted):
            isProducerReady = false
            for write in ended.plan.writes { committed(write, isSighted: false, at: now) }
        case .lost:
            // What the tail has shown already will not be read again.
            for index in ended.seen.sorted() where !isBroken(.tailOfUnknownCommitForgotten) {
                let write = ended.plan.writes[index]
                // A partition that was taken over since has read the ledger for itself, and further than this.
                guard partitions[write.partition]?.epoch == write.ref.epoch else { continue }
                partitions[write.partition]?.index.apply(write.hash, write.entry, key: write.key)
                if let at = write.entry.at { started(write.entry.scope, at: at) }
            }
            restart(at: now)
        }
    }

    /// - Parameter isSighted: whether the ledger's tail has shown it already.
    private mutating func committed(_ write: LedgerWrite, isSighted: Bool, at now: Moment) {
        let ref = write.ref
        guard let request = request(ref) else {
            // Lost meanwhile; an outcome that is committed needs no memory any more.
            if case .attempting = write.entry.state { return }
            forgetHand(write.hash)
            return
        }
        partitions[ref.partition]?.index.apply(write.hash, write.entry, key: write.key)
        guard !isCalledAlready(write) else { return }
        partitions[ref.partition]?.requests[ref.offset]?.transaction = nil
        if !isSighted { awaitSighting(write, request, at: now) }
        switch request.phase {
        case .intending(let attempt):
            partitions[ref.partition]?.requests[ref.offset]?.isRefused = false
            attempted(request, at: now)
            makeReady(ref, attempt)
            notes.append(.intentCommitted(note(request), attempt: attempt.number))
        case .releasing(_, let cause, let delay):
            forgetHand(write.hash)
            uncalled[write.hash] = nil
            lanes.release(write.hash, scope: request.scope)
            notes.append(.released(note(request), cause, delay: delay))
            if delay > 0 {
                setPhase(ref, .delayed)
                timers.add(ref, at: now.monotonic + delay)
            } else {
                enter(ref, at: now)
            }
        case .finishing(let outcome):
            if isSighted { forgetHand(write.hash) }
            uncalled[write.hash] = nil
            lanes.release(write.hash, scope: request.scope)
            if let at = write.entry.at { started(request.scope, at: at) }
            notes.append(.finished(note(request), outcome, waited: now.monotonic - request.admittedAt))
            remove(ref, request, at: now)
        default: preconditionFailure("a write of a request that had none")
        }
    }

    mutating func makeReady(_ ref: RequestRef, _ attempt: Attempt) {
        guard let request = request(ref) else { return }
        partitions[ref.partition]?.requests[ref.offset]?.attempts = attempt.number
        partitions[ref.partition]?.requests[ref.offset]?.transaction = nil
        setPhase(ref, .ready(attempt))
        readyCount += 1
        if partitions[ref.partition]?.unsighted[request.entryHash] == nil { ready.append(ref) }
    }

    /// Of a bridge that calls before it commits: how the intent's transaction ends changes nothing any more.
    private func isCalledAlready(_ write: LedgerWrite) -> Bool {
        guard isBroken(.callBeforeCommit), case .attempting = write.entry.state else { return false }
        return true
    }

    /// An answer whose outcome is written needs no memory any more; a call under way does.
    mutating func forgetHand(_ hash: KeyHash) {
        if inHand[hash]?.report != nil { inHand[hash] = nil }
    }

    /// Takes a finished request out of the window; those that waited behind it are looked at again.
    private mutating func remove(_ ref: RequestRef, _ request: Request, at now: Moment) {
        windowBytes -= request.event.bytes
        partitions[ref.partition]?.requests[ref.offset] = nil
        partitions[ref.partition]?.deciding.remove(ref.offset)
        moved(ref.partition, at: now)
        for hash in request.hash == request.entryHash ? [request.hash] : [request.hash, request.entryHash] {
            guard partitions[ref.partition]?.leaders[hash] == ref.offset else { continue }
            partitions[ref.partition]?.leaders[hash] = nil
            for offset in partitions[ref.partition]?.followers.removeValue(forKey: hash) ?? [] {
                guard let follower = partitions[ref.partition]?.requests.removeValue(forKey: offset) else { continue }
                windowBytes -= follower.event.bytes
                place(follower, RequestRef(partition: ref.partition, epoch: ref.epoch, offset: offset), at: now)
            }
        }
    }

    /// - Parameter isCulprit: whether its topic would not take it for its size.
    private mutating func aborted(_ write: LedgerWrite, isCulprit: Bool, at now: Moment) {
        let ref = write.ref
        guard !isCalledAlready(write), let request = request(ref) else { return }
        partitions[ref.partition]?.requests[ref.offset]?.transaction = nil
        switch request.phase {
        case .intending:
            uncalled[write.hash] = nil
            guard let account = request.account else { return }
            lanes.withdraw(account: account)
            if isCulprit {
                setPhase(ref, .delayed)
                waitForRoom(ref, request, at: now)
            } else {
                setPhase(ref, .waiting)
                lanes.append(ref, account: account, scope: request.scope, stream: request.stream, first: true)
            }
            lanes.release(write.hash, scope: request.scope)
        case .finishing where isCulprit && request.shortening == .withoutHeaders:
            waitForRoom(ref, request, at: now)
        case .releasing, .finishing:
            if isCulprit { partitions[ref.partition]?.requests[ref.offset]?.shortening = request.shortening.next }
            due.prepend(ref)
        default: preconditionFailure("a write of a request that had none")
        }
    }

    /// P8: what cannot be made smaller must not end every other write's transaction.
    private mutating func waitForRoom(_ ref: RequestRef, _ request: Request, at now: Moment) {
        partitions[ref.partition]?.requests[ref.offset]?.isRefused = true
        let delay = backOff(ref)
        timers.add(ref, at: now.monotonic + delay)
        notes.append(.writeRefused(note(request), delay: delay))
    }
}
