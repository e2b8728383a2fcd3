// Group commit: one transaction, again and again, with everything that is due.

extension ReplicaMachine {
    /// The next transaction, or nil while one is open, the producer is not ready or nothing is due.
    ///
    /// Idle, it holds one intent at once; under load, all that came in while the last one was under way.
    package mutating func nextTransaction(at now: Moment) -> TransactionPlan? {
        guard open == nil, isProducerReady, !groupIsStale, let assignment else { return nil }
        transactions += 1
        sweepUnsighted(at: now)
        settleSlowTails(at: now)
        if settleAttempts > 0 && !isDraining { return settling(assignment) }
        if !standingResults.isEmpty && !isDraining { return settlingResults(assignment) }
        var plan = TransactionPlan(id: transactions, assignment: assignment, writes: [], offsets: [:])
        expireWaiting(at: now)
        var bytes = 0
        while plan.writes.count < settings.maximumTransaction, bytes < settings.maximumTransactionBytes,
            let ref = due.popFirst()
        {
            guard let write = dueWrite(ref, transaction: plan.id, at: now) else { continue }
            plan.writes.append(write)
            bytes += write.result?.event.bytes ?? 0
        }
        addIntents(to: &plan, at: now)
        // L2: the offsets of every partition with a write are the fence, moved or not.
        for write in plan.writes where plan.offsets[write.partition] == nil {
            if isBroken(.fenceOnlyWhenMoved),
                partitions[write.partition]?.watermark(with: plan.id) == partitions[write.partition]?.committed
            {
                continue
            }
            plan.offsets[write.partition] =
                isBroken(.watermarkTooEarly)
                ? partitions[write.partition]?.position : partitions[write.partition]?.watermark(with: plan.id)
        }
        for number in numbers where plan.offsets[number] == nil {
            guard let partition = partitions[number], partition.isOwned || partition.isDraining,
                let since = partition.watermarkMovedAt,
                !plan.writes.isEmpty || isDraining || partition.isDraining
                    || now.monotonic - since >= settings.offsetInterval
            else { continue }
            let watermark = partition.watermark(with: plan.id)
            if watermark > partition.committed {
                plan.offsets[number] = watermark
            } else {
                partitions[number]?.watermarkMovedAt = nil
            }
        }
        guard !plan.offsets.isEmpty else { return nil }
        var epochs: [Int32: Int] = [:]
        for number in plan.offsets.keys { epochs[number] = partitions[number]?.epoch }
        let places = Dictionary(
            plan.writes.enumerated().map { ($0.element.hash, $0.offset) }, uniquingKeysWith: { $1 })
        if isBroken(.offsetsNotSent) && !plan.writes.isEmpty { plan.offsets = [:] }
        open = OpenTransaction(plan: plan, epochs: epochs, places: places)
        return plan
    }

    /// A mark in each ledger partition, and an offset that means nothing: a new producer's first transaction, and one after
    /// partitions were given up or while an own doubt cannot read on.
    ///
    /// A broker may lose the markers of a transaction that was committed, as Kafka 4.0 to 4.3 does for partitions that
    /// have no leader at that moment (KAFKA-20734): the transaction then stays open for ever and holds up every reader.
    /// A further transaction of the same transactional id that is committed ends it as committed. That is right where
    /// it was committed; where it had been aborted, its intents show as calls that may have been made, and are not made
    /// again.
    private mutating func settling(_ assignment: Int) -> TransactionPlan {
        let plan = TransactionPlan(
            id: transactions, assignment: assignment, writes: [], offsets: [:],
            settles: settings.settledPartitions)
        open = OpenTransaction(plan: plan, epochs: [:], places: [:])
        return plan
    }

    /// Partitions of results have stood still for longer than any transaction may last: readers wait there for a
    /// transaction that the broker has left open.
    package mutating func resultsStand(_ places: [ResultPlace]) { standingResults = places }

    /// A mark is a record without key and value in the results, which readers pass over: so it is written only there.
    private mutating func settlingResults(_ assignment: Int) -> TransactionPlan {
        var plan = TransactionPlan(id: transactions, assignment: assignment, writes: [], offsets: [:])
        plan.settlesResults = standingResults
        standingResults = []
        open = OpenTransaction(plan: plan, epochs: [:], places: [:])
        return plan
    }

    /// L1: whether the assignment that the transaction is bound to still holds. Asked before the offsets are sent.
    package func mayStillCommit(_ id: Int) -> Bool {
        if isBroken(.assignmentRenewed) { return true }
        guard let open, open.plan.id == id, open.plan.assignment == assignment, !groupIsStale else { return false }
        return open.epochs.allSatisfy { partitions[$0.key]?.epoch == $0.value }
    }

    /// The release or outcome of one request as a write.
    private mutating func dueWrite(_ ref: RequestRef, transaction: Int, at now: Moment) -> LedgerWrite? {
        guard let request = request(ref), request.transaction == nil else { return nil }
        let state: LedgerEntry.State
        var result: ResultWrite?
        var startedAt: Int64?
        switch request.phase {
        case .releasing(let attempt, let cause, _): state = .released(attempt: attempt.number, cause: cause)
        case .finishing(let outcome):
            switch outcome {
            case .started(let answer, let evidence):
                state = .started(instanceID: answer.instanceID)
                // What a person found was started some time ago.
                if evidence != .operator { startedAt = now.wall }
            case .deadLetter(let reason, _, let nonce): state = .deadLettered(reason, nonce: nonce)
            }
            result = ResultWrite(
                event: request.event, outcome: outcome, connection: request.account, entryKey: request.entryKey,
                generation: request.generation, attempts: request.attempts, shortening: request.shortening)
        default: return nil
        }
        partitions[ref.partition]?.requests[ref.offset]?.transaction = transaction
        var write = write(ref, request, state, result)
        write.entry.at = startedAt
        return write
    }

    private func write(
        _ ref: RequestRef, _ request: Request, _ state: LedgerEntry.State, _ result: ResultWrite?
    ) -> LedgerWrite {
        LedgerWrite(
            partition: ref.partition, key: request.entryKey,
            entry: LedgerEntry(
                generation: request.generation, sourceOffset: ref.offset, scope: request.scope, state: state),
            result: result, ref: ref, hash: request.entryHash)
    }

    /// Intents for what the lanes let through. Expiry is looked at once more here, right before the intent (P6).
    private mutating func addIntents(to plan: inout TransactionPlan, at now: Moment) {
        guard !isDraining, hasLease(at: now) else { return }
        var intents = 0
        while plan.writes.count < settings.maximumTransaction,
            readyCount + callsInFlight + intents < settings.maximumReady, let next = lanes.next(at: now.monotonic)
        {
            let ref = next.ref
            guard let request = request(ref), case .waiting = request.phase,
                partitions[ref.partition]?.isOwned == true
            else {
                lanes.withdraw(account: next.account)
                continue
            }
            guard now.wall < request.expiry || isBroken(.expiryIsCheckedOnceOnly) else {
                lanes.withdraw(account: next.account)
                expire(ref, at: now)
                continue
            }
            guard !isContradicted(request, in: ref.partition) else {
                lanes.withdraw(account: next.account)
                refuseContradicted(ref, at: now)
                continue
            }
            if isCoolingDown(request, at: now) {
                lanes.withdraw(account: next.account)
                deadLetter(
                    ref, .coolDown, "the campaign was started by another event less than the cool-down ago")
                continue
            }
            if settings.connections[next.account].readsBack && !request.isRead {
                readBefore(ref, request, account: next.account, at: now)
                continue
            }
            let lifetime = settings.connections[next.account].tokenLifetime
            let attempt = Attempt(
                number: request.attempts + 1, owner: settings.owner, startedAt: now.wall,
                tokenExpiry: now.wall / 1000 + lifetime, serial: intentCount,
                before: request.before)
            intentCount += 1
            lanes.hold(request.entryHash, scope: request.scope)
            partitions[ref.partition]?.requests[ref.offset]?.phase = .intending(attempt)
            partitions[ref.partition]?.requests[ref.offset]?.transaction = plan.id
            uncalled[request.entryHash] = Uncalled(
                partition: ref.partition, identityKey: request.entryKey, generation: request.generation,
                attempt: attempt)
            plan.writes.append(write(ref, request, .attempting(attempt), nil))
            if isBroken(.callBeforeCommit) { makeReady(ref, attempt) }
            intents += 1
        }
    }

    /// How the open transaction ended.
    package mutating func transactionEnded(_ id: Int, _ end: TransactionEnd, at now: Moment) {
        guard let ended = open, ended.plan.id == id else { return }
        open = nil
        if ended.plan.settles > 0 {
            // It mends what a broker did; where it cannot be written, all else says why and must not wait for it.
            // An attempt that only its assignment ended is none.
            switch end {
            case .committed: settleAttempts = 0
            case .aborted(_, let isStale) where isStale || ended.plan.assignment != assignment: break
            case .aborted, .lost: settleAttempts -= 1
            }
        }
        switch end {
        case .committed:
            for (index, write) in ended.plan.writes.enumerated() {
                committed(write, isSighted: ended.seen.contains(index), at: now)
            }
            for (number, offset) in ended.plan.offsets where partitions[number]?.epoch == ended.epochs[number] {
                partitions[number]?.committed = offset
                partitions[number]?.watermarkMovedAt = nil
                moved(number, at: now)
            }
        case .aborted(let culprits, let isStale):
            // A refusal that comes after the news is about the assignment before.
            if isStale && ended.plan.assignment == assignment { groupIsStale = true }
            for index in culprits where ended.plan.writes.indices.contains(index) {
                let ref = ended.plan.writes[index].ref
                if let request = request(ref) {
                    partitions[ref.partition]?.requests[ref.offset]?.shortening = request.shortening.next
                }
            }
            for write in ended.plan.writes.reversed() { aborted(write, at: now) }
        case .lost where isBroken(.unknownCommitIsAborted):
            isProducerReady = false
            for write in ended.plan.writes.reversed() { aborted(write, at: now) }
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
            makeReady(ref, attempt)
            notes.append(.intentCommitted(note(request), attempt: attempt.number))
        case .releasing(_, let cause, let delay):
            forgetHand(write.hash)
            uncalled[write.hash] = nil
            lanes.release(write.hash, scope: request.scope)
            partitions[ref.partition]?.requests[ref.offset]?.isRead = false
            partitions[ref.partition]?.requests[ref.offset]?.before = nil
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

    private mutating func makeReady(_ ref: RequestRef, _ attempt: Attempt) {
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

    private mutating func aborted(_ write: LedgerWrite, at now: Moment) {
        let ref = write.ref
        guard !isCalledAlready(write), let request = request(ref) else { return }
        partitions[ref.partition]?.requests[ref.offset]?.transaction = nil
        switch request.phase {
        case .intending:
            uncalled[write.hash] = nil
            guard let account = request.account else { return }
            lanes.withdraw(account: account)
            setPhase(ref, .waiting)
            lanes.append(ref, account: account, scope: request.scope, stream: request.stream, first: true)
            lanes.release(write.hash, scope: request.scope)
        case .releasing, .finishing: due.prepend(ref)
        default: preconditionFailure("a write of a request that had none")
        }
    }

    /// Now and then: what waits in a lane or between attempts past its expiry is finished, also while its account is
    /// paused.
    private mutating func expireWaiting(at now: Moment) {
        guard now.monotonic - sweptAt >= 1000, !isBroken(.expiryIsCheckedOnceOnly) else { return }
        sweptAt = now.monotonic
        var expired: Set<RequestRef> = []
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned else { continue }
            for offset in partition.requests.filter({ $0.value.expiry <= now.wall }).keys.sorted() {
                switch partition.requests[offset]?.phase {
                case .waiting?, .delayed?:
                    let ref = RequestRef(partition: number, epoch: partition.epoch, offset: offset)
                    expired.insert(ref)
                    expire(ref, at: now)
                default: break
                }
            }
        }
        // A lane that is held for days must not remember all that has expired in it.
        if !expired.isEmpty { lanes.remove { expired.contains($0) } }
    }
}
