// Reading a campaign's state: before an attempt, after a start to learn what a start looks like, after a doubt's lease,
// and where the clocks differ. What a reading proves stands in `ReadBackDecision` alone.

/// What this process has seen of one connection's API.
struct ConnectionKnowledge {
    /// The execution marker was another one after a start.
    var markerMoves = false
    /// nil: not tried yet.
    var refusesExpiredTokens: Bool?
    var isTryingExpiredToken = false
    var isLearning = false
    /// A campaign of it, to ask its clock by.
    var campaign: (streamID: String, campaignID: String)?
    var isClockOff = false
    /// After a clock that was off: readings that began before this show no lease that has ended. While it was off, a call
    /// may have been accepted that does not show yet.
    var decidesFrom = Int64.min
    var clockAskedAt: Int64 = .min
    var isAskingClock = false
}

struct ReadingInHand {
    enum Purpose {
        case before(RequestRef)
        /// After a start, with what was seen before it.
        case learning(CampaignState)
        case doubt(RequestRef, Attempt)
        case clock
    }

    var purpose: Purpose
    var account: Int
}

extension ReplicaMachine {
    /// Readings to make now.
    package mutating func nextReads(at now: Moment) -> [ReadOrder] {
        askClocks(at: now)
        defer { readOrders.removeAll() }
        return readOrders
    }

    /// How long what was read of a campaign may stand before an attempt.
    private static let readingAge: Int64 = 60_000

    /// Whether the campaign's state was read not long ago, and after every attempt for it.
    func isFreshlyRead(_ request: Request, at now: Moment) -> Bool {
        guard let readAt = request.readAt, now.monotonic - readAt < Self.readingAge else { return false }
        return lastAttempts[request.scope].map { $0 < readAt } ?? true
    }

    /// What was read of a campaign before this attempt for it says nothing of the next one.
    mutating func attempted(_ request: Request, at now: Moment) {
        guard let account = request.account, settings.connections[account].readsBack else { return }
        if lastAttempts.count > 10_000 {
            lastAttempts = lastAttempts.filter { now.monotonic - $0.value < Self.readingAge }
        }
        lastAttempts[request.scope] = now.monotonic
    }

    mutating func readBefore(_ ref: RequestRef, _ request: Request, account: Int, at now: Moment) {
        guard case .success(let content) = request.event.content else { return }
        lanes.hold(request.entryHash, scope: request.scope)
        partitions[ref.partition]?.requests[ref.offset]?.before = nil
        setPhase(ref, .reading)
        order(
            .before(ref), account, content.streamID, content.campaignID, request.event.identity.requestID,
            content.traceparent, at: now)
    }

    /// Once for each connection: does its marker move with a start?
    mutating func readAfterStart(_ request: Request, _ attempt: Attempt, at now: Moment) {
        guard let account = request.account, let before = attempt.before, settings.connections[account].readsBack,
            !knowledge[account].markerMoves, !knowledge[account].isLearning, !isDraining,
            case .success(let content) = request.event.content
        else { return }
        knowledge[account].isLearning = true
        lanes.takeAgain(account: account, at: now.monotonic)
        order(
            .learning(before), account, content.streamID, content.campaignID, request.event.identity.requestID,
            content.traceparent, at: now)
    }

    func canReadBack(_ ref: RequestRef, _ doubt: Doubt) -> Bool {
        guard let request = request(ref), let account = request.account, doubt.attempt.before != nil else {
            return false
        }
        return settings.connections[account].readsBack
    }

    mutating func readDoubt(_ ref: RequestRef, _ doubt: Doubt, at now: Moment) {
        guard let request = request(ref), let account = request.account,
            case .success(let content) = request.event.content
        else { return }
        setPhase(ref, .inDoubt(doubt))
        guard !isDraining, lanes.accounts[account].pausedUntil <= now.monotonic else {
            timers.add(ref, at: max(now.monotonic + settings.readBackInterval, lanes.accounts[account].pausedUntil))
            return
        }
        lanes.takeAgain(account: account, at: now.monotonic)
        order(
            .doubt(ref, doubt.attempt), account, content.streamID, content.campaignID,
            request.event.identity.requestID, content.traceparent, at: now)
    }

    private mutating func order(
        _ purpose: ReadingInHand.Purpose, _ account: Int, _ streamID: String, _ campaignID: String,
        _ requestID: String, _ traceparent: String?, at now: Moment
    ) {
        readingCount += 1
        readings[readingCount] = ReadingInHand(purpose: purpose, account: account)
        let connection = settings.connections[account]
        knowledge[account].campaign = (streamID, campaignID)
        var tries = false
        if knowledge[account].refusesExpiredTokens == nil && !knowledge[account].isTryingExpiredToken
            && connection.readsBack
        {
            knowledge[account].isTryingExpiredToken = true
            tries = true
        }
        readOrders.append(
            ReadOrder(
                id: readingCount, connection: account,
                read: StatusRead(
                    connection: connection.name, streamID: streamID, campaignID: campaignID,
                    accountID: connection.accountID, identityLabel: requestID, issuedAt: now.wall / 1000,
                    tokenExpiry: now.wall / 1000 + connection.tokenLifetime,
                    tokenID: "\(requestID)-r\(readingCount)-\(random.hex(bytes: 8))",
                    traceparent: TraceContext.child(of: traceparent, random: &random)),
                triesExpiredToken: tries))
    }

    /// A reading has ended.
    ///
    /// - Parameter expired: what trying an expired token showed; nil: it was not tried.
    package mutating func readEnded(_ id: Int, _ report: StatusReport, expired: ExpiredToken?, at now: Moment) {
        guard let hand = readings.removeValue(forKey: id) else { return }
        let account = hand.account
        lanes.readingEnded(account: account)
        lanes.spend(report.requests - 1 + (expired == nil ? 0 : 1), account: account, at: now.monotonic)
        learnClock(report.serverTime, duration: report.duration.milliseconds, account: account, at: now)
        if let expired {
            knowledge[account].isTryingExpiredToken = false
            switch expired {
            case .refused: knowledge[account].refusesExpiredTokens = true
            case .taken: knowledge[account].refusesExpiredTokens = false
            // Tried again with the next reading.
            case .unseen: break
            }
        }
        if report.isThrottled { pause(account, report.retryAfter, at: now) }
        switch hand.purpose {
        case .before(let ref): readBeforeEnded(ref, report, account: account, at: now)
        case .learning(let before):
            knowledge[account].isLearning = false
            if case .seen(let state) = report.result, let old = before.marker, let new = state.marker,
                ReadBackDecision.hasMoved(from: old, to: new)
            {
                knowledge[account].markerMoves = true
            }
        case .doubt(let ref, let attempt): decide(ref, attempt, report, account: account, at: now)
        case .clock: knowledge[account].isAskingClock = false
        }
    }

    private mutating func readBeforeEnded(_ ref: RequestRef, _ report: StatusReport, account: Int, at now: Moment) {
        // The one probe of an open circuit is a reading where there is one: it makes no doubts.
        var waits = report.isThrottled
        if lanes.accounts[account].circuit.openUntil != nil {
            if case .seen = report.result {
                lanes.accounts[account].circuit.succeeded()
                notes.append(.circuitClosed(connection: account))
            } else {
                _ = lanes.accounts[account].circuit.failed(at: now.monotonic)
                waits = true
            }
        }
        guard let request = request(ref), case .reading = request.phase else { return }
        if case .seen(let state) = report.result, !isStartShowing(request, account, at: now) {
            partitions[ref.partition]?.requests[ref.offset]?.before = state
        }
        // Without an answer the attempt is made all the same: a doubt of it is then for a person.
        partitions[ref.partition]?.requests[ref.offset]?.readAt = waits ? nil : now.monotonic
        setPhase(ref, .waiting)
        lanes.append(ref, account: account, scope: request.scope, stream: request.stream, first: true)
        lanes.release(request.entryHash, scope: request.scope)
    }

    private mutating func decide(
        _ ref: RequestRef, _ attempt: Attempt, _ report: StatusReport, account: Int, at now: Moment
    ) {
        guard let request = request(ref), case .inDoubt(let doubt) = request.phase, doubt.attempt == attempt,
            case .reading(let since) = doubt.step
        else { return }
        let connection = settings.connections[account]
        let isAfter = report.serverTime.map { $0 > attempt.tokenExpiry * 1000 + connection.clockLeeway } ?? false
        let afterLease = isAfter && now.monotonic - report.duration.milliseconds >= knowledge[account].decidesFrom
        let decision = ReadBackDecision.decide(
            before: attempt.before, after: report, afterLease: afterLease || isBroken(.readBackBeforeLease),
            isExclusive: connection.isExclusive, markerWasSeenToMove: knowledge[account].markerMoves,
            expiredTokenIsRefused: knowledge[account].refusesExpiredTokens == true)
        notes.append(.readBack(note(request), decision))
        switch decision {
        case .started:
            var status: String?
            if case .seen(let state) = report.result { status = state.status }
            finish(ref, .started(StartAnswer(status: status), evidence: .readBack))
        case .notStarted: release(ref, attempt, .readBack, delay: 0)
        case .undecided where now.monotonic - since < settings.readBackTimeout:
            timers.add(ref, at: now.monotonic + settings.readBackInterval)
        case .undecided, .unknown: unknown(ref, doubt)
        }
    }

    // MARK: - Clocks

    /// Compares the API's clock with ours. Its `Date` counts whole seconds, and was taken at some time of the exchange:
    /// only what cannot be explained by either is a difference.
    mutating func learnClock(_ serverTime: Int64?, duration: Int64, account: Int, at now: Moment) {
        guard let serverTime else { return }
        let ahead = serverTime - now.wall
        let behind = now.wall - duration - (serverTime + 1000)
        let leeway = settings.connections[account].clockLeeway
        let isOff = max(ahead, behind) > leeway
        guard isOff != knowledge[account].isClockOff else { return }
        knowledge[account].isClockOff = isOff
        lanes.accounts[account].isClockOff = isOff
        knowledge[account].decidesFrom = now.monotonic + settings.connections[account].doubtGrace
        knowledge[account].clockAskedAt = now.monotonic
        notes.append(
            isOff
                ? .clockOff(connection: account, milliseconds: ahead > 0 ? ahead : -behind)
                : .clockRight(connection: account))
        if !isOff { for number in numbers { decideDoubts(partition: number, at: now) } }
    }

    /// While a clock is off nothing is called, so that only a reading can show that it is right again.
    private mutating func askClocks(at now: Moment) {
        for account in knowledge.indices {
            let known = knowledge[account]
            guard known.isClockOff, !known.isAskingClock, !isDraining, let campaign = known.campaign,
                now.monotonic - known.clockAskedAt >= settings.readBackInterval
            else { continue }
            knowledge[account].isAskingClock = true
            knowledge[account].clockAskedAt = now.monotonic
            lanes.takeAgain(account: account, at: now.monotonic)
            order(.clock, account, campaign.streamID, campaign.campaignID, "clock", nil, at: now)
        }
    }

    // MARK: - Cool-down

    mutating func started(_ scope: UInt64, at wall: Int64) {
        guard settings.campaignCoolDown > 0 || settings.connections.contains(where: \.readsBack) else { return }
        lastStarts[scope] = max(wall, lastStarts[scope] ?? .min)
        if lastStarts.count > 100_000 {
            let oldest = wall - max(settings.campaignCoolDown, 600_000)
            lastStarts = lastStarts.filter { $0.value > oldest }
        }
    }

    /// The platform may still be about to show the last start: what is read now would take it for the next one's.
    private func isStartShowing(_ request: Request, _ account: Int, at now: Moment) -> Bool {
        guard let last = lastStarts[request.scope] else { return false }
        let connection = settings.connections[account]
        return now.wall < last + connection.doubtGrace + connection.clockLeeway
    }

    func isCoolingDown(_ request: Request, at now: Moment) -> Bool {
        guard settings.campaignCoolDown > 0, let last = lastStarts[request.scope], !isBroken(.coolDownForgotten) else {
            return false
        }
        return now.wall < last + settings.campaignCoolDown
    }
}
