// The call: begun only when its intent is committed and stands in the ledger, and what its end leads to.

extension ReplicaMachine {
    /// Calls to begin now. Their intents are committed; nothing but the token and the bounds stands in between.
    package mutating func nextCalls(at now: Moment) -> [CallOrder] {
        fireTimers(at: now)
        var calls: [CallOrder] = []
        // P7: whoever cannot say that it knows the holds begins nothing.
        // At its end it gives back what it will not begin any more.
        let mayGoOn = hasLease(at: now) || isDraining
        while mayGoOn, callsInFlight < settings.maximumInFlight, let ref = ready.popFirst() {
            guard let request = request(ref), case .ready(let attempt) = request.phase,
                let account = request.account, case .success(let content) = request.event.content
            else { continue }
            readyCount -= 1
            let notAfter = endOfOrder(request, attempt)
            // Nor is one begun beside an earlier call of the same event that has outlived its lease.
            let isBusy = inHand[request.entryHash].map { $0.report == nil } ?? false
            guard now.isBefore(notAfter), !isBusy, !isDraining, !isHeld(request),
                !isContradicted(request, in: ref.partition), partitions[ref.partition]?.isOwned == true
            else {
                lanes.withdraw(account: account)
                release(ref, attempt, .notSent, delay: isBusy ? settings.retryInitial : 0)
                continue
            }
            uncalled[request.entryHash] = nil
            inHand[request.entryHash] = InHand(
                ref: ref, identityKey: request.entryKey, attempt: attempt, generation: request.generation,
                account: account,
                scope: request.scope)
            setPhase(ref, .calling(attempt))
            knowledge[account].campaign = (content.streamID, content.campaignID)
            callsInFlight += 1
            calls.append(order(request, content, attempt, account, notAfter))
        }
        return calls
    }

    /// L7: a call whose token has expired by our clock is not begun. P6: nor one whose event has expired while its intent
    /// waited. P7: nor one after the time for which we may act on the holds that we know.
    private func endOfOrder(_ request: Request, _ attempt: Attempt) -> Moment {
        var end = Moment(wall: attempt.tokenExpiry * 1000, monotonic: .max)
        if !isBroken(.expiryIsCheckedOnceOnly) { end.wall = min(end.wall, request.expiry) }
        if let lease = holding.lease, !isBroken(.leaseIsIgnored) {
            end = Moment(wall: min(end.wall, lease.wall), monotonic: lease.monotonic)
        }
        return end
    }

    private mutating func order(
        _ request: Request, _ content: CampaignRequest, _ attempt: Attempt, _ account: Int, _ notAfter: Moment
    ) -> CallOrder {
        let connection = settings.connections[account]
        let requestID = request.event.identity.requestID
        return CallOrder(
            hash: request.entryHash, attempt: attempt, connection: account,
            call: StartCall(
                connection: connection.name, streamID: content.streamID, campaignID: content.campaignID,
                accountID: connection.accountID, attempt: Int(attempt.number), identityLabel: requestID,
                issuedAt: attempt.startedAt / 1000,
                tokenExpiry: isBroken(.tokenIsRenewed) ? attempt.tokenExpiry + 60 : attempt.tokenExpiry,
                tokenID: "\(requestID)-\(attempt.number)-\(random.hex(bytes: 8))",
                traceparent: TraceContext.child(of: content.traceparent, random: &random),
                notAfter: isBroken(.orderHasNoEnd) ? Moment(wall: .max, monotonic: .max) : notAfter))
    }

    /// A call has ended. Where its partition is not ours any more, the answer is handed to the owner (L3).
    package mutating func callEnded(_ hash: KeyHash, _ attempt: Attempt, _ told: AttemptReport, at now: Moment) {
        guard var hand = inHand[hash], hand.attempt == attempt, hand.report == nil else { return }
        callsInFlight -= 1
        learnClock(told.serverTime, duration: told.duration.milliseconds, account: hand.account, at: now)
        var report = told
        if case .refused(let refusal) = told.result, refusal.kind == .credentials,
            now.wall + settings.connections[hand.account].clockLeeway >= attempt.tokenExpiry * 1000
                || knowledge[hand.account].isClockOff
        {
            // By the API's clock the token may have expired on its way: that says nothing of the credentials, and must
            // not count towards a rejection (P4).
            report.result = .notSent(cause: "token_expired")
        }
        hand.report = report
        inHand[hash] = hand
        lanes.accounts[hand.account].inFlight -= 1
        let wasHealthy = lanes.accounts[hand.account].circuit.hasAnswered
        learn(report, account: hand.account, scope: hand.scope, at: now)
        if let request = request(hand.ref), case .calling(attempt) = request.phase {
            notes.append(.callEnded(note(request), attempt: attempt.number, told))
            settle(hand.ref, report, isHealthy: wasHealthy, at: now)
        } else if !writesOutcomes(of: hand.ref.partition) {
            handOver(hash, hand, report)
        } else if let partition = partitions[hand.ref.partition], partition.isOwned || partition.isDraining {
            settleHand(hash, hand, report, partition.index[hash]?.state)
        }
    }

    /// Why a call was not sent that came too late, by the API's clock or by ours: the connection is not to blame.
    private static let lateCauses: Set = ["token_expired", "too_late"]

    /// What one answer says of its account and connection.
    private mutating func learn(_ report: AttemptReport, account: Int, scope: UInt64, at now: Moment) {
        let wasOpen = lanes.accounts[account].circuit.openUntil != nil
        var opened = false
        switch report.result {
        case .started, .rejected: lanes.accounts[account].circuit.succeeded()
        case .notSent(let cause):
            if Self.lateCauses.contains(cause) || cause == "cancelled" {
                lanes.accounts[account].circuit.withdrawn()
            } else {
                opened = lanes.accounts[account].circuit.failed(at: now.monotonic)
            }
        case .unknown: opened = lanes.accounts[account].circuit.failed(at: now.monotonic)
        case .refused(let refusal):
            switch refusal.kind {
            case .credentials: lanes.accounts[account].circuit.succeeded(isOwn: false)
            case .throttled:
                lanes.accounts[account].circuit.succeeded(isOwn: false)
                pause(account, refusal.retryAfter, at: now)
            case .unavailable:
                opened = lanes.accounts[account].circuit.failed(at: now.monotonic)
                if refusal.retryAfter != nil { pause(account, refusal.retryAfter, at: now) }
            case .foreignAnswer:
                opened = lanes.accounts[account].circuit.failed(at: now.monotonic, foreign: scope)
            }
        }
        if opened && isBroken(.oneAccountStopsAll) {
            for index in lanes.accounts.indices { lanes.accounts[index].pausedUntil = .max }
        }
        if opened { notes.append(.circuitOpened(connection: account)) }
        if wasOpen && lanes.accounts[account].circuit.openUntil == nil {
            notes.append(.circuitClosed(connection: account))
        }
    }

    /// Never no pause: without a time from the answer the default one, with jitter.
    mutating func pause(_ account: Int, _ told: Duration?, at now: Moment) {
        let connection = settings.connections[account]
        let most = max(connection.retryAfterMaximum, connection.throttlePause)
        let base = min(max(told?.milliseconds ?? connection.throttlePause, 1), most)
        let pause = min(base + Int64.random(in: 0...max(1, base / 10), using: &random), most)
        lanes.accounts[account].pausedUntil = max(lanes.accounts[account].pausedUntil, now.monotonic + pause)
        notes.append(.accountPaused(connection: account, milliseconds: pause))
    }

    /// From an attempt's result to what follows for its event: the table of the design's section 3.
    ///
    /// - Parameter isHealthy: whether the API itself had answered since the last answer that was not its own.
    mutating func settle(_ ref: RequestRef, _ report: AttemptReport, isHealthy: Bool = false, at now: Moment) {
        guard let request = request(ref), case .calling(let attempt) = request.phase else { return }
        switch report.result {
        case .started(let answer):
            readAfterStart(request, attempt, at: now)
            finish(ref, .started(answer, evidence: .answer))
        case .rejected(let rejection): reject(ref, rejection)
        case .unknown where isBroken(.unknownIsTriedAgain): release(ref, attempt, .refused, delay: backOff(ref))
        case .unknown(let cause, _): doubt(ref, attempt, cause: cause, seen: now)
        case .notSent(let cause):
            release(ref, attempt, .notSent, delay: Self.lateCauses.contains(cause) ? 0 : backOff(ref))
        case .refused(let refusal):
            switch refusal.kind {
            case .throttled where isBroken(.throttledIsRejected):
                reject(ref, Rejection(status: refusal.status, message: refusal.message))
            case .throttled: release(ref, attempt, .refused, delay: 0)
            case .unavailable: release(ref, attempt, .refused, delay: backOff(ref))
            case .credentials:
                // Once: perhaps the token. Twice: the credentials.
                partitions[ref.partition]?.requests[ref.offset]?.credentialRefusals += 1
                if request.credentialRefusals >= 1 {
                    reject(ref, Rejection(status: refusal.status, message: refusal.message))
                } else if isBroken(.freshTokenWithoutIntent) {
                    inHand[request.entryHash] = nil
                    setPhase(ref, .ready(attempt))
                    ready.append(ref)
                    readyCount += 1
                } else {
                    release(ref, attempt, .credentials, delay: 0)
                }
            case .foreignAnswer:
                // A page instead of the API's JSON is an outage, unless the API itself answers others meanwhile.
                partitions[ref.partition]?.requests[ref.offset]?.foreignAnswers += 1
                if request.foreignAnswers >= 1 && isHealthy {
                    reject(ref, Rejection(status: refusal.status, message: refusal.message))
                } else {
                    release(ref, attempt, .refused, delay: backOff(ref))
                }
            }
        }
    }

    mutating func reject(_ ref: RequestRef, _ rejection: Rejection) {
        deadLetter(ref, .rejected, "the API answered \(rejection.status): \(rejection.message)")
    }

    /// How long a request waits after one more failure.
    mutating func backOff(_ ref: RequestRef) -> Int64 {
        let failures = (request(ref)?.failures ?? 0) + 1
        partitions[ref.partition]?.requests[ref.offset]?.failures = failures
        return retry.delay(after: failures, random: &random)
    }

    mutating func release(_ ref: RequestRef, _ attempt: Attempt, _ cause: ReleaseCause, delay: Int64) {
        guard request(ref)?.account != nil else {
            // Its record is gone: it cannot be called again, and was provably not started.
            deadLetter(ref, .expired, "the source record was removed before the event could be called again")
            return
        }
        setPhase(ref, .releasing(attempt, cause, delay: delay))
        due.append(ref)
    }

    private mutating func fireTimers(at now: Moment) {
        while let ref = timers.popDue(at: now.monotonic) {
            guard let request = request(ref) else { continue }
            switch request.phase {
            case .delayed: enter(ref, at: now)
            case .finishing where request.transaction == nil: due.append(ref)
            case .inDoubt(let doubt):
                if case .reading = doubt.step {
                    readDoubt(ref, doubt, at: now)
                } else {
                    leaseEnded(ref, doubt, at: now)
                }
            default: break
            }
        }
    }

    /// Begins the end of this process: no further intent, uncalled intents are released, calls in flight end.
    package mutating func beginDrain() {
        isDraining = true
        for number in numbers {
            giveBackUnsighted(number)
            handOverIdle(number)
        }
    }

    /// Whether everything that was under way is written.
    package var isDrained: Bool {
        guard isDraining, callsInFlight == 0, open == nil, lates.isEmpty else { return false }
        return partitions.values.allSatisfy { partition in
            (!partition.isOwned && !partition.isDraining)
                || (partition.isQuiet && partition.watermark(with: nil) <= max(partition.committed, 0))
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down, saturating.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000_000_000
    }
}
