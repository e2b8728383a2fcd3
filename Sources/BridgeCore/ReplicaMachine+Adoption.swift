internal import Records

// Attempts that the ledger shows open when their record is met, or was removed: ours, or in doubt (L5, L6).

extension ReplicaMachine {
    /// An open attempt of the ledger: ours and not yet called, ours and under way, or in doubt (L5, L6).
    mutating func adopt(_ ref: RequestRef, _ attempt: Attempt, at now: Moment) {
        guard let request = request(ref) else { return }
        let isOwn = uncalled[request.entryHash]?.attempt == attempt && !isBroken(.ownIntentIsInDoubt)
        if isOwn || (isBroken(.everyOwnIntentIsCalled) && attempt.owner == settings.owner) {
            // L6: our own intent, provably not called. `nextCalls` looks at the token (L7).
            lanes.hold(request.entryHash, scope: request.scope)
            guard let account = request.account else {
                release(ref, attempt, .notSent, delay: 0)
                return
            }
            setPhase(ref, .ready(attempt))
            lanes.takeAgain(account: account, at: now.monotonic)
            readyCount += 1
            if !isUnsighted(ref, request.entryHash, attempt) { ready.append(ref) }
        } else if let hand = inHand[request.entryHash], hand.attempt == attempt {
            goOn(with: hand, request, ref, at: now)
        } else {
            doubt(ref, attempt, cause: "interrupted", seen: now)
            if let own = unwritten[request.entryHash] { partitions[ref.partition]?.index.apply(request.entryHash, own) }
            lateArrived(request.entryHash, partition: ref.partition, at: now)
        }
    }

    /// L5: a call of this process that is under way, or has been answered, is the request's.
    private mutating func goOn(with known: InHand, _ request: Request, _ ref: RequestRef, at now: Moment) {
        inHand[request.entryHash] = known
        inHand[request.entryHash]?.ref = ref
        lanes.hold(request.entryHash, scope: request.scope)
        setPhase(ref, .calling(known.attempt))
        if let report = known.report { settle(ref, report, at: now) }
    }

    /// Open attempts whose source record is gone (removed by retention): they still get their outcome, with the place
    /// of the record and without its bytes.
    mutating func adoptOrphans(_ number: Int32, at now: Moment) {
        guard let partition = partitions[number] else { return }
        for hash in partition.index.open where partition.leaders[hash] == nil {
            guard let entry = partition.index[hash], entry.sourceOffset < partition.position,
                partition.requests[entry.sourceOffset] == nil,
                case .attempting(let attempt) = entry.state, let key = partition.index.key(ofOpen: hash),
                let identity = EventIdentity(key: key)
            else { continue }
            let record = Record(
                topic: "", partition: number, offset: entry.sourceOffset, timestamp: nil, key: nil, value: nil)
            let event = DecodedRecord(
                record: record, identity: identity,
                content: .failure(RecordFault(.outcomeUnknown, "the source record is gone")))
            let request = Request(
                event: event, hash: hash, account: nil, scope: entry.scope, stream: 0, expiry: .max,
                admittedAt: now.monotonic, phase: .waiting, attempts: attempt.number, entryKey: key, entryHash: hash,
                generation: entry.generation)
            let ref = RequestRef(partition: number, epoch: partition.epoch, offset: entry.sourceOffset)
            insert(request, ref, leads: true)
            adopt(ref, attempt, at: now)
        }
    }
}
