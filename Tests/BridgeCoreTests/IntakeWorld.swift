import Records

@testable import BridgeCore

/// A small broker and the replicas that move records through it: a group with generations, transactions that are
/// aborted, lost, left open by a crash, or committed without an answer. Chance decides what happens next; the seed tells
/// it again.
final class IntakeWorld {
    static let partitions: Int32 = 3
    private var random: SeededRandom
    /// Offsets of each source partition's records; where one is missing stands a transaction marker.
    private(set) var source: [Int32: [Int64]] = [:]
    private var ends: [Int32: Int64] = [:]
    /// What a read_committed consumer of the intake topic finds.
    private(set) var intake: [IntakeOrigin] = []
    private(set) var group: [Int32: Int64] = [:]
    private var generation = 0
    /// Replicas whose answer to a revoke the group waits for; nil: no rebalance is under way.
    private var awaited: Set<Int>?
    private var replicas: [Replica]
    /// Transactions of dead processes: open until their successor's producer is there.
    private var dangling: [Int: Open] = [:]
    /// How often each thing happened, so that a history in which nothing happens is noticed.
    private(set) var counts: [String: Int] = [:]

    init(seed: UInt64, replicas count: Int) {
        random = SeededRandom(seed: seed)
        replicas = (0..<count).map { _ in Replica() }
        for number in 0..<Self.partitions { (source[number], ends[number]) = ([], 0) }
        for replica in replicas { replica.machine.producerReady(settling: 2) }
    }

    /// One process, and what its clients hold.
    private final class Replica {
        var machine = IntakeMachine(settings: IntakeWorld.settings)
        var now = Moment(wall: 0, monotonic: 0)
        var news: [News] = []
        var numbers = 0
        /// Generation of the assignment of each number: its group metadata.
        var generations: [Int: Int] = [:]
        var questions: [IntakeStep] = []
        var answers: [(step: IntakeStep, value: Int64?)] = []
        /// The next record that the consumer gives of each started partition.
        var fetching: [Int32: Int64] = [:]
        var paused: Set<Int32> = []
        var open: Open?
        var openGeneration: Int?
        var waitsForProducer = false
    }

    private enum News {
        case assigned([Int32], generation: Int)
        case revoked([Int32], isLost: Bool)
    }

    private struct Open {
        var plan: IntakePlan
        /// The machine let it go on; the offsets have not reached the broker yet.
        var isAllowed = false
        var hasOffsets = false
    }

    private static var settings: IntakeMachine.Settings {
        var settings = IntakeMachine.Settings()
        settings.maximumTransaction = 4
        settings.windowRecords = 6
        settings.offsetInterval = 5
        return settings
    }

    private func one(of chances: Int) -> Bool { Int.random(in: 0..<chances, using: &random) == 0 }
    private func count(_ what: String) { counts[what, default: 0] += 1 }

    func run(steps: Int) {
        for _ in 0..<steps { step(isCalm: false) }
        // Then nothing fails any more, and all must be moved.
        var rest = 0
        while !isFinished, rest < 20_000 {
            step(isCalm: true)
            rest += 1
        }
    }

    var isFinished: Bool { (0..<Self.partitions).allSatisfy { group[$0] ?? 0 == ends[$0] } }

    private func step(isCalm: Bool) {
        if !isCalm && one(of: 5) { produce() }
        if !isCalm && one(of: 60) || generation == 0 && awaited == nil { beginRebalance() }
        if awaited != nil, awaited == [] || one(of: 20) { endRebalance() }
        let index = Int.random(in: replicas.indices, using: &random)
        if !isCalm && one(of: 150) { crash(index) }
        let replica = replicas[index]
        replica.now.monotonic += Int64.random(in: 0...3, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: deliverNews(index)
        case 1: ask(replica)
        case 2: answer(replica)
        case 3: feed(replica)
        default: transaction(replica, isCalm: isCalm)
        }
        if !isCalm, one(of: 80), let number = replica.fetching.keys.sorted().first {
            // What the driver's watch says when a source ends before our place; here for nothing.
            replica.fetching[number] = nil
            replica.machine.sourceBroken(partition: number)
            count("broken")
        }
        collect(index)
    }

    private func produce() {
        let number = Int32.random(in: 0..<Self.partitions, using: &random)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            source[number]?.append(ends[number] ?? 0)
            ends[number, default: 0] += 1
        }
        if one(of: 3) { ends[number, default: 0] += 1 }
    }

    // MARK: - Group

    private func beginRebalance() {
        guard awaited == nil else { return }
        count("rebalance")
        awaited = []
        for (index, replica) in replicas.enumerated() {
            replica.news.append(.revoked(Array(0..<Self.partitions), isLost: false))
            awaited?.insert(index)
        }
        if generation == 0 { awaited = [] }
    }

    /// With or without all answers: who has not answered is thrown out, and learns it late.
    private func endRebalance() {
        for index in (awaited ?? []).sorted() {
            count("thrown out")
            replicas[index].news.append(.revoked(Array(0..<Self.partitions), isLost: true))
        }
        awaited = nil
        generation += 1
        var shares = replicas.map { _ in [Int32]() }
        for number in 0..<Self.partitions { shares[Int.random(in: shares.indices, using: &random)].append(number) }
        for (index, replica) in replicas.enumerated() {
            replica.news.append(.assigned(shares[index], generation: generation))
        }
    }

    private func deliverNews(_ index: Int) {
        let replica = replicas[index]
        guard !replica.news.isEmpty else { return }
        replica.numbers += 1
        switch replica.news.removeFirst() {
        case .assigned(let list, let generation):
            replica.generations = [replica.numbers: generation]
            for number in list { replica.fetching[number] = nil }
            replica.machine.assigned(number: replica.numbers, partitions: list)
        case .revoked(let list, let isLost):
            for number in list { replica.fetching[number] = nil }
            replica.machine.revoked(
                number: replica.numbers, partitions: list, isLost: isLost, deadline: replica.now.monotonic + 50)
        }
    }

    // MARK: - Take-over

    private func collect(_ index: Int) {
        let replica = replicas[index]
        for step in replica.machine.takeSteps() {
            if case .start(let number, let offset) = step {
                replica.fetching[number] = offset
                replica.paused.remove(number)
            } else {
                replica.questions.append(step)
            }
        }
        if !replica.machine.finishedRevokes(at: replica.now).isEmpty { awaited?.remove(index) }
        let flow = replica.machine.flow()
        replica.paused.formUnion(flow.pause)
        replica.paused.subtract(flow.resume)
        _ = replica.machine.takeNotes()
    }

    /// The broker's answer now; it arrives later. A stable offset is not told while a transaction could still move it.
    private func ask(_ replica: Replica) {
        guard let question = replica.questions.first else { return }
        switch question {
        case .committedOffsets(let number, _):
            let open = replicas.compactMap(\.open) + dangling.values
            if open.contains(where: { $0.hasOffsets && $0.plan.offsets[number] != nil }) {
                count("unstable")
                return
            }
            replica.answers.append((question, group[number]))
        case .ends(let number, _): replica.answers.append((question, ends[number]))
        case .start: preconditionFailure("a start is no question")
        }
        replica.questions.removeFirst()
    }

    private func answer(_ replica: Replica) {
        guard !replica.answers.isEmpty else { return }
        let (question, value) = replica.answers.removeFirst()
        switch question {
        case .committedOffsets(let number, let epoch):
            replica.machine.committedOffsets(partition: number, epoch: epoch, own: value, direct: nil)
        case .ends(let number, let epoch):
            replica.machine.ends(partition: number, epoch: epoch, low: 0, high: value ?? 0, at: replica.now)
        case .start: break
        }
    }

    private func feed(_ replica: Replica) {
        for number in replica.fetching.keys.sorted() where !replica.paused.contains(number) {
            guard let from = replica.fetching[number], let log = source[number] else { continue }
            let first = log.lastIndex { $0 < from }.map { $0 + 1 } ?? 0
            let records = log[first...].prefix(Int.random(in: 0...3, using: &random))
            if let last = records.last {
                replica.fetching[number] = last + 1
                replica.machine.admit(records.map { moved(number, $0) }, partition: number)
            } else if from > log.last ?? -1 {
                replica.machine.sourceEnd(partition: number, offset: ends[number] ?? 0, at: replica.now)
            }
        }
    }

    private func moved(_ partition: Int32, _ offset: Int64) -> MovedRecord {
        let record = Record(
            topic: "source", partition: partition, offset: offset, timestamp: 1, key: nil, value: nil)
        return MovedRecord(
            origin: IntakeOrigin(of: record),
            outgoing: OutgoingRecord(topic: "intake", partition: 0, key: nil, value: [1]), partitions: 2)
    }

    // MARK: - Transactions

    private func transaction(_ replica: Replica, isCalm: Bool) {
        if replica.waitsForProducer {
            replica.waitsForProducer = false
            replica.machine.producerReady(settling: 2)
            return
        }
        guard var open = replica.open else {
            replica.open = replica.machine.nextTransaction(at: replica.now).map { Open(plan: $0) }
            return
        }
        if !isCalm && one(of: 25) {
            // By the coordinator, for its time; the producer hears of it as a fatal error.
            count("lost and aborted")
            end(replica, .lost)
        } else if !open.isAllowed {
            guard replica.machine.mayStillCommit(open.plan.id) else {
                count("given up")
                end(replica, .aborted(culprits: [], groupIsStale: false))
                return
            }
            open.isAllowed = true
            replica.open = open
            replica.openGeneration = replica.generations[open.plan.assignment]
        } else if !open.hasOffsets {
            // The metadata of its own assignment, whatever the replica has heard since.
            guard replica.openGeneration == generation else {
                count("fenced")
                end(replica, .aborted(culprits: [], groupIsStale: true))
                return
            }
            guard isCalm || !one(of: 15) else {
                count("aborted")
                end(replica, .aborted(culprits: one(of: 2) ? [0] : [], groupIsStale: false))
                return
            }
            open.hasOffsets = true
            replica.open = open
        } else if !isCalm && one(of: 10) {
            count("committed without an answer")
            store(open)
            end(replica, .lost)
        } else {
            count("committed")
            store(open)
            end(replica, .committed)
        }
    }

    private func store(_ open: Open) {
        intake += open.plan.records.map(\.origin)
        for (number, offset) in open.plan.offsets { group[number] = offset }
    }

    private func end(_ replica: Replica, _ end: TransactionEnd) {
        guard let open = replica.open else { return }
        replica.open = nil
        if case .lost = end { replica.waitsForProducer = true }
        replica.machine.transactionEnded(open.plan.id, end, at: replica.now)
    }

    /// The process dies at once; its successor has nothing. Its transaction may have got through.
    private func crash(_ index: Int) {
        count("crash")
        if let open = replicas[index].open {
            if open.hasOffsets && one(of: 2) { store(open) } else { dangling[index] = open }
        }
        let next = Replica()
        next.waitsForProducer = true
        // Static membership: it comes back to its share, in the group's generation.
        replicas[index] = next
        dangling[index] = nil
        awaited?.remove(index)
        if awaited == nil { beginRebalance() }
        next.news = []
    }
}
