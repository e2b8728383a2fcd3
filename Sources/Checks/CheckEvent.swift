internal import Bridge
package import BridgeCore
package import Configuration
package import Records

/// What the bridge would do with a record, were it the first of its identity. The core itself decides, on a replica
/// that owns one empty partition: no rule stands here.
package struct EventCheck: Sendable {
    package enum Verdict: Sendable {
        /// The call, and when it would be made (milliseconds since 1970).
        case call(StartCall, at: Int64)
        case deadLetter(DeadLetterReason, message: String)
    }

    package let event: DecodedRecord
    package let verdict: Verdict
    /// Not to be called at or after this time: the event's own expiry, or its record's time and the maximum age.
    package let expiry: Int64

    /// - Parameters:
    ///   - record: with the time at which it is, or would be, written.
    ///   - now: the time of the decision.
    package init(_ record: Record, settings: BridgeSettings, at now: Moment) {
        var record = record
        record.partition = 0
        record.offset = 0
        var event = settings.decoder.decode(record)
        // A replay is judged by the ledger, which is empty here: what is told is the event's own.
        event.replay = nil
        self.event = event
        var core = settings.core(sourcePartitions: 1, run: "check")
        (core.leaseDuration, core.settledPartitions) = (0, 0)
        var machine = ReplicaMachine(
            settings: core, random: SeededRandom(seed: 1))
        var time = now
        Self.takeOver(&machine, at: now)
        machine.admit([event], partition: 0, at: now)
        var own: Int64?
        if case .success(let request) = event.content {
            own = request.expiresAt
            if let begin = request.notBefore, begin > now.wall, begin < request.expiresAt ?? .max {
                time = Moment(wall: begin, monotonic: now.monotonic + (begin - now.wall))
            }
        }
        expiry = min(own ?? .max, (record.timestamp ?? now.wall) + settings.source.maximumAge.milliseconds64)
        verdict = Self.decide(&machine, at: time)
    }

    /// The four steps of a take-over, each with the answer of an empty partition.
    private static func takeOver(_ machine: inout ReplicaMachine, at now: Moment) {
        machine.producerReady(at: now)
        machine.assigned(number: 1, partitions: [0], at: now)
        for _ in 0..<8 {
            for step in machine.takeOverSteps() {
                switch step {
                case .committedOffset(let partition, let epoch):
                    machine.committedOffset(partition: partition, epoch: epoch, offset: 0)
                case .marks(let partition, let epoch):
                    let marks = PartitionMarks(ledgerLow: 0, ledgerHigh: 0, sourceLow: 0, sourceHigh: 1)
                    machine.marks(partition: partition, epoch: epoch, marks, at: now)
                case .readLedger(let partition, _): machine.ledgerEnd(partition: partition, offset: 0, at: now)
                case .readControl(let partition, let epoch):
                    machine.controlRead(partition: partition, epoch: epoch, at: now)
                case .start, .stop: break
                }
            }
        }
    }

    /// Commits what the machine wants to be committed until it makes a call or has a result.
    private static func decide(_ machine: inout ReplicaMachine, at now: Moment) -> Verdict {
        for _ in 0..<8 {
            if let call = machine.nextCalls(at: now).first { return .call(call.call, at: now.wall) }
            guard let plan = machine.nextTransaction(at: now) else { continue }
            for write in plan.writes {
                if case .deadLetter(let reason, let message, _)? = write.result?.outcome {
                    return .deadLetter(reason, message: message)
                }
            }
            machine.transactionEnded(plan.id, .committed, at: now)
            for write in plan.writes {
                machine.ledger(partition: write.partition, .entry(key: write.key, write.entry), at: now)
            }
        }
        preconditionFailure("the core neither calls nor refuses an event")
    }
}
