// L9: a replay is taken up only where it answers the identity's last dead letter, and what a person found decides.

extension ReplicaMachine {
    /// - Parameter entry: the identity's, of a lower generation and not started; nil: the ledger has forgotten it.
    mutating func takeUp(
        _ new: Request, _ ref: RequestRef, answering entry: LedgerEntry?, at now: Moment
    ) {
        var request = new
        if let entry, !entry.isTerminal {
            // An attempt of the generation below whose record is gone has nobody to end it but this.
            adoptOrphans(ref.partition, at: now)
            if partitions[ref.partition]?.leaders[request.hash] != nil {
                place(request, ref, at: now)
                return
            }
        }
        if let objection = objection(to: request, entry, in: ref.partition) {
            endUnderOwnPlace(&request, ref, .replayRefused, objection, at: now)
            return
        }
        // The event may have been too large for its dead letter: what it was is known by its entry only.
        if request.scope == 0, let entry { request.scope = entry.scope }
        insert(request, ref, leads: true)
        notes.append(.admitted(note(request), isPosition: request.event.identity.kind == .position))
        if case .started(let instanceID) = request.event.replay?.finding, !isBroken(.findingIgnored) {
            let late = partitions[ref.partition]?.index.lateStart(of: request.hash)
            finish(ref, .started(late ?? StartAnswer(instanceID: instanceID), evidence: .operator))
        } else {
            enter(ref, at: now)
        }
    }

    /// Why a replay must not be taken up; nil: it may.
    private func objection(to request: Request, _ entry: LedgerEntry?, in number: Int32) -> String? {
        guard let replay = request.event.replay else { return "it is no replay" }
        if let entry {
            guard case .deadLettered(let reason, let nonce) = entry.state else {
                return "the event is not finished: there is nothing to replay"
            }
            guard replay.generation == entry.generation + 1 || isBroken(.replayOfAnyGeneration) else {
                return "the replay's generation \(replay.generation) is not one above the ledger's \(entry.generation)"
            }
            guard replay.nonce == nonce || isBroken(.replayOfAnyGeneration) else {
                return "the replay does not answer the event's last dead letter"
            }
            guard reason.isReplayable else { return "a dead letter \(reason.rawValue) cannot be replayed" }
            guard reason.isSafeToReplay || replay.finding != nil || isBroken(.findingNotNeeded) else {
                return "after \(reason.rawValue) a replay needs a finding: was the campaign started or not"
            }
        } else if replay.finding == nil && !isBroken(.findingNotNeeded) {
            return "the ledger has forgotten the event: a replay needs a finding"
        }
        if isContradicted(request, in: number) { return Self.contradiction }
        return nil
    }

    private static let contradiction = "a late answer of the API says that the campaign was started"

    /// L3: a late answer may come at any time, so this is looked at once more right before the intent, and before the call.
    func isContradicted(_ request: Request, in number: Int32) -> Bool {
        request.event.replay?.finding == .notStarted && partitions[number]?.index.lateStart(of: request.hash) != nil
            && !isBroken(.findingAgainstLateAnswer)
    }

    /// A replay that was taken up must not be called after all.
    mutating func refuseContradicted(_ ref: RequestRef, at now: Moment) {
        guard var request = request(ref) else { return }
        windowBytes -= request.event.bytes
        endUnderOwnPlace(&request, ref, .replayRefused, Self.contradiction, at: now)
    }
}

extension DeadLetterReason {
    /// Whether there is an event behind it that could be called.
    package var isReplayable: Bool { self != .replayRefused }
}
