// The four steps by which a partition is taken over, at first and anew.

extension ReplicaMachine {
    /// A producer is initialised: the transactions of the one before it have ended.
    package mutating func producerReady(at now: Moment) {
        isProducerReady = true
        settle()
        for number in numbers {
            if let partition = partitions[number], case .committedOffset = partition.stage {
                steps.append(.committedOffset(partition: number, epoch: partition.epoch))
            }
        }
    }

    /// L5: what became of a transaction is not known. Everything still owned is taken over anew, with a new producer;
    /// calls in flight and answers in hand stay.
    mutating func restart(at now: Moment) {
        isProducerReady = false
        for number in numbers {
            guard let old = partitions[number] else { continue }
            // What a person must decide is not decided by a restart.
            if case .blocked = old.stage { continue }
            guard !old.isDraining else {
                giveUp(number)
                continue
            }
            clear(number, isLost: false)
            if isBroken(.answersForgotten) { inHand = inHand.filter { $0.value.report == nil } }
            beginAgain(number, knowing: old, at: now)
            handOverIdle(number)
        }
    }

    /// The place that an owned partition's records are read from is gone: its topic was removed, made anew or cut. It is
    /// taken over anew, as if it had been lost and regained; what stands in the way is said there.
    package mutating func sourceBroken(partition number: Int32, at now: Moment) {
        guard partitions[number]?.isOwned == true else { return }
        giveUp(number)
        begin(number, at: now)
    }

    /// The ledger partition ends before `needed`, which was read of it or must be read: its topic was made anew or cut. It
    /// is taken over again; where it is still so, it is blocked there.
    package mutating func ledgerBroken(partition number: Int32, needed: Int64, at now: Moment) {
        guard let old = partitions[number], old.ledgerNeeded == needed else { return }
        clear(number, isLost: false)
        beginAgain(number, knowing: old, rereads: true, at: now)
        partitions[number]?.ledgerReached = max(needed, old.ledgerReached)
        notes.append(.partition(number, .ledgerBroken(needed: needed)))
    }

    /// Begins with what this process knows of a partition that was its own all the time.
    ///
    /// - Parameters:
    ///   - rereads: whether the ledger is read from its beginning; else its tail goes on.
    ///   - forgets: whether only what it shows then is known of it.
    mutating func beginAgain(
        _ number: Int32, knowing old: Partition, rereads: Bool = false, forgets: Bool = false, at now: Moment
    ) {
        if rereads, old.isTailing { steps.append(.stop(partition: number)) }
        begin(number, at: now)
        if !forgets {
            partitions[number]?.index = old.index
            partitions[number]?.isIndexOld = true
        }
        partitions[number]?.unsighted = old.unsighted
        partitions[number]?.ledgerReached = old.ledgerReached
        guard !rereads else { return }
        partitions[number]?.isTailing = old.isTailing
        partitions[number]?.ledgerEnd = old.ledgerEnd
    }

    mutating func begin(_ number: Int32, at now: Moment) {
        epochs += 1
        partitions[number] = Partition(epoch: epochs, began: now.monotonic)
        notes.append(.partition(number, .takingOver))
        if isProducerReady { steps.append(.committedOffset(partition: number, epoch: epochs)) }
    }

    // MARK: - The four steps

    /// 1. The group's stable committed offset; nil: none.
    ///
    /// - Parameter ledgerEnd: what was committed beside it (`TransactionPlan.ledgerEnds`).
    package mutating func committedOffset(
        partition number: Int32, epoch: Int, offset: Int64?, ledgerEnd: Int64? = nil
    ) {
        guard let partition = partitions[number], partition.epoch == epoch, case .committedOffset = partition.stage
        else { return }
        partitions[number]?.stage = .marks(
            committed: offset, ledgerEnd: max(ledgerEnd ?? 0, partition.ledgerReached))
        steps.append(.marks(partition: number, epoch: epoch))
    }

    /// 2. The ledger's end after that offset was known.
    package mutating func marks(partition number: Int32, epoch: Int, _ marks: PartitionMarks, at now: Moment) {
        guard let partition = partitions[number], partition.epoch == epoch,
            case .marks(let committed, let ledgerEnd) = partition.stage
        else { return }
        if marks.ledgerHigh < ledgerEnd {
            block(
                number,
                "the ledger partition ends at \(marks.ledgerHigh), and had reached \(ledgerEnd): its topic was made anew"
                    + " or cut, and nobody knows what was started. Restore it. Or, to accept that events may be started"
                    + " again: stop every replica, set the group's offsets anew where they are"
                    + " (kafka-consumer-groups.sh --reset-offsets --to-current), and start")
            return
        }
        if let committed, committed > marks.sourceHigh {
            block(
                number,
                "the group's offset \(committed) lies behind the source partition's end \(marks.sourceHigh): the topic"
                    + " was made anew under its name. Reset the group's offsets, or restore the topic, then restart")
            return
        }
        if let committed, committed < marks.sourceLow {
            notes.append(.partition(number, .gap(from: committed, to: marks.sourceLow)))
        }
        let start = max(committed ?? marks.sourceLow, marks.sourceLow)
        partitions[number]?.committed = committed ?? -1
        partitions[number]?.stage = .ledger(start: start, mark: marks.ledgerHigh)
        if !partition.isTailing {
            partitions[number]?.isTailing = true
            steps.append(.readLedger(partition: number, epoch: epoch))
        }
        if marks.ledgerHigh == marks.ledgerLow || partition.ledgerEnd >= marks.ledgerHigh {
            ledgerRead(number, at: now)
        }
    }

    /// 3. One record of the ledger, with the hash of its key or of the identity that it tells of.
    package mutating func ledger(partition number: Int32, _ record: LedgerRecord, at now: Moment) {
        // What comes before this take-over's own reading began belongs to an earlier one. The partition itself is not
        // taken out: changing it would copy the whole index for each record.
        guard partitions[number]?.isTailing == true, let stage = partitions[number]?.stage else { return }
        switch record {
        case .entry(let key, let entry):
            let hash = hash(of: key, in: number)
            switch stage {
            case .owned, .draining:
                // Nobody else writes entries while a partition is owned, and our own are known by their commits; those
                // of the open transaction may turn out to be all that we learn of its end.
                if let index = open?.places[hash], open?.plan.writes[index].entry == entry {
                    open?.seen.insert(index)
                }
                sighted(hash, entry, in: number)
            default:
                partitions[number]?.index.apply(hash, entry, key: key)
                sighted(hash, entry, in: number)
                if case .started = entry.state, let at = entry.at { started(entry.scope, at: at) }
            }
        case .late(let late):
            let hash = hash(of: late.identityKey, in: number)
            var fitting = late
            if isBroken(.lateAnswerFitsAnyAttempt),
                case .attempting(let attempt)? = partitions[number]?.index[hash]?.state
            {
                (fitting.attempt, fitting.owner, fitting.serial) = (attempt.number, attempt.owner, attempt.serial)
            }
            partitions[number]?.index.apply(hash, fitting)
            if case .owned = stage { lateArrived(hash, partition: number, at: now) }
        case .unreadable(let text):
            // While the partition is ours nobody else writes entries.
            switch stage {
            case .owned, .draining, .blocked: break
            default: partitions[number]?.unreadable = text
            }
        case .other: break
        }
    }

    /// The ledger partition has been read to `offset`: behind a record, or an end of partition, for which no record
    /// stands.
    package mutating func ledgerEnd(partition number: Int32, offset: Int64, at now: Moment) {
        guard let partition = partitions[number], partition.isTailing else { return }
        partitions[number]?.ledgerEnd = max(partition.ledgerEnd, offset)
        if case .ledger(_, let mark) = partition.stage, offset >= mark || isBroken(.ledgerReadToFirstEnd) {
            ledgerRead(number, at: now)
        }
        decideDoubts(partition: number, at: now)
        findUndone(in: number, at: now)
    }

    private mutating func ledgerRead(_ number: Int32, at now: Moment) {
        guard let partition = partitions[number], case .ledger(let start, _) = partition.stage else { return }
        if entries > settings.maximumEntries {
            takeLess(number, at: now)
            return
        }
        if let text = partition.unreadable {
            block(
                number,
                "the ledger holds an entry that this version cannot read (\(text)), so it cannot know what was started:"
                    + " run the version that wrote it, or a newer one")
            return
        }
        partitions[number]?.stage = .control(start: start)
        steps.append(.readControl(partition: number, epoch: partition.epoch))
    }

    /// 4. The control topic has been read to its end. The partition is owned and its records may come.
    package mutating func controlRead(partition number: Int32, epoch: Int, at now: Moment) {
        guard let partition = partitions[number], partition.epoch == epoch,
            case .control(let start) = partition.stage
        else { return }
        partitions[number]?.stage = .owned
        partitions[number]?.tailingSince = nil
        partitions[number]?.position = start
        // A start above the group's offset is written down, although no record may ever come.
        if start > max(partition.committed, 0) { partitions[number]?.watermarkMovedAt = now.monotonic }
        let entries = partition.index.count
        if partition.committed < 0 && entries > 0 {
            notes.append(.partition(number, .offsetsMissing(entries: entries)))
        }
        notes.append(
            .partition(
                number, .owned(from: start, entries: entries, milliseconds: now.monotonic - partition.began)))
        // A campaign whose attempt is open is not called for another event, also before its record is met again.
        for hash in partition.index.open {
            if let entry = partition.index[hash] { lanes.hold(hash, scope: entry.scope) }
        }
        dropSettledHands(number)
        adoptOrphans(number, at: now)
        steps.append(.start(partition: number, offset: start))
    }

    /// A step cannot be done as long as a person does nothing; the partition stays paused (L11: a source partition
    /// without a ledger partition). The text says what to do.
    package mutating func takeOverFailed(partition number: Int32, epoch: Int, _ text: String) {
        guard let partition = partitions[number], partition.epoch == epoch else { return }
        block(number, text)
    }

    /// What a take-over failed for is there now: it begins anew.
    package mutating func takeOverAgain(partition number: Int32, epoch: Int, at now: Moment) {
        guard isBlocked(partition: number, epoch: epoch), let old = partitions[number] else { return }
        beginAgain(number, knowing: old, at: now)
    }

    /// Whether that take-over has failed and nothing has come after it.
    package func isBlocked(partition number: Int32, epoch: Int) -> Bool {
        guard let partition = partitions[number], partition.epoch == epoch, case .blocked = partition.stage else {
            return false
        }
        return true
    }

    mutating func block(_ number: Int32, _ text: String) {
        partitions[number]?.stage = .blocked
        handOverIdle(number)
        notes.append(.partition(number, .blocked(text)))
    }
}
