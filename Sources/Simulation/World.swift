internal import BridgeCore
internal import Records

/// Everything outside the replicas' machines, and the replicas: one history. Nothing here happens by itself; every
/// delay, order and fault is drawn from the history's seed.
final class World {
    let seed: UInt64
    let setup: Setup
    var random: SeededRandom
    /// True time, milliseconds since 1970.
    var now: Int64 = 1_800_000_000_000
    var agenda = Agenda()
    var steps = 0
    /// From here on nothing new goes wrong.
    var isCalm = false
    var coverage = Coverage()
    var judge: Judge

    // The broker.
    /// What producers write to, where records are moved to the intake topic; `source` is that topic then.
    var requests: [Log]
    var source: [Log]
    var ledger: [Log]
    var control: [Record] = []
    /// The source's partitions while another topic has their name.
    var missing: [Int: Log] = [:]
    var results = Log()
    var transactions: [Transaction] = []
    var producers: [ProducerState]
    private(set) lazy var group = Group(self, reading: \.source)
    private(set) lazy var intakeGroup = Group(self, reading: \.requests)
    /// What the world knows of replays that are not moved yet, by their places.
    var answers: [[Int64]: Judge.Answer] = [:]
    /// Records that were moved and then dropped by the broker, by their places.
    var droppedMoves: Set<[Int64]> = []
    // The API.
    var apiTrouble: APITrouble?
    var requestsUnderWay = 0
    var campaigns: [String: CampaignView] = [:]
    var clockFault: Int64 = 0
    /// Tokens that expire up to here, by the API's clock, are refused for good.
    var tokensDeadAt = Int64.min
    var instances = 0
    // The operators.
    var operatorsReadTo: Int64 = 0
    var replaysLeft = 0
    var replaysUnderWay = 0
    var holds: [HoldOrder] = []
    var replayed: Set<UInt64> = []
    // The replicas; what outlives one still speaks of it.
    var processes: [Process?]
    var everyProcess: [Process] = []

    private let tell: ((String) -> Void)?
    private let began: Int64

    /// - Parameter tell: gets each line of the history's story; nil: it is not told.
    init(seed: UInt64, fault: String?, tell: ((String) -> Void)?) {
        self.seed = seed
        self.tell = tell
        random = SeededRandom(seed: seed)
        var setup = Setup(&random)
        #if DELIBERATE_FAULTS
            setup.fault = fault.flatMap(DeliberateFault.init)
        #endif
        // Of a chance of its own, so that what is not rekeyed is as it was without.
        var chance = SeededRandom(seed: ~seed)
        setup.rekey(&chance)
        self.setup = setup
        judge = Judge(setup: setup)
        replaysLeft = setup.replays == 0 ? 0 : 8
        requests = Array(repeating: Log(), count: setup.requestPartitions)
        source = Array(repeating: Log(), count: setup.partitions)
        ledger = Array(repeating: Log(), count: max(1, setup.partitions - (setup.isLedgerShort ? 1 : 0)))
        producers = Array(repeating: ProducerState(), count: setup.replicas * 2)
        processes = Array(repeating: nil, count: setup.replicas)
        began = now
    }

    // MARK: - Chance and time

    func chance(_ perThousand: Int) -> Bool {
        perThousand > 0 && Int(truncatingIfNeeded: random.next() >> 33) % 1000 < perThousand
    }

    /// Trouble of the broker or of calls never comes up in the calm part.
    func trouble(_ perThousand: Int) -> Bool { !isCalm && chance(perThousand) }

    func between(_ low: Int64, _ high: Int64) -> Int64 {
        low + Int64(truncatingIfNeeded: random.next() >> 1) % (high - low + 1)
    }

    /// How long a message is under way.
    func latency() -> Int64 {
        if trouble(setup.slowMessages) { return between(200, chance(200) ? 20_000 : 3000) }
        return between(1, 8)
    }

    func after(_ delay: Int64, _ action: @escaping () -> Void) { agenda.add(at: now + delay, action) }

    // MARK: - Story

    func count(_ kind: Happening) { coverage.count(kind) }

    func story(_ text: @autoclosure () -> String) {
        guard let tell else { return }
        let time = now - began
        let millis = String(1000 + time % 1000).dropFirst()
        tell("\(time / 1000).\(millis)  \(text())")
    }

    // MARK: - Running

    /// Runs the history: trouble, then calm until everything has its outcome, then the judgement.
    func run() -> [String] {
        prepare()
        let troubleEnds = now + setup.trouble
        while let time = agenda.next, time < troubleEnds, judge.violations.isEmpty { step() }
        now = max(now, troubleEnds)
        calm()
        let limit = now + 1_800_000
        var check = now + 2000
        if setup.isAccountDead { agenda.add(at: now + 240_000) { self.judge.checkIndependence(self) } }
        while let time = agenda.next, time < limit, judge.violations.isEmpty {
            if time >= check {
                check = time + 2000
                if isQuiet { break }
            }
            step()
        }
        if judge.violations.isEmpty { judge.close(self) }
        // What is to happen holds who it happens to: without this no history would ever be freed.
        agenda.clear()
        for transaction in transactions { transaction.waiters = [] }
        for process in everyProcess { process.state = .dead }
        return judge.violations
    }

    private func step() {
        guard let (time, action) = agenda.pop() else { return }
        now = max(now, time)
        steps += 1
        action()
    }

    /// Whether nothing is left to happen: every record before the end of its partition, no call under way.
    private var isQuiet: Bool {
        guard requestsUnderWay == 0, replaysUnderWay == 0, missing.isEmpty else { return false }
        for partition in source.indices where partition < ledger.count {
            guard group.committed(partition) == source[partition].high else { return false }
        }
        return isAllMoved && judge.hasAllOutcomes(self)
    }
}
