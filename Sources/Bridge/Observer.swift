internal import BridgeCore
internal import Kafka
internal import Telemetry

/// Turns what the core tells into log lines and metrics.
struct Observer: Sendable {
    let logger: Logger
    let metrics: BridgeMetrics
    let connections: [String]

    func take(_ notes: [Note]) {
        for note in notes {
            switch note {
            case .admitted(let event, let isPosition):
                metrics.records(.admitted).add()
                if isPosition { metrics.weakIdentities.add() }
                line(event).debug("record admitted")
            case .suppressed(let event, let age):
                metrics.records(.suppressed).add()
                line(event).info("duplicate suppressed", [.milliseconds: .int(age)])
            case .alreadyFinished(let event):
                metrics.records(.finishedBefore).add()
                line(event).debug("record was finished before")
            case .intentCommitted(let event, let attempt):
                line(event).debug("intent committed", [.attempt: .int(attempt)])
            case .callEnded(let event, let attempt, let report): callEnded(event, attempt, report)
            case .released(let event, let cause, let delay):
                line(event).info(
                    "attempt released", [.cause: .string(cause.rawValue), .milliseconds: .int(delay)])
            case .inDoubt(let event, let cause, _):
                metrics.doubts.add()
                line(event).warning("outcome in doubt: it waits for the token's expiry", [.cause: .string(cause)])
            case .finished(let event, let outcome, let waited): finished(event, outcome, waited)
            case .writeRefused(let event, let delay):
                line(event).error(
                    "an entry or a result is too large for its topic and waits: raise the topic's max.message.bytes",
                    [.milliseconds: .int(delay)])
            case .lateAnswer(let event): line(event).info("late answer found in the ledger")
            case .undone(let event):
                line(event).warning("the broker has lost a committed write: it is written again (KAFKA-20734)")
            case .accountPaused(let connection, let milliseconds):
                logger.warning(
                    "account throttled: its events wait",
                    [.connection: .string(connections[connection]), .milliseconds: .int(milliseconds)])
            case .circuitOpened(let connection):
                logger.warning(
                    "connection fails: its events wait", [.connection: .string(connections[connection])])
            case .circuitClosed(let connection):
                logger.info("connection works again", [.connection: .string(connections[connection])])
            case .clockOff(let connection, let milliseconds):
                logger.error(
                    "the API's clock and ours differ by more than clockLeeway: nothing is called; synchronise them (NTP)",
                    [.connection: .string(connections[connection]), .milliseconds: .int(milliseconds)])
            case .clockRight(let connection):
                logger.info("the clocks agree again", [.connection: .string(connections[connection])])
            case .readBack(let event, let decision):
                line(event).info("campaign read back after a doubt", [.detail: .string("\(decision)")])
            case .partition(let number, let news): partition(number, news)
            }
        }
    }

    private func line(_ event: EventNote) -> Logger {
        var fields: LogFields = [
            .requestID: .string(event.requestID), .partition: .int(event.partition), .offset: .int(event.offset),
        ]
        if let connection = event.connection { fields.set(.connection, .string(connections[connection])) }
        return logger.with(fields)
    }

    private func callEnded(_ event: EventNote, _ attempt: Int32, _ report: AttemptReport) {
        let outcome: CallClass
        var cause = ""
        switch report.result {
        case .started: outcome = .started
        case .notSent(let text):
            outcome = .notSent
            cause = text
        case .refused(let refusal):
            outcome = .refused
            cause = refusal.kind.rawValue
        case .rejected: outcome = .rejected
        case .unknown(let text, _):
            outcome = .unknown
            cause = text
        }
        metrics.calls(outcome).add()
        metrics.callSeconds.observe(Double(report.duration.milliseconds) / 1000)
        if let server = report.serverTime, let connection = event.connection {
            metrics.skew(connections[connection], serverTime: server)
        }
        line(event).debug(
            "call ended",
            [
                .attempt: .int(attempt), .result: .string(outcome.rawValue), .cause: .string(cause),
                .status: .int(report.status ?? 0), .milliseconds: .int(report.duration.milliseconds),
            ])
    }

    private func finished(_ event: EventNote, _ outcome: Outcome, _ waited: Int64) {
        metrics.eventSeconds.observe(Double(waited) / 1000)
        switch outcome {
        case .started(let answer, let evidence):
            metrics.started(evidence).add()
            line(event).info(
                "campaign started",
                [
                    .instanceID: .string(answer.instanceID ?? ""), .evidence: .string(evidence.rawValue),
                    .milliseconds: .int(waited),
                ])
        case .deadLetter(let reason, _, _):
            metrics.deadLetters(reason).add()
            line(event).warning("dead letter", [.reason: .string(reason.rawValue)])
        }
    }

    private func partition(_ number: Int32, _ news: PartitionNews) {
        let line = logger.with([.partition: .int(number)])
        switch news {
        case .takingOver: line.debug("take-over begins")
        case .owned(let offset, let entries, let milliseconds):
            metrics.takeOverSeconds.observe(Double(milliseconds) / 1000)
            line.info(
                "partition taken over",
                [.offset: .int(offset), .entries: .int(entries), .milliseconds: .int(milliseconds)])
        case .draining: line.info("partition drains: its calls end")
        case .lost: line.info("partition given up")
        case .blocked(let text): line.error("partition blocked", [.detail: .string(text)])
        case .offsetsMissing(let entries):
            line.error(
                "no committed offset beside a ledger: the partition is read from its beginning, finished events are known",
                [.entries: .int(entries)])
        case .ledgerBroken(let needed):
            line.error(
                "the ledger ends before what was read of it: its topic was made anew or cut", [.offset: .int(needed)])
        case .ledgerReread(let entries):
            line.info("the ledger is read again, to forget what it has forgotten", [.entries: .int(entries)])
        case .gap(let from, let to):
            metrics.missed.add(UInt64(max(0, to - from)))
            line.error(
                "records were removed from the source before they were read",
                [.offset: .int(from), .entries: .int(to - from)])
        }
    }

    func take(_ snapshot: ReplicaSnapshot) { metrics.take(snapshot) }

    func take(_ statistics: Statistics) { metrics.take(statistics) }

    func transaction(milliseconds: Int64, writes: Int, records: Int, _ result: TransactionalProducer.Result) {
        metrics.transactionSeconds.observe(Double(milliseconds) / 1000)
        metrics.transactionEntries.observe(Double(writes))
        switch result {
        case .committed: metrics.transactions(.committed).add()
        case .aborted: metrics.transactions(.aborted).add()
        case .lost: metrics.transactions(.lost).add()
        }
    }
}

extension Observer {
    /// Source records without a key: a repeat may stand in another partition, where it is not recognised.
    func metUnkeyed(_ count: Int) {
        if count > 0 { metrics.unkeyed.add(UInt64(count)) }
    }

    // MARK: - Intake

    func take(_ note: IntakeNote) {
        switch note {
        case .owned(let partition, let from):
            logger.info(
                "source partition is moved to the intake topic", [.partition: .int(partition), .offset: .int(from)])
        case .lost(let partition): logger.info("source partition is not moved any more", [.partition: .int(partition)])
        case .blocked(let partition, let text):
            logger.error("source partition cannot be moved", [.partition: .int(partition), .detail: .string(text)])
        case .gap(let partition, let from, let to):
            metrics.missed.add(UInt64(max(0, to - from)))
            logger.error(
                "records were removed from the source before they were moved",
                [.partition: .int(partition), .offset: .int(from), .entries: .int(to - from)])
        case .shortened(let partition, let offset):
            logger.warning(
                "a record is too large for the intake topic: it becomes a dead letter",
                [.partition: .int(partition), .offset: .int(offset)])
        }
    }

    func moved(records: Int, milliseconds: Int64, _ result: TransactionalProducer.Result) {
        metrics.intakeSeconds.observe(Double(milliseconds) / 1000)
        switch result {
        case .committed:
            metrics.intakeTransactions(.committed).add()
            metrics.moved.add(UInt64(records))
        case .aborted: metrics.intakeTransactions(.aborted).add()
        case .lost: metrics.intakeTransactions(.lost).add()
        }
    }

    func takeIntake(_ statistics: Statistics, positions: [(partition: Int32, offset: Int64)]) {
        metrics.takeIntake(statistics, positions: positions)
    }
}
