import Records
import Testing

@testable import BridgeCore

/// One random history of a replica and its successors: aborted, lost and unknown transactions, lost and regained
/// partitions, crashes, replicas that were stopped and go on after others have taken over, every kind of answer. The API's side is counted apart, as the judge.
final class History {
    private var random: SeededRandom
    private var harness: Harness
    private let records: [DecodedRecord]
    private var position: Int64?
    private var open: TransactionPlan?
    private var underWay: [(call: CallOrder, isAccepted: Bool)] = []
    private var incarnation = 0
    /// A replica that does not know yet that its partition is another's, and its calls.
    private var zombie: (harness: Harness, underWay: [(call: CallOrder, isAccepted: Bool)])?
    /// Starts that the API has accepted, by event.
    private(set) var accepted: [String: Int] = [:]

    init(seed: UInt64, records: [DecodedRecord]) {
        random = SeededRandom(seed: seed)
        self.records = records
        harness = Harness.owning()
        position = 0
    }

    private func one(of chances: Int) -> Bool { Int.random(in: 0..<chances, using: &random) == 0 }

    /// - Returns: the committed results.
    func run(steps: Int) -> [ResultWrite] {
        for _ in 0..<steps { step(isCalm: false) }
        // Then nothing fails any more, and all must end.
        var count = 0
        while (harness.groupOffsets[0] ?? 0) < Int64(records.count) && count < 3000 {
            step(isCalm: true)
            count += 1
        }
        #expect(harness.groupOffsets[0] == Int64(records.count), "not all has ended")
        #expect(harness.machine.callsInFlight == underWay.count)
        return harness.results
    }

    private func step(isCalm: Bool) {
        if !isCalm && one(of: 40) { crash() }
        if !isCalm && one(of: 25) { rebalance() }
        goOn()
        feed()
        transaction(isCalm: isCalm)
        for call in harness.calls() {
            let isAccepted = one(of: 2)
            if isAccepted { accepted[call.call.identityLabel, default: 0] += 1 }
            underWay.append((call, isAccepted))
        }
        if !underWay.isEmpty && !one(of: 3) { answer() }
        harness.wait(Int64.random(in: 0...(one(of: 6) ? 60_000 : 500), using: &random))
        if !one(of: 3) {
            for asked in harness.doubtMarks() {
                let mark = !isCalm && one(of: 4) ? nil : harness.marks(of: 0).ledgerHigh
                harness.machine.doubtMark(partition: 0, epoch: asked.epoch, high: mark, at: harness.now)
            }
            harness.tail(0)
        }
        goOnAsZombie(isCalm: isCalm)
        while let late = harness.lates.popLast() { harness.write(late) }
    }

    /// It may still call what it has committed, within the token's life; nothing of its writing gets through but late
    /// answers.
    private func goOnAsZombie(isCalm: Bool) {
        guard let old = zombie else { return }
        old.harness.wait(max(0, harness.now.wall - old.harness.now.wall))
        for call in old.harness.calls() {
            let isAccepted = one(of: 2)
            if isAccepted { accepted[call.call.identityLabel, default: 0] += 1 }
            zombie?.underWay.append((call, isAccepted))
        }
        guard isCalm || one(of: 4) else { return }
        if one(of: 2) { old.harness.revoke([0], isLost: true) }
        for (call, isAccepted) in zombie?.underWay ?? [] {
            old.harness.answer(call, isAccepted ? active : refusal(.throttled, 429))
        }
        old.harness.revoke([0], isLost: true)
        old.harness.collect()
        harness.lates += old.harness.lates
        zombie = nil
    }

    private func goOn() {
        let before = harness.started.count
        harness.takeOver()
        if harness.started.count > before, case .start(_, let offset)? = harness.started.last { position = offset }
    }

    private func feed() {
        guard let from = position, harness.machine.partitions[0]?.isOwned == true, from < Int64(records.count) else {
            return
        }
        let to = min(Int64(records.count), from + Int64.random(in: 1...3, using: &random))
        harness.machine.admit(Array(records[Int(from)..<Int(to)]), partition: 0, at: harness.now)
        position = to
    }

    private func transaction(isCalm: Bool) {
        guard let plan = open ?? harness.begin() else { return }
        open = nil
        guard harness.mayStillCommit(plan.id) else {
            harness.end(plan, .aborted(culprits: [], groupIsStale: false))
            return
        }
        guard !isCalm else {
            harness.end(plan, .committed)
            return
        }
        switch Int.random(in: 0..<12, using: &random) {
        case 0: harness.end(plan, .aborted(culprits: [0], groupIsStale: false))
        case 1:
            if one(of: 2) {
                harness.store(plan)
                if one(of: 2) { harness.tail(0) }
            }
            harness.end(plan, .lost)
            harness.machine.producerReady(at: harness.now)
        case 2, 3: open = plan
        default: harness.end(plan, .committed)
        }
    }

    private func answer() {
        let (call, isAccepted) = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
        let known: [AttemptResult] =
            isAccepted
            ? [active, active, timeout]
            : [
                refusedConnection, refusal(.throttled, 429, after: .seconds(1)), refusal(.unavailable, 503),
                refusal(.credentials, 401), refusal(.foreignAnswer, 404), timeout,
                .rejected(Rejection(status: 400, message: "no")), .notSent(cause: "token_expired"),
            ]
        harness.answer(call, known[Int.random(in: 0..<known.count, using: &random)])
    }

    private func rebalance() {
        if one(of: 2) {
            harness.revoke([0], holdFor: 5000)
            if one(of: 2) {
                harness.wait(5000)
                _ = harness.finishedRevokes()
            }
        } else {
            harness.revoke([0], isLost: true)
        }
        harness.collect()
        harness.assign([0])
    }

    /// The process dies at once; the next one has the ledger, the offsets and nothing else.
    private func crash() {
        if let plan = open, harness.mayStillCommit(plan.id), one(of: 2) { harness.store(plan) }
        open = nil
        if zombie == nil && one(of: 2) { zombie = (harness, underWay) }
        underWay = []
        incarnation += 1
        let next = Harness(owner: "replica-0/c\(incarnation)", seed: random.next())
        next.ledger = harness.ledger
        next.groupOffsets = harness.groupOffsets
        next.results = harness.results
        next.now = Moment(wall: harness.now.wall + (one(of: 2) ? 20_000 : 2000), monotonic: 1000)
        next.machine.producerReady(at: next.now)
        next.assign([0])
        harness = next
    }
}
