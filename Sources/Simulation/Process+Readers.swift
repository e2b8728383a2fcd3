internal import BridgeCore

// Take-over steps, and the readers of ledger and source. A delivery of an earlier reading is dropped, as the Kafka
// client does.

extension Process {
    func carryOut(_ step: TakeOverStep) {
        switch step {
        case .committedOffset(let partition, let epoch):
            world.group.ask(partition, by: self) { offset, ledgerEnd in
                self.machine.committedOffset(
                    partition: partition, epoch: epoch, offset: offset, ledgerEnd: ledgerEnd)
            }
        case .marks(let partition, let epoch): askMarks(partition, epoch)
        case .readLedger(let partition, _):
            readings += 1
            ledgers[partition] = Reader(version: readings, position: 0)
            world.judge.rereads(partition, by: owner)
            fetchLedger(partition, readings)
        case .readControl(let partition, let epoch):
            readControl(partition, epoch)
        case .start(let partition, let offset):
            world.story("\(self) owns \(partition) and reads it from \(offset)")
            readings += 1
            sources[partition] = Reader(version: readings, position: offset)
            fetchSource(partition, readings)
        case .stop(let partition): ledgers[partition] = nil
        }
    }

    private func askMarks(_ partition: Int32, _ epoch: Int) {
        world.after(world.latency()) { [self] in
            guard Int(partition) < world.ledger.count else {
                world.count(.partitionWithoutLedger)
                receive(after: world.latency()) {
                    self.machine.takeOverFailed(partition: partition, epoch: epoch, "no ledger partition")
                    self.waitForLedger(partition, epoch)
                }
                return
            }
            var marks = PartitionMarks(
                ledgerLow: world.ledger[Int(partition)].low, ledgerHigh: world.ledger[Int(partition)].high,
                sourceLow: world.source[Int(partition)].low, sourceHigh: world.source[Int(partition)].high)
            if world.ledger[Int(partition)].stable < marks.ledgerHigh { world.count(.endBeforeMark) }
            #if DELIBERATE_FAULTS
                // What a read_committed client would be told.
                if world.setup.fault == .ledgerReadToStableEnd {
                    marks.ledgerHigh = world.ledger[Int(partition)].stable
                }
            #endif
            let answer = marks
            receive(after: world.latency()) { [self] in
                machine.marks(partition: partition, epoch: epoch, answer, at: moment)
            }
        }
    }

    func askMark(_ partition: Int32, _ epoch: Int) {
        world.after(world.latency()) { [self] in
            let high = world.trouble(world.setup.brokerFaults) ? nil : world.ledger[Int(partition)].high
            receive(after: world.latency()) { [self] in
                machine.doubtMark(partition: partition, epoch: epoch, high: high, at: moment)
            }
        }
    }

    // MARK: - Ledger

    func ledgerChanged(_ partition: Int32) {
        guard let reader = ledgers[partition], reader.isIdle else { return }
        ledgers[partition]?.isIdle = false
        fetchLedger(partition, reader.version)
    }

    private func fetchLedger(_ partition: Int32, _ version: Int) {
        world.after(max(world.latency(), ledgerStalledUntil - world.now)) { [self] in
            guard ledgerStalledUntil <= world.now else {
                fetchLedger(partition, version)
                return
            }
            guard state != .dead, let reader = ledgers[partition], reader.version == version else { return }
            let log = world.ledger[Int(partition)]
            var records: [LedgerRecord] = []
            var readTo: Int64?
            var offset = max(reader.position, log.low)
            while offset < log.stable, records.count < 5 {
                if case .ledger(_, let record) = log[offset].content, world.isVisible(log[offset], in: log) {
                    records.append(record)
                    readTo = offset + 1
                }
                offset += 1
            }
            // The library tells an end only where an answer brought nothing new.
            let end = offset == log.stable && (records.isEmpty || world.chance(500)) ? offset : readTo
            ledgers[partition]?.position = offset
            receive(after: world.between(1, 5)) {
                self.deliverLedger(partition, version, records, end: end)
            }
        }
    }

    private func deliverLedger(_ partition: Int32, _ version: Int, _ records: [LedgerRecord], end: Int64?) {
        guard let reader = ledgers[partition], reader.version == version else { return }
        for record in records {
            if case .late(let late) = record { world.judge.told(late, partition, to: owner) }
            machine.ledger(partition: partition, record, at: moment)
        }
        if let end, end != reader.endTold {
            ledgers[partition]?.endTold = end
            machine.ledgerEnd(partition: partition, offset: end, at: moment)
        }
        // Another fetch tells the end that this one has not told.
        if end == reader.position, world.ledger[Int(partition)].stable == reader.position {
            ledgers[partition]?.isIdle = true
        } else {
            fetchLedger(partition, version)
        }
    }

    // MARK: - Source

    func sourceChanged(_ partition: Int32) {
        guard let reader = sources[partition], reader.isIdle else { return }
        readSource(partition)
    }

    func readSource(_ partition: Int32) {
        guard let reader = sources[partition], reader.isIdle, !reader.isPaused else { return }
        sources[partition]?.isIdle = false
        fetchSource(partition, reader.version)
    }

    private func fetchSource(_ partition: Int32, _ version: Int) {
        world.after(world.latency()) { [self] in
            guard state != .dead, let reader = sources[partition], reader.version == version else { return }
            let log = world.source[Int(partition)]
            guard reader.position <= log.high else {
                receive(after: world.between(1, 3000)) {
                    if self.sources[partition]?.version == version { self.sourceIsAnother(partition) }
                }
                return
            }
            var events: [DecodedRecord] = []
            var offset = max(reader.position, log.low)
            while offset < log.stable, events.count < 3 {
                if case .source(let event) = log[offset].content, world.isVisible(log[offset], in: log) {
                    events.append(event)
                }
                offset += 1
            }
            sources[partition]?.position = offset
            let end = offset == log.stable ? offset : nil
            receive(after: world.between(1, 5)) { self.deliverSource(partition, version, events, end: end) }
        }
    }

    private func deliverSource(_ partition: Int32, _ version: Int, _ events: [DecodedRecord], end: Int64?) {
        guard let reader = sources[partition], reader.version == version else { return }
        if !events.isEmpty { machine.admit(events, partition: partition, at: moment) }
        if let end, end != reader.endTold {
            sources[partition]?.endTold = end
            machine.sourceEnd(partition: partition, offset: end, at: moment)
        }
        if reader.isPaused || reader.position == world.source[Int(partition)].stable {
            sources[partition]?.isIdle = true
        } else {
            fetchSource(partition, version)
        }
    }
}
