// The life of an assignment: assigned, taken over, owned, drained while its revoke is held, given up.

extension IntakeMachine {
    /// The group gave us partitions. A revoke that is still held is over by this, and its answer is never sent.
    package mutating func assigned(number: Int, partitions list: [Int32]) {
        assignment = number
        groupIsStale = false
        for revoke in revokes {
            for partition in revoke.partitions { giveUp(partition) }
        }
        revokes.removeAll()
        for partition in list {
            giveUp(partition)
            begin(partition)
        }
    }

    /// The group takes partitions back. What waits of them is forgotten; the revoke is held while a transaction with
    /// them is open, until `deadline` (monotonic).
    package mutating func revoked(number: Int, partitions list: [Int32], isLost: Bool, deadline: Int64) {
        groupIsStale = false
        for partition in list {
            if isLost || open?.epochs[partition] == nil || partitions[partition]?.isOwned != true {
                giveUp(partition)
            } else {
                forgetWaiting(partition)
                partitions[partition]?.stage = .draining
            }
        }
        if !isLost { revokes.append((number, list, deadline)) }
    }

    /// Held revokes that may be answered now.
    package mutating func finishedRevokes(at now: Moment) -> [Int] {
        var finished: [Int] = []
        for revoke in revokes {
            let isQuiet = revoke.partitions.allSatisfy { partitions[$0] == nil || open?.epochs[$0] == nil }
            guard isQuiet || now.monotonic >= revoke.deadline else { continue }
            for partition in revoke.partitions { giveUp(partition) }
            finished.append(revoke.number)
        }
        revokes.removeAll { finished.contains($0.number) }
        return finished
    }

    /// A producer is initialised: the transactions of the one before it have ended.
    ///
    /// - Parameter partitions: of the intake topic, which its first transaction settles; 0: none.
    package mutating func producerReady(settling partitions: Int32 = 0) {
        isProducerReady = true
        settledPartitions = partitions
        if partitions > 0 { settleAttempts.begin() }
        for number in numbers { askForOffsets(number) }
    }

    /// The place that an owned partition is read from is gone: its topic was removed, made anew or cut.
    package mutating func sourceBroken(partition number: Int32) {
        guard partitions[number]?.isOwned == true else { return }
        giveUp(number)
        begin(number)
    }

    private mutating func begin(_ number: Int32) {
        epochs += 1
        partitions[number] = IntakePartition(epoch: epochs)
        askForOffsets(number)
    }

    /// While a transaction with the partition is open, its committed offset says nothing: the transaction could still
    /// move it, and records that were moved would be moved again.
    mutating func askForOffsets(_ number: Int32) {
        guard isProducerReady, open?.epochs[number] == nil || isBroken(.moverAsksTooEarly),
            let partition = partitions[number],
            partition.stage == .committedOffsets
        else { return }
        steps.append(.committedOffsets(partition: number, epoch: partition.epoch))
    }

    private mutating func giveUp(_ number: Int32) {
        guard let partition = partitions[number] else { return }
        // Who takes it over waits for its offsets, and only this producer can settle them.
        if partition.isOwned || partition.stage == .draining { settle() }
        forgetWaiting(number)
        partitions[number] = nil
        notes.append(.lost(partition: number))
    }

    private mutating func forgetWaiting(_ number: Int32) {
        waitingBytes -= partitions[number]?.bytes ?? 0
        partitions[number]?.waiting = FIFO()
        partitions[number]?.bytes = 0
    }

    /// L5: what became of a transaction is not known. Everything still owned begins anew from the committed offsets,
    /// with a new producer; nothing that was read is kept.
    mutating func restart() {
        isProducerReady = false
        for number in numbers {
            guard let old = partitions[number], old.stage != .blocked else { continue }
            giveUp(number)
            if old.stage != .draining { begin(number) }
        }
    }

    // MARK: - Take-over

    package mutating func committedOffsets(partition number: Int32, epoch: Int, own: Int64?, direct: Int64?) {
        guard let partition = partitions[number], partition.epoch == epoch, partition.stage == .committedOffsets
        else { return }
        partitions[number]?.stage = .ends(own: own, direct: direct)
        steps.append(.ends(partition: number, epoch: epoch))
    }

    /// The source partition's ends, open transactions included.
    package mutating func ends(partition number: Int32, epoch: Int, low: Int64, high: Int64, at now: Moment) {
        guard let partition = partitions[number], partition.epoch == epoch,
            case .ends(let own, let direct) = partition.stage
        else { return }
        if case .refused(let text) = SourceStart(own: own, other: direct, isIntake: true) {
            block(number, text)
            return
        }
        if let own, own > high {
            block(
                number,
                "the group's offset \(own) lies behind the source partition's end \(high): the topic was made anew"
                    + " under its name. Reset the group's offsets, or restore the topic, then restart")
            return
        }
        if let own, own < low { notes.append(.gap(partition: number, from: own, to: low)) }
        let start = max(own ?? low, low)
        partitions[number]?.committed = own ?? -1
        partitions[number]?.position = start
        partitions[number]?.stage = .owned
        // A start above the group's offset is written down, although no record may ever come.
        if start > max(own ?? 0, 0) { partitions[number]?.movedAt = now.monotonic }
        notes.append(.owned(partition: number, from: start))
        steps.append(.start(partition: number, offset: start))
    }

    /// A step cannot be done as long as a person does nothing.
    package mutating func takeOverFailed(partition number: Int32, epoch: Int, _ text: String) {
        guard partitions[number]?.epoch == epoch else { return }
        block(number, text)
    }

    /// Whether that take-over has failed and nothing has come after it.
    package func isBlocked(partition number: Int32, epoch: Int) -> Bool {
        partitions[number]?.epoch == epoch && partitions[number]?.stage == .blocked
    }

    /// What a take-over failed for may be gone: it begins anew.
    package mutating func takeOverAgain(partition number: Int32, epoch: Int) {
        if isBlocked(partition: number, epoch: epoch) { begin(number) }
    }

    private mutating func block(_ number: Int32, _ text: String) {
        partitions[number]?.stage = .blocked
        notes.append(.blocked(partition: number, text))
    }
}
