internal import Records

// From a record to its place: suppressed, behind a leader, in doubt, in a lane, or at its end already.

extension ReplicaMachine {
    /// Records of one partition, in their order. Those of a partition that is not owned are not taken: they come again.
    package mutating func admit(_ events: [DecodedRecord], partition number: Int32, at now: Moment) {
        guard let epoch = partitions[number]?.epoch, partitions[number]?.isOwned == true else { return }
        var hasGap = false
        for event in events where event.offset >= partitions[number]?.position ?? .max {
            let offset = event.offset
            if offset > partitions[number]?.position ?? 0 { hasGap = true }
            partitions[number]?.position = offset + 1
            partitions[number]?.order.append(offset)
            place(
                makeRequest(event, at: now), RequestRef(partition: number, epoch: epoch, offset: offset),
                at: now)
        }
        // What retention has removed since the take-over asked for the partition's beginning.
        if hasGap { adoptOrphans(number, at: now) }
    }

    /// The source partition ends at `offset`: behind transaction markers and compacted gaps that is more than the last
    /// record's offset + 1, and without this the group would show a lag for ever.
    package mutating func sourceEnd(partition number: Int32, offset: Int64, at now: Moment) {
        guard let partition = partitions[number], partition.isOwned, offset > partition.position else { return }
        partitions[number]?.position = offset
        moved(number, at: now)
        adoptOrphans(number, at: now)
    }

    private func makeRequest(_ event: DecodedRecord, at now: Moment) -> Request {
        var account: Int?
        var scope: UInt64 = 0
        var stream: UInt64 = 0
        if case .success(let request) = event.content {
            account = settings.connection(forStream: request.streamID)
            scope = request.scope
            stream = CampaignRequest.streamScope(request.streamID)
        }
        let hash = hash(of: event.identity.key, in: event.partition)
        return Request(
            event: event, hash: hash, account: account, scope: scope, stream: stream,
            expiry: expiry(of: event, at: now) ?? .min,
            admittedAt: now.monotonic, phase: .waiting, entryKey: event.identity.key, entryHash: hash,
            generation: event.replay?.generation ?? 0)
    }

    /// L8, P6: the earlier of the event's own expiry and its record's time + maximum age. A time of -1, before 2000 or
    /// far ahead is no time: nil.
    private func expiry(of event: DecodedRecord, at now: Moment) -> Int64? {
        guard let time = event.record.timestamp, time >= 946_684_800_000,
            time <= now.wall + settings.maximumFutureTime
        else { return nil }
        let oldest = isBroken(.ageIsIgnored) ? .max : time + settings.maximumAge
        guard case .success(let request) = event.content, let own = request.expiresAt else { return oldest }
        return min(own, oldest)
    }

    /// Finds a record's place by what the ledger and the window say of its identity.
    mutating func place(_ new: Request, _ ref: RequestRef, at now: Moment) {
        var request = new
        let known = note(request)
        // A replay that was refused is finished: it must not go on with the attempt of another one.
        if request.generation > 0, isDoneUnderOwnPlace(request) {
            notes.append(.alreadyFinished(known))
            moved(ref.partition, at: now)
            return
        }
        // The partition itself is not taken out: changing it would copy its whole window for each record.
        if let leader = partitions[ref.partition]?.leaders[request.hash], !isBroken(.repeatsGoBesideTheirLeader) {
            if isSameEvent(request, scope: partitions[ref.partition]?.requests[leader]?.scope ?? 0) {
                // L10: the lowest unfinished record of an identity leads, the others wait.
                request.phase = .follower
                insert(request, ref)
                partitions[ref.partition]?.followers[request.hash, default: []].append(ref.offset)
            } else {
                conflict(&request, ref, at: now)
            }
            return
        }
        let entry = partitions[ref.partition]?.index[request.hash]
        if case .attempting? = entry?.state {} else { uncalled[request.hash] = nil }
        // The event that this one was in conflict with may be gone from the source without an entry of its own; another
        // one of the identity may have been called since.
        if request.generation == 0, entry?.isTerminal != true, entry?.sourceOffset != ref.offset,
            ref.offset <= partitions[ref.partition]?.index.highestOffset ?? -1, isDoneUnderOwnPlace(request)
        {
            notes.append(.alreadyFinished(known))
            moved(ref.partition, at: now)
            return
        }
        guard let entry else {
            guard request.generation == 0 else {
                takeUp(request, ref, answering: nil, at: now)
                return
            }
            insert(request, ref, leads: true)
            notes.append(.admitted(known, isPosition: request.event.identity.kind == .position))
            enter(ref, at: now)
            return
        }
        guard isSameEvent(request, scope: entry.scope) || (entry.scope == 0 && entry.isStarted) else {
            conflict(&request, ref, at: now)
            return
        }
        if request.generation > entry.generation, !entry.isStarted {
            takeUp(request, ref, answering: entry, at: now)
            return
        }
        switch entry.state {
        case .attempting where request.generation < entry.generation,
            .released where request.generation < entry.generation:
            // L4: what is below the identity's generation is finished.
            notes.append(.alreadyFinished(known))
            moved(ref.partition, at: now)
        case .started where isBroken(.finishedIsDoneAgain), .deadLettered where isBroken(.deadLetterIsDoneAgain):
            insert(request, ref, leads: true)
            enter(ref, at: now)
        case .started, .deadLettered:
            // L4: met again at its own offset it is the very record that was finished, elsewhere it is a duplicate.
            if entry.sourceOffset == ref.offset {
                notes.append(.alreadyFinished(known))
            } else {
                notes.append(.suppressed(known, age: max(0, now.wall - (request.event.record.timestamp ?? now.wall))))
            }
            moved(ref.partition, at: now)
        case .released(let attempt, let cause):
            request.attempts = attempt
            request.credentialRefusals = cause == .credentials ? 1 : 0
            insert(request, ref, leads: true)
            enter(ref, at: now)
        case .attempting(let attempt):
            request.attempts = attempt.number
            insert(request, ref, leads: true)
            adopt(ref, attempt, at: now)
        }
    }

    /// Whether a record of an identity asks for the call that the identity stands for. A dead letter of an invalid record
    /// names none, nor does a replay whose record was too large for its dead letter.
    private func isSameEvent(_ request: Request, scope: UInt64) -> Bool {
        request.scope == scope || (request.generation > 0 && (scope == 0 || request.scope == 0))
    }

    /// The same identity for another call: a dead letter under the record's own place, since the identity's entry is
    /// the other event's (L10).
    private mutating func conflict(_ request: inout Request, _ ref: RequestRef, at now: Moment) {
        if case .failure(let fault) = request.event.content {
            endUnderOwnPlace(&request, ref, fault.reason, fault.message, at: now)
        } else if request.expiry == .min {
            endUnderOwnPlace(&request, ref, .unusableTime, Self.ageless, at: now)
        } else if isOutsideWindow(request, at: now) {
            // A replay of its dead letter of before may have been started and be forgotten.
            endUnderOwnPlace(&request, ref, .expiredOutsideWindow, Self.forgotten, at: now)
        } else {
            endUnderOwnPlace(
                &request, ref, .identityConflict, "an event of the same identity names another stream or campaign",
                at: now)
        }
    }

    /// A dead letter that is not the identity's own end.
    mutating func endUnderOwnPlace(
        _ request: inout Request, _ ref: RequestRef, _ reason: DeadLetterReason, _ message: String, at now: Moment
    ) {
        let isDone = isDoneUnderOwnPlace(request)
        let place = EventIdentity.position(of: request.event.record)
        request.entryKey = place.key
        request.entryHash = hash(of: place.key, in: ref.partition)
        request.generation = 0
        if isDone || isBroken(.conflictIsSuppressed) {
            notes.append(.alreadyFinished(note(request)))
            moved(ref.partition, at: now)
            return
        }
        insert(request, ref)
        // Whoever replays this dead letter must find it finished.
        partitions[ref.partition]?.leaders[request.entryHash] = ref.offset
        deadLetter(ref, reason, message)
    }

    /// Whether the record has its dead letter under its own place. A replay of that one may be under way there, with its
    /// intent in the ledger or before it.
    func isDoneUnderOwnPlace(_ request: Request) -> Bool {
        let number = request.event.partition
        let hash = hash(of: EventIdentity.position(of: request.event.record).key, in: number)
        if partitions[number]?.leaders[hash] != nil { return true }
        return partitions[number]?.index[hash].map { $0.isTerminal || $0.generation > 0 } ?? false
    }

    mutating func insert(_ request: Request, _ ref: RequestRef, leads: Bool = false) {
        windowBytes += request.event.bytes
        partitions[ref.partition]?.requests[ref.offset] = request
        if leads { partitions[ref.partition]?.leaders[request.hash] = ref.offset }
    }

    /// A request that may be tried: checks that need no ledger, then its lane.
    mutating func enter(_ ref: RequestRef, at now: Moment) {
        guard let request = request(ref) else { return }
        let content: CampaignRequest
        switch request.event.content {
        case .failure(let fault):
            deadLetter(ref, fault.reason, fault.message)
            return
        case .success(let value): content = value
        }
        guard request.expiry != .min else {
            deadLetter(ref, .unusableTime, Self.ageless)
            return
        }
        // First: what may be replayed without a question must not be older than the ledger remembers.
        guard now.wall < request.expiry else {
            expire(ref, at: now)
            return
        }
        guard let account = request.account else {
            deadLetter(ref, .unknownStream, "no connection is configured for the event's streamId")
            return
        }
        if let named = content.accountID, named != settings.connections[account].accountID {
            deadLetter(ref, .accountMismatch, "the event's accountId is not the account of its stream's connection")
            return
        }
        if let notBefore = content.notBefore, notBefore > now.wall {
            guard notBefore < request.expiry else {
                deadLetter(ref, .invalidData, "'notBefore' is not before the event's expiry, its maximum age included")
                return
            }
            setPhase(ref, .delayed)
            timers.add(ref, at: now.monotonic + (notBefore - now.wall))
            return
        }
        setPhase(ref, .waiting)
        lanes.append(
            ref, account: account, scope: request.scope, stream: request.stream, first: request.attempts > 0)
    }

    /// The ledger keeps entries for the window, the maximum age and the margin. So a start that it has forgotten may lie
    /// within the window before this event, where the event is older than the latter two together.
    mutating func expire(_ ref: RequestRef, at now: Moment) {
        if request(ref).map({ isOutsideWindow($0, at: now) }) == true {
            deadLetter(ref, .expiredOutsideWindow, Self.forgotten)
        } else {
            deadLetter(ref, .expired, "the event's expiry or its maximum age passed before it could be called")
        }
    }

    private static let ageless =
        "the record's time stamp is missing, before 2000 or far in the future, so its age is not known: a start of the"
        + " same identity may be forgotten"

    private static let forgotten =
        "the event is older than the ledger's window: a start of the same identity may be forgotten"

    /// Whether the ledger may have forgotten what became of the record (L8).
    private func isOutsideWindow(_ request: Request, at now: Moment) -> Bool {
        guard let time = request.event.record.timestamp else { return false }
        return time < now.wall - settings.maximumAge - settings.ageMargin
    }

    /// The watermark may have moved without a transaction.
    mutating func moved(_ number: Int32, at now: Moment) {
        partitions[number]?.advance()
        if partitions[number]?.watermarkMovedAt == nil { partitions[number]?.watermarkMovedAt = now.monotonic }
    }

}
