internal import BridgeCore
internal import Synchronization

/// Whether the process is alive and ready, each with its reasons.
package final class Health: Sendable {
    private let engine: Engine
    private let intake: IntakeService?
    private let denials: Denials
    private let state = Mutex<[String: Int64]>([:])
    private let isEnded = Atomic(false)
    private let isCutOff = Atomic(false)

    init(engine: Engine, intake: IntakeService?, denials: Denials) {
        self.engine = engine
        self.intake = intake
        self.denials = denials
    }

    /// Whether any broker is there for the group's consumer.
    func brokers(areThere: Bool) { isCutOff.store(!areThere, ordering: .relaxed) }

    func ended() { isEnded.store(true, ordering: .relaxed) }

    /// Live means that our own loop turns; no dependency counts. nil: live.
    package func notLive() async -> String? {
        let since = await engine.sinceTick()
        return since > 30_000 && !isEnded.load(ordering: .relaxed) ? "the engine's loop stands since \(since) ms" : nil
    }

    /// What keeps the replica from being ready, each with the time since it holds (milliseconds since 1970).
    package func reasons(at wall: Int64) async -> [(reason: String, since: Int64)] {
        let snapshot = await engine.snapshot()
        var reasons = denials.reasons
        if snapshot.isDraining { reasons.append("draining") }
        if isCutOff.load(ordering: .relaxed) { reasons.append("no Kafka broker can be reached: see the log") }
        if !snapshot.isProducerReady { reasons.append("the transactional producer is not ready") }
        if !snapshot.isAssigned { reasons.append("the group has given no assignment yet") }
        if !snapshot.hasLease {
            reasons.append("the holds cannot be confirmed in the control topic, so nothing is called: see the log")
        }
        if snapshot.writesRefused > 0 {
            reasons.append(
                "entries or results are too large for their topic and wait: raise its max.message.bytes; see the log")
        }
        for account in snapshot.accounts where account.isClockOff {
            reasons.append(
                "the clock of connection \(account.connection) and ours differ by more than its clockLeeway: nothing is"
                    + " called; synchronise the clocks (NTP)")
        }
        for partition in snapshot.partitions {
            switch partition.stage {
            case .blocked: reasons.append("partition \(partition.partition) is blocked: see the log")
            case .takingOver where partition.age > 30_000:
                reasons.append(
                    "partition \(partition.partition) has not been taken over yet"
                        + (partition.waitsFor.map { ": it waits for \($0)" } ?? ""))
            default: break
            }
        }
        reasons += await intake?.reasons() ?? []
        let all = reasons
        return state.withLock { known in
            known = Dictionary(uniqueKeysWithValues: all.map { ($0, known[$0] ?? wall) })
            return all.map { ($0, known[$0] ?? wall) }
        }
    }
}
