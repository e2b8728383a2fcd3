// Group commit: one transaction, again and again, with everything that is due.

extension ReplicaMachine {
    /// The next transaction, or nil while one is open, the producer is not ready or nothing is due.
    ///
    /// Idle, it holds one intent at once; under load, all that came in while the last one was under way.
    package mutating func nextTransaction(at now: Moment) -> TransactionPlan? {
        guard open == nil, isProducerReady, !groupIsStale, let assignment else { return nil }
        transactions += 1
        sweepUnsighted(at: now)
        boundEntries(at: now)
        settleSlowTails(at: now)
        if (settleAttempts.left > 0 || !standingResults.isEmpty) && !isDraining { return settling(assignment) }
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
            if watermark > partition.committed || partition.mayBeUndone {
                plan.offsets[number] = watermark
            } else {
                partitions[number]?.watermarkMovedAt = nil
            }
        }
        guard !plan.offsets.isEmpty else { return nil }
        var epochs: [Int32: Int] = [:]
        for number in plan.offsets.keys {
            epochs[number] = partitions[number]?.epoch
            if let end = partitions[number]?.ledgerEnd, end > 0 { plan.ledgerEnds[number] = end }
        }
        let places = Dictionary(
            plan.writes.enumerated().map { ($0.element.hash, $0.offset) }, uniquingKeysWith: { $1 })
        if isBroken(.offsetsNotSent) && !plan.writes.isEmpty { plan.offsets = [:] }
        open = OpenTransaction(plan: plan, epochs: epochs, places: places)
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
            if settings.connections[next.account].readsBack && !isFreshlyRead(request, at: now) {
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
