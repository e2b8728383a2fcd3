// Partitions that are not ours any more, and what is known of their attempts: handed on, never forgotten (L3, L5).

extension ReplicaMachine {
    /// The partition belongs to somebody else from now on.
    mutating func giveUp(_ number: Int32) {
        guard partitions[number] != nil else { return }
        clear(number, isLost: true)
        partitions[number] = nil
        // The next owner, which may be this process again, waits for what a broker left open of ours.
        settle()
        steps.append(.stop(partition: number))
        notes.append(.partition(number, .lost))
    }

    /// Forgets the partition's window. What this process knows of its attempts is handed to the next owner, or stays
    /// in hand where that is this process itself.
    mutating func clear(_ number: Int32, isLost: Bool) {
        guard let partition = partitions[number] else { return }
        for hash in partition.index.open where inHand[hash] == nil {
            if let entry = partition.index[hash] { lanes.release(hash, scope: entry.scope) }
        }
        for request in partition.requests.values {
            windowBytes -= request.event.bytes
            switch request.phase {
            case .intending, .ready:
                if case .ready = request.phase { readyCount -= 1 }
                if let account = request.account { lanes.withdraw(account: account) }
                lanes.release(request.entryHash, scope: request.scope)
            case .reading:
                // The reading is still under way, and gives back its place by itself.
                lanes.release(request.entryHash, scope: request.scope)
            case .calling: break
            case .waiting, .delayed, .follower: break
            case .releasing, .finishing, .inDoubt:
                lanes.release(request.entryHash, scope: request.scope)
            }
        }
        lanes.remove { $0.partition == number }
        guard isLost else { return }
        // Also those of a take-over that was not finished: the next owner would have to call them unknown.
        handOverUncalled(number, unmetOnly: false)
        for (hash, hand) in inHand.inOrder where hand.ref.partition == number {
            guard let report = hand.report else { continue }
            handOver(hash, hand, report)
        }
    }

    /// L3: an answer to an attempt of a partition that is no longer ours goes into the ledger as a late answer.
    mutating func handOver(_ hash: KeyHash, _ hand: InHand, _ report: AttemptReport) {
        inHand[hash] = nil
        lanes.release(hash, scope: hand.scope)
        guard let known = KnownResult(report.result) else { return }
        late(hand.identityKey, hash, hand.ref.partition, hand.generation, hand.attempt, known)
    }

    private mutating func late(
        _ key: [UInt8], _ hash: KeyHash, _ partition: Int32, _ generation: Int32, _ attempt: Attempt,
        _ result: KnownResult
    ) {
        if isBroken(.lateAnswerDropped) { return }
        let answer = LateAnswer(
            identityKey: key, generation: generation, attempt: attempt.number, owner: attempt.owner,
            serial: attempt.serial,
            result: result)
        lates.append(LateWrite(partition: partition, hash: hash, answer: answer))
        unwritten[hash] = answer
    }

    /// A late answer stands in the ledger.
    package mutating func lateWritten(_ late: LateWrite) {
        if unwritten[late.hash] == late.answer { unwritten[late.hash] = nil }
    }

    /// After a take-over: hands whose outcome the ledger already tells are done.
    mutating func dropSettledHands(_ number: Int32) {
        guard let index = partitions[number]?.index else { return }
        for (hash, hand) in inHand.inOrder where hand.ref.partition == number {
            guard let report = hand.report else { continue }
            settleHand(hash, hand, report, index[hash]?.state)
        }
    }

    /// An answer for which no request of the window waits, though the ledger has been read.
    mutating func settleHand(
        _ hash: KeyHash, _ hand: InHand, _ report: AttemptReport, _ state: LedgerEntry.State?
    ) {
        switch state {
        case .attempting(let attempt)? where attempt == hand.attempt && !isDraining:
            // Its record comes, or is found to be gone.
            break
        case .started?, .released?:
            inHand[hash] = nil
            lanes.release(hash, scope: hand.scope)
        case .deadLettered(let reason, _)? where reason != .outcomeUnknown:
            inHand[hash] = nil
            lanes.release(hash, scope: hand.scope)
        default:
            // Decided without us, as unknown: what we know changes nothing any more, but is shown (L3).
            handOver(hash, hand, report)
        }
    }

    /// Where this process will not write the outcomes of a partition any more, its answers go to whoever does; while it
    /// drains, also those whose record has not come yet.
    mutating func handOverIdle(_ number: Int32) {
        guard isDraining || !writesOutcomes(of: number) else { return }
        for (hash, hand) in inHand.inOrder where hand.ref.partition == number {
            guard let report = hand.report, request(hand.ref) == nil, partitions[number]?.unsighted[hash] == nil
            else { continue }
            handOver(hash, hand, report)
        }
        handOverUncalled(number, unmetOnly: writesOutcomes(of: number))
    }

    /// Own intents that this process will not call any more.
    private mutating func handOverUncalled(_ number: Int32, unmetOnly: Bool) {
        for (hash, own) in uncalled.inOrder where own.partition == number {
            // One that a request of the window has is released by it.
            if unmetOnly && partitions[number]?.leaders[hash] != nil { continue }
            uncalled[hash] = nil
            late(own.identityKey, hash, number, own.generation, own.attempt, .released(.notSent))
        }
    }

    func writesOutcomes(of number: Int32) -> Bool {
        guard let partition = partitions[number] else { return false }
        switch partition.stage {
        case .owned, .draining: return true
        case .blocked: return false
        case .committedOffset, .marks, .ledger, .control: return !isDraining
        }
    }
}

extension KnownResult {
    /// What can be said for certain of an attempt; nil where nothing can.
    init?(_ result: AttemptResult) {
        switch result {
        case .started(let answer): self = .started(answer)
        case .notSent: self = .released(.notSent)
        case .refused(let refusal): self = .released(refusal.kind == .credentials ? .credentials : .refused)
        case .rejected(let rejection): self = .rejected(rejection)
        case .unknown: return nil
        }
    }
}
