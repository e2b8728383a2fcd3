internal import BridgeCore

// What operators have answered, what of it was true, and whether the bridge has done what it says and nothing else (L9).

extension Judge {
    /// What the world knows of an operator's answer to a result.
    struct Answer {
        /// Place of the record whose result it answers.
        var of: [Int64]
        /// Whether it says what a replay of that result must say.
        var isProper: Bool
        /// Whether it says that the event was not started, and it was.
        var isFalse: Bool
        var needsFinding = false
    }

    /// P1 across generations: one start for an identity, but where a person said that there was none, or where the event
    /// was sent again after the window.
    func isExcused(_ start: Start, of intent: Intent?, after old: Start, _ identity: String) -> Bool {
        guard let intent, let record = record(at: intent.place) else { return false }
        if hasForgotten && record.base >= old.at + setup.dedupWindow { return true }
        let findings = falseFindings[identity] ?? []
        return findings.contains { $0 > old.generation && $0 <= start.generation }
            || (hasForgotten && findings.contains(start.generation) && record.event.replay?.finding == .notStarted)
    }

    /// Whether a record's event was started in this generation, or in an earlier one without a person denying it.
    func isStarted(_ record: Written, _ generation: Int32) -> Bool {
        (started[record.identity] ?? []).contains { start in
            // An event that is sent again after the window is another one.
            if hasForgotten
                && (record.base >= start.at + setup.dedupWindow || start.at >= record.base + setup.dedupWindow)
            {
                return false
            }
            // A generation that was forgotten may come again, by a finding that denies the start.
            if start.generation == generation {
                return !(hasForgotten && falseFindings[record.identity]?.contains(generation) ?? false)
            }
            return start.generation < generation && falseFindings[record.identity] == nil && !hasForgotten
        }
    }

    func isFoundStarted(_ record: Written) -> Bool {
        written[Int(record.event.partition)].contains { other in
            guard other.identity == record.identity, case .started? = other.event.replay?.finding else { return false }
            return true
        }
    }

    func hasLateStart(_ identity: String) -> Bool { lateStarts.contains(identity) }

    /// A replica has read a late answer.
    mutating func told(_ late: LateAnswer, _ partition: Int32, to owner: String) {
        guard case .started = late.result else { return }
        let identity = KeyHash(late.identityKey, key: .fixed).hex
        toldLateStarts[owner, default: [:]][partition, default: []].insert(identity)
    }

    /// A replica reads a ledger partition from its beginning.
    mutating func rereads(_ partition: Int32, by owner: String) { toldLateStarts[owner]?[partition] = nil }

    /// The broker has lost what a transaction had committed to a ledger partition.
    mutating func undone(_ log: Log, _ transaction: Int) {
        for item in log.items where item.transaction == transaction {
            if case .ledger(let key, _) = item.content { undone.insert(KeyHash(key, key: .fixed).hex) }
        }
    }

    /// Another record of the identity that makes this replay superfluous: a start, or an end of its generation or above.
    private func isDone(_ record: Written, without place: Place, _ found: [Place: ResultWrite]) -> Bool {
        guard let replay = record.event.replay else { return false }
        return found.contains { other, result in
            guard other != place, KeyHash(result.entryKey, key: .fixed).hex == record.identity else { return false }
            if case .started = result.outcome { return true }
            return result.generation >= replay.generation
        }
    }

    func hasOutcome(_ record: Written, _ found: [Place: ResultWrite], _ world: World) -> Bool {
        guard record.event.replay != nil, !record.isCopy else { return true }
        let place = place(record)
        return found[place] != nil || isDone(record, without: place, found) || isRemoved(record, world)
            || undone.contains(record.identity)
    }

    mutating func closeReplay(_ record: Written, _ found: [Place: ResultWrite], _ world: World) {
        guard let result = found[place(record)] else {
            if !hasOutcome(record, found, world) { violation("P2", "the replay \(text(record)) has no outcome") }
            return
        }
        if !undone.contains(record.identity) { closeResult(record, result) }
        closeFirst(record, result, world)
    }

    /// L9: what became of a replay that the bridge took up.
    private mutating func closeResult(_ record: Written, _ result: ResultWrite) {
        guard let answer = record.answer else { return }
        // Nothing could be called anyway.
        if case .failure = record.event.content, case .deadLetter = result.outcome { return }
        let finding = record.event.replay?.finding
        let text = text(record)
        switch result.outcome {
        // An old one that answers nothing is not taken up either; its own dead letter needs a finding.
        case .deadLetter(.replayRefused, _, _), .deadLetter(.identityConflict, _, _),
            .deadLetter(.expiredOutsideWindow, _, _):
            return
        case .started(_, evidence: .operator):
            if case .started? = finding { break }
            violation("L9", "\(text) is told as started by an operator who did not say so")
        case .started, .deadLetter:
            if case .started? = finding { violation("L9", "\(text) is called although it was found to be started") }
        }
        guard !goesOn(record) else { return }
        // With intake, what answers a refused replay of a record without identity comes to another partition.
        let isElsewhere = setup.isRekeyed && record.event.identity.kind == .position && finding != nil
        if !answer.isProper && !(hasForgotten && finding != nil) && !isElsewhere {
            violation("L9", "\(text) answers no dead letter and was taken up")
        }
        if answer.needsFinding && finding == nil { violation("L9", "\(text) was taken up without a finding") }
    }

    /// Whether a replay may have gone on with what a proper one of its generation had begun: that one's record is gone, or
    /// this one's own end is forgotten and it is met first.
    private func goesOn(_ record: Written) -> Bool {
        guard setup.retentions > 0 || hasForgotten else { return false }
        return written[Int(record.event.partition)].contains { other in
            other.identity == record.identity && other.answer?.isProper == true && place(other) != place(record)
                && (other.answer?.needsFinding == false || other.event.replay?.finding != nil)
                && other.event.replay?.generation == record.event.replay?.generation
        }
    }

    /// Whether a replay may have been refused.
    func isRefusalJustified(_ record: Written) -> Bool {
        guard let answer = record.answer else { return false }
        let finding = record.event.replay?.finding
        if !answer.isProper || (answer.needsFinding && finding == nil) || undone.contains(record.identity) {
            return true
        }
        if finding == .notStarted && lateStarts.contains(record.identity) { return true }
        // The dead letter that it answers may be another one than the ledger knows.
        return hasForgotten
    }
}
