internal import BridgeCore
internal import Records

/// The part of a replica's process that moves records of the source to the intake topic: the real machine, in a group and
/// with a producer of its own.
final class Mover: GroupListener, TransactionOwner {
    unowned let process: Process
    private var world: World { process.world }
    var machine: IntakeMachine
    private var mover: IntakeMover
    private(set) lazy var client = GroupClient(of: process, in: world.intakeGroup, for: self)
    private lazy var producer = TransactionClient(of: self)
    private var readers: [Int32: Process.Reader] = [:]
    private var readings = 0

    /// Where each partition of the intake topic stands before an open transaction, and since when.
    private var standing: [Int: (end: Int64, since: Int64)] = [:]

    private static let tick: Int64 = 500
    /// No transaction may last longer.
    private static let longest = Setup.transactionTimeout + 12_000

    init(of process: Process) {
        self.process = process
        let setup = process.world.setup
        var settings = IntakeMachine.Settings()
        settings.windowRecords = setup.windowRecords
        settings.maximumTransaction = max(2, setup.windowRecords / 2)
        #if DELIBERATE_FAULTS
            settings.deliberateFault = setup.fault
        #endif
        machine = IntakeMachine(settings: settings)
        mover = IntakeMover(topic: "intake", partitions: setup.partitions, decoder: RequestDecoder())
        #if DELIBERATE_FAULTS
            mover.deliberateFault = setup.fault
        #endif
    }

    var description: String { "\(process)'s mover" }

    func start() {
        producer.initialise()
        process.receiveGroup(after: world.latency() + world.between(0, 2000)) { self.client.join() }
        tick()
    }

    private func tick() {
        process.receive(after: Self.tick) { [self] in
            watch()
            if world.trouble(10) { breakSource() }
            tick()
        }
    }

    /// What is read is told to be gone, and is still there.
    private func breakSource() {
        guard let partition = readers.keys.min() else { return }
        world.count(.moverSourceBroken)
        world.story("\(self) is told that its place in \(partition) is gone")
        stopReading(partition)
        machine.sourceBroken(partition: partition)
    }

    /// As the service's `OpenEnds` does.
    private func watch() {
        for (number, log) in world.source.enumerated() {
            guard log.stable < log.high else {
                standing[number] = nil
                continue
            }
            let now = process.moment.monotonic
            guard let known = standing[number], known.end == log.stable else {
                standing[number] = (log.stable, now)
                continue
            }
            guard now - known.since >= Self.longest else { continue }
            standing[number] = (log.stable, now)
            world.count(.intakeHeldUp)
            machine.readersAreHeldUp()
        }
    }

    /// Carries out every decision that is there to be made; in the order of the service's engine.
    func pump() {
        let now = process.moment
        if let plan = machine.nextTransaction(at: now) {
            process.receive(after: world.between(0, 2)) { self.producer.run(plan) }
        }
        for number in machine.finishedRevokes(at: now) {
            process.receive(after: world.between(0, 2)) { self.client.finishRevoke(number) }
        }
        for step in machine.takeSteps() { carryOut(step) }
        let flow = machine.flow()
        for partition in flow.pause {
            world.count(.moverPaused)
            readers[partition]?.isPaused = true
        }
        for partition in flow.resume {
            readers[partition]?.isPaused = false
            read(partition)
        }
        for note in machine.takeNotes() { take(note) }
    }

    private func take(_ note: IntakeNote) {
        switch note {
        case .owned(let partition, let offset):
            world.count(.moverOwns)
            world.story("\(self) owns \(partition) and reads it from \(offset)")
        case .lost, .gap, .shortened: break
        case .blocked(let partition, let text):
            world.judge.violation("P2", "\(self) does not take \(partition): \(text)")
        }
    }

    // MARK: - The group

    func stopReading(_ partition: Int32) { readers[partition] = nil }

    func assigned(number: Int, partitions: [Int32]) { machine.assigned(number: number, partitions: partitions) }

    func revoked(number: Int, partitions: [Int32], isLost: Bool, deadline: Int64) {
        machine.revoked(number: number, partitions: partitions, isLost: isLost, deadline: deadline)
    }

    // MARK: - Reading

    private func carryOut(_ step: IntakeStep) {
        switch step {
        case .committedOffsets(let partition, let epoch):
            world.intakeGroup.ask(partition, by: process) { offset, _ in
                self.machine.committedOffsets(partition: partition, epoch: epoch, own: offset, direct: nil)
            }
        case .ends(let partition, let epoch):
            world.after(world.latency()) { [self] in
                let (low, high) = (world.requests[Int(partition)].low, world.requests[Int(partition)].high)
                process.receive(after: world.latency()) { [self] in
                    machine.ends(partition: partition, epoch: epoch, low: low, high: high, at: process.moment)
                }
            }
        case .start(let partition, let offset):
            readings += 1
            readers[partition] = Process.Reader(version: readings, position: offset)
            fetch(partition, readings)
        case .sight(let transaction, let partitions):
            world.after(world.latency()) { [self] in
                sight(transaction, partitions.map { (Int($0), world.source[Int($0)].high) })
            }
        }
    }

    private func sight(_ transaction: Int, _ ends: [(partition: Int, high: Int64)]) {
        guard process.state != .dead, machine.awaitsSight(of: transaction) else { return }
        guard ends.allSatisfy({ world.source[$0.partition].stable >= $0.high }) else {
            world.after(200) { self.sight(transaction, ends) }
            return
        }
        process.receive(after: world.latency()) { self.machine.sighted(transaction: transaction) }
    }

    /// Reads on where it has read to the end of the partition.
    func read(_ partition: Int32) {
        guard let reader = readers[partition], reader.isIdle, !reader.isPaused else { return }
        readers[partition]?.isIdle = false
        fetch(partition, reader.version)
    }

    private func fetch(_ partition: Int32, _ version: Int) {
        world.after(world.latency()) { [self] in
            guard process.state != .dead, let reader = readers[partition], reader.version == version else { return }
            let log = world.requests[Int(partition)]
            var records: [MovedRecord] = []
            var offset = reader.position
            while offset < log.high, records.count < 3 {
                if case .source(let event) = log[offset].content { records.append(mover.move(event.record)) }
                offset += 1
            }
            readers[partition]?.position = offset
            let end = offset == log.high ? offset : nil
            process.receive(after: world.between(1, 5)) { self.deliver(partition, version, records, end: end) }
        }
    }

    private func deliver(_ partition: Int32, _ version: Int, _ records: [MovedRecord], end: Int64?) {
        guard let reader = readers[partition], reader.version == version else { return }
        machine.admit(records, partition: partition)
        if let end, end != reader.endTold {
            readers[partition]?.endTold = end
            machine.sourceEnd(partition: partition, offset: end, at: process.moment)
        }
        if reader.isPaused || reader.position == world.requests[Int(partition)].high {
            readers[partition]?.isIdle = true
        } else {
            fetch(partition, version)
        }
    }

    // MARK: - Transactions

    var transactionalID: Int { world.setup.replicas + process.slot }

    func producerReady() { machine.producerReady(settling: Int32(world.source.count)) }
    func isFenceFirst(_ plan: IntakePlan) -> Bool { true }
    func mayStillCommit(_ id: Int) -> Bool { machine.mayStillCommit(id) }
    func culprits(of plan: IntakePlan) -> [Int] { [] }
    func records(of plan: IntakePlan) -> Int { plan.records.count }

    func write(_ range: Range<Int>, of plan: IntakePlan, in transaction: Transaction) {
        for record in plan.records[range] { world.move(record, in: transaction) }
    }

    func settle(_ plan: IntakePlan, in transaction: Transaction) -> Bool {
        for partition in 0..<Int(plan.settles) {
            transaction.touch(.intake(partition))
            world.source[partition].append(.hole, transaction: transaction.id, at: world.now)
        }
        world.count(.moverSettled)
        return true
    }

    func ended(_ plan: IntakePlan, _ end: TransactionEnd) {
        if case .lost = end { world.count(.moverTakenOverAnew) }
        machine.transactionEnded(plan.id, end, at: process.moment)
    }

    func describe(_ plan: IntakePlan) -> String {
        if plan.settles > 0 { return "settling" }
        let records = plan.records.map { "source \($0.origin.partition)@\($0.origin.offset)" }
        let offsets = plan.offsets.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }
        return (records + offsets).joined(separator: ", ")
    }
}

// The intake topic, and what is asked of those who write it.

extension World {
    func isMovers(_ transaction: Transaction) -> Bool { transaction.producer >= setup.replicas }

    func move(_ record: MovedRecord, in transaction: Transaction) {
        let moved = record.outgoing
        guard let number = moved.partition else { preconditionFailure("a moved record names its partition") }
        let partition = Int(number)
        transaction.touch(.intake(partition))
        var decoder = RequestDecoder()
        decoder.readsIntake = true
        let event = decoder.decode(
            Record(
                topic: moved.topic, partition: number, offset: source[partition].high, timestamp: now,
                key: moved.key, value: moved.value, headers: moved.headers))
        source[partition].append(.source(event), transaction: transaction.id, at: now)
    }

    /// A mover's transaction is decided: what it holds is there for everyone.
    func moved(by transaction: Transaction) {
        for case .intake(let partition) in transaction.places {
            for item in source[partition].items where item.transaction == transaction.id {
                guard case .source(let event) = item.content else { continue }
                count(.recordMoved)
                judge.written(event, answers[[Int64(event.record.partition), event.record.offset]])
            }
        }
    }

    /// The broker has dropped what a transaction had moved to a partition; no reader has ever seen it. Only where the very
    /// transaction that was to settle it failed nothing could be done.
    func dropped(_ transaction: Int, _ partition: Int, by later: Transaction) {
        if !later.isSettling {
            judge.violation("P2", "transaction \(later.id) ends what \(transaction) has moved to intake \(partition)")
        }
        for item in source[partition].items where item.transaction == transaction {
            guard case .source(let event) = item.content else { continue }
            judge.unwritten(event)
            droppedMoves.insert([Int64(event.record.partition), event.record.offset])
        }
    }

    /// Whether the movers have nothing left to do.
    var isAllMoved: Bool {
        requests.indices.allSatisfy { intakeGroup.committed($0) == requests[$0].high }
    }
}

extension Judge {
    /// Each record of the source stands in the intake topic once, those of one partition in their order.
    mutating func closeIntake(_ world: World) {
        var moves: [Place: Int] = [:]
        for (number, log) in world.source.enumerated() {
            var last: [Int32: Int64] = [:]
            for item in log.items where world.isVisible(item, in: log) {
                guard case .source(let event) = item.content else { continue }
                moves[[Int64(event.record.partition), event.record.offset], default: 0] += 1
                if let before = last[event.record.partition], before > event.record.offset,
                    !world.intakeGroup.hasUndone
                {
                    violation("P2", "source \(event.record.partition) is out of order in intake \(number)")
                }
                last[event.record.partition] = event.record.offset
            }
        }
        for (number, log) in world.requests.enumerated() {
            for (offset, item) in log.items.enumerated() {
                guard case .source = item.content else { continue }
                let times = moves[[Int64(number), Int64(offset)]] ?? 0
                // A record that is moved again, since the broker has dropped the offsets, is a repeat to the ledger.
                if (times == 0 && !world.droppedMoves.contains([Int64(number), Int64(offset)]))
                    || (times > 1 && !world.intakeGroup.hasUndone)
                {
                    violation("P2", "source \(number)@\(offset) was moved \(times) times")
                }
            }
        }
    }
}
