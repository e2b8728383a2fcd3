// An attempt in doubt: its token is the lease. After it nothing is decided before the ledger has been read to an end
// that was taken after the wait, since the answer may stand there (L3).

extension ReplicaMachine {
    /// - Parameter seen: when the attempt was first known to be open; the lease cannot outlast its whole length from
    ///   then on, whatever the wall clock says.
    mutating func doubt(_ ref: RequestRef, _ attempt: Attempt, cause: String, seen: Moment) {
        guard let request = request(ref) else { return }
        let connection = request.account.map { settings.connections[$0] }
        let grace = (connection?.clockLeeway ?? 5000) + (connection?.doubtGrace ?? 10_000)
        let expiry = attempt.tokenExpiry * 1000
        let lifetime = min(max(0, expiry - attempt.startedAt), 3_600_000)
        let remaining = attempt.owner == settings.owner ? max(0, expiry - seen.wall) : lifetime
        var doubt = Doubt(
            attempt: attempt, cause: cause, untilWall: expiry + grace,
            untilMonotonic: seen.monotonic + min(remaining, lifetime) + grace)
        if isBroken(.leaseIsNotWaitedFor) || (isBroken(.readBackBeforeLease) && canReadBack(ref, doubt)) {
            (doubt.untilWall, doubt.untilMonotonic) = (seen.wall, seen.monotonic)
        }
        lanes.hold(request.entryHash, scope: request.scope)
        setPhase(ref, .inDoubt(doubt))
        timers.add(ref, at: doubt.untilMonotonic)
        notes.append(.inDoubt(note(request), cause: cause, decidedAt: doubt.untilMonotonic))
    }

    mutating func leaseEnded(_ ref: RequestRef, _ old: Doubt, at now: Moment) {
        guard case .lease = old.step else { return }
        guard now.wall >= old.untilWall, now.monotonic >= old.untilMonotonic else {
            let rest = max(old.untilWall - now.wall, old.untilMonotonic - now.monotonic)
            timers.add(ref, at: now.monotonic + max(1, min(rest, 60_000)))
            return
        }
        var doubt = old
        doubt.step = .marking
        setPhase(ref, .inDoubt(doubt))
        partitions[ref.partition]?.deciding.insert(ref.offset)
    }

    /// Ledger partitions whose end must be asked for now, as a read_uncommitted client sees it.
    package mutating func doubtMarks(at now: Moment) -> [(partition: Int32, epoch: Int)] {
        var asked: [(partition: Int32, epoch: Int)] = []
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned, partition.markAskedAt == nil else { continue }
            var isWanted = partition.sighting == .wanted
            if isWanted { partitions[number]?.sighting = .asked }
            for offset in partition.deciding {
                guard case .inDoubt(var doubt)? = partition.requests[offset]?.phase, doubt.step == .marking else {
                    continue
                }
                doubt.step = .asked
                partitions[number]?.requests[offset]?.phase = .inDoubt(doubt)
                isWanted = true
            }
            guard isWanted else { continue }
            partitions[number]?.markAskedAt = now.monotonic
            asked.append((number, partition.epoch))
        }
        return asked
    }

    /// The ledger's end that was asked for; nil: it could not be had, and is asked for again.
    package mutating func doubtMark(partition number: Int32, epoch: Int, high: Int64?, at now: Moment) {
        guard let partition = partitions[number], partition.epoch == epoch, let since = partition.markAskedAt else {
            return
        }
        partitions[number]?.markAskedAt = nil
        if let high, high < partition.ledgerEnd {
            // Of another ledger: what is missing there was not undone by the broker.
            ledgerBroken(partition: number, needed: partition.ledgerEnd, at: now)
            return
        }
        for offset in partition.deciding {
            guard case .inDoubt(var doubt)? = partition.requests[offset]?.phase, doubt.step == .asked else { continue }
            doubt.step = high.map { .tailing(mark: $0) } ?? .marking
            partitions[number]?.requests[offset]?.phase = .inDoubt(doubt)
        }
        if partition.sighting == .asked {
            partitions[number]?.sighting = high.map { .tailing(mark: $0, since: since) } ?? .wanted
        }
        if high != nil, partition.tailingSince == nil { partitions[number]?.tailingSince = now.monotonic }
        decideDoubts(partition: number, at: now)
        findUndone(in: number, at: now)
    }

    /// Decides the doubts whose ledger has been read far enough.
    mutating func decideDoubts(partition number: Int32, at now: Moment) {
        guard let partition = partitions[number], partition.isOwned, !partition.deciding.isEmpty else { return }
        for offset in partition.deciding.sorted() {
            guard case .inDoubt(let doubt)? = partition.requests[offset]?.phase,
                case .tailing(let mark) = doubt.step,
                partition.ledgerEnd >= mark || isBroken(.doubtDecidedBeforeMark)
            else { continue }
            let ref = RequestRef(partition: number, epoch: partition.epoch, offset: offset)
            // A clock that is off would end the lease too early: nothing is decided by it.
            if let account = request(ref)?.account, knowledge[account].isClockOff { continue }
            partitions[number]?.deciding.remove(offset)
            if canReadBack(ref, doubt) {
                var reading = doubt
                reading.step = .reading(since: now.monotonic)
                readDoubt(ref, reading, at: now)
            } else {
                unknown(ref, doubt)
            }
        }
    }

    /// A person must look.
    mutating func unknown(_ ref: RequestRef, _ doubt: Doubt) {
        deadLetter(
            ref, .outcomeUnknown,
            "the call may have started the campaign and its outcome is not known (\(doubt.cause)):"
                + " look at the campaign before anything else")
    }

    /// L3: a late answer for an attempt that is in doubt here becomes its outcome.
    mutating func lateArrived(_ hash: KeyHash, partition number: Int32, at now: Moment) {
        guard let partition = partitions[number], let offset = partition.leaders[hash],
            let request = partition.requests[offset], case .inDoubt(let doubt) = request.phase,
            let late = partition.index.late(for: hash)
        else { return }
        let ref = RequestRef(partition: number, epoch: partition.epoch, offset: offset)
        partitions[number]?.deciding.remove(offset)
        notes.append(.lateAnswer(note(request)))
        switch late.result {
        case .started(let answer): finish(ref, .started(answer, evidence: .answer))
        case .rejected(let rejection): reject(ref, rejection)
        case .released(let cause):
            if cause == .credentials { partitions[number]?.requests[offset]?.credentialRefusals += 1 }
            release(ref, doubt.attempt, cause, delay: 0)
        }
    }
}
