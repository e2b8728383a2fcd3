internal import BridgeCore

/// One replica's process: the real machine, and a driver that brings it the world's answers and carries out what it
/// decides, as the service's drivers do.
final class Process: GroupListener, TransactionOwner {
    enum State { case running, stopped, dead }

    unowned let world: World
    let slot: Int
    let owner: String
    var skew: Int64
    private let startedAt: Int64
    var machine: ReplicaMachine
    var state = State.running {
        didSet { if state == .dead { (backlog, groupBacklog) = ([], []) } }
    }
    /// What arrived while it stood still.
    private var backlog: [() -> Void] = []
    private var wakeAt: Int64 = .max
    private var lastArrival: Int64 = 0

    // The group.
    private(set) lazy var client = GroupClient(of: self, in: world.group, for: self)
    var isCut = false
    private var groupBacklog: [() -> Void] = []
    private var lastGroupArrival: Int64 = 0

    // Readers.
    var ledgers: [Int32: Reader] = [:]
    var sources: [Int32: Reader] = [:]
    var readings = 0
    var ledgerStalledUntil: Int64 = 0

    // The control topic: what was asked for, and what the machine has.
    var controlFetched = 0
    var controlReadTo = 0
    var isControlIdle = false
    var controlWaits: [ControlWait] = []

    // The producer.
    private(set) lazy var producer = TransactionClient(of: self)
    /// Moves the source's records to the intake topic; nil: the source is read itself.
    private(set) var mover: Mover?
    var latesUnderWay = 0
    /// When a transaction was lost last (for coverage of L5), and the attempts whose intents were in it (of L6).
    var lostAt: Int64 = -1
    var lostIntents: Set<Attempt> = []
    /// When the campaigns were started that this process has published.
    var published: [UInt64: Int64] = [:]

    struct ControlWait {
        var partition: Int32
        var epoch: Int
        var high: Int
    }

    struct Reader {
        var version: Int
        var position: Int64
        var isIdle = false
        var isPaused = false
        var endTold: Int64 = -1
    }

    init(world: World, slot: Int, incarnation: Int, skew: Int64) {
        self.world = world
        self.slot = slot
        self.skew = skew
        owner = "r\(slot)-\(incarnation)"
        startedAt = world.now
        machine = ReplicaMachine(
            settings: world.setup.settings(owner: owner, partitions: world.source.count),
            random: SeededRandom(seed: world.random.next()))
        if world.setup.isRekeyed { mover = Mover(of: self) }
    }

    var description: String { owner }
    var moment: Moment { Moment(wall: world.now + skew, monotonic: world.now - startedAt + 5000) }

    func start() {
        producer.initialise()
        fetchControl()
        receiveGroup(after: world.latency() + world.between(0, 2000)) { self.client.join() }
        mover?.start()
        receive(after: 0) {}
    }

    /// Something reaches this process and is dealt with, as soon as it runs.
    func receive(after delay: Int64, _ action: @escaping () -> Void) {
        world.after(delay) { [self] in arrive(action) }
    }

    private func arrive(_ action: @escaping () -> Void) {
        switch state {
        case .dead: return
        case .stopped: backlog.append(action)
        case .running:
            if crashesNow() { return }
            action()
            pump()
        }
    }

    /// A kill between any two steps.
    private func crashesNow() -> Bool {
        guard !world.isCalm, world.setup.stepCrash > 0, world.between(1, Int64(world.setup.stepCrash)) == 1 else {
            return false
        }
        world.count(.crashBetweenSteps)
        world.story("replica \(self) is killed between two steps")
        world.end(self)
        return true
    }

    func goOn() {
        state = .running
        let waiting = backlog
        backlog = []
        // The broker and the API went on meanwhile: what had arrived is dealt with late.
        for action in waiting { arrive(action) }
        heartbeat()
        if state == .running { pump() }
    }

    // MARK: - The group's messages: in their order, and none while cut

    func receiveGroup(after delay: Int64, _ action: @escaping () -> Void) {
        lastGroupArrival = max(lastGroupArrival, world.now + delay)
        world.after(lastGroupArrival - world.now) { [self] in
            if isCut { groupBacklog.append(action) } else { arrive(action) }
        }
    }

    func heartbeat() {
        guard !isCut else { return }
        let waiting = groupBacklog
        groupBacklog = []
        for action in waiting { arrive(action) }
        receiveGroup(after: world.latency() + world.between(0, 1500)) {
            self.client.heartbeat()
            self.mover?.client.heartbeat()
        }
    }

    // MARK: - Deciding

    /// Carries out every decision that is there to be made; in the order of the service's engine.
    func pump() {
        guard state == .running else { return }
        let now = moment
        for call in machine.nextCalls(at: now) {
            world.judge.spent(call.connection, world)
            if lostIntents.remove(call.attempt) != nil { world.count(.ruleL6OwnIntentCalled) }
            world.story("\(self) calls \(name(call)), attempt \(call.attempt.number)")
            receive(after: world.between(0, 2)) { self.send(call) }
            if world.setup.stops > 0, world.trouble(20) { world.stop(self) }
        }
        if let plan = machine.nextTransaction(at: now) {
            for write in plan.writes {
                guard case .attempting = write.entry.state else { continue }
                let place = [Int64(write.partition), write.entry.sourceOffset]
                world.judge.acts(owner, on: place, "writes an intent for")
                checkCoolDown(place)
            }
            receive(after: world.between(0, 2)) { self.producer.run(plan) }
        }
        for number in machine.finishedRevokes(at: now) {
            receive(after: world.between(0, 2)) { self.client.finishRevoke(number) }
        }
        for step in machine.takeOverSteps() { carryOut(step) }
        for mark in machine.doubtMarks(at: moment) { askMark(mark.partition, mark.epoch) }
        for late in machine.lateWrites() {
            latesUnderWay += 1
            world.count(.ruleL3Written)
            write(late)
        }
        for order in machine.nextReads(at: now) { read(order) }
        if let lease = machine.leaseWrite(at: now) { write(lease) }
        let flow = machine.flow()
        for partition in flow.pause {
            world.count(.paused)
            sources[partition]?.isPaused = true
        }
        for partition in flow.resume {
            sources[partition]?.isPaused = false
            readSource(partition)
        }
        for note in machine.takeNotes() { take(note) }
        mover?.pump()
        if machine.isDrained && latesUnderWay == 0 && mover?.machine.isQuiet ?? true {
            leave()
            return
        }
        scheduleWake(machine.wake(at: now) - now.monotonic)
    }

    private func scheduleWake(_ delay: Int64) {
        let time = world.now + max(1, delay)
        guard time < wakeAt || wakeAt <= world.now else { return }
        wakeAt = time
        receive(after: time - world.now) { self.wakeAt = .max }
    }

    func beginDrain() {
        machine.beginDrain()
        mover?.machine.beginDrain()
    }

    /// Everything is written: the process ends by itself.
    private func leave() {
        world.count(.drained)
        world.story("replica \(self) has drained and ends")
        state = .dead
        world.processes[slot] = nil
        if world.setup.leaseDuration > 0 {
            let key = ControlBoard.Replica(owner: owner, until: 0, seen: 0).key
            let world = self.world
            world.after(world.latency()) { world.writeControl(key: key, value: nil) }
        }
        client.leave()
        mover?.client.leave()
        world.expireSessions(of: self)
        let world = self.world
        let slot = self.slot
        world.after(world.between(500, 5000)) { world.startProcess(slot) }
    }

    // MARK: - Its partitions

    func stopReading(_ partition: Int32) { sources[partition] = nil }

    func assigned(number: Int, partitions: [Int32]) {
        machine.assigned(number: number, partitions: partitions, at: moment)
    }

    func revoked(number: Int, partitions: [Int32], isLost: Bool, deadline: Int64) {
        machine.revoked(number: number, partitions: partitions, isLost: isLost, deadline: deadline, at: moment)
    }

    func name(_ call: CallOrder) -> String { world.judge.name(call.call.identityLabel) }
}
