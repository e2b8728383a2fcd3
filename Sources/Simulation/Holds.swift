internal import BridgeCore
internal import Records

// The control topic: operators hold and let go, replicas say what they know of it.

/// One hold of an operator, who waits until it is in force.
final class HoldOrder {
    let scope: HoldScope
    let offset: Int64
    var board = ControlBoard()
    var readTo = 0
    var isInForce = false
    var isOver = false

    init(scope: HoldScope, offset: Int64) {
        self.scope = scope
        self.offset = offset
    }
}

extension World {
    func hold() {
        let scope: HoldScope
        switch between(0, 4) {
        case 0: scope = .all
        case 1: scope = .account("one")
        case 2: scope = .stream("st-one")
        default: scope = .campaign(streamID: "st-one", campaignID: "cd-\(between(1, 4))")
        }
        // A second hold of the same scope replaces the first.
        guard !isCalm, !holds.contains(where: { $0.scope == scope }) else { return }
        switch scope {
        case .all: count(.holdOfAll)
        case .account: count(.holdOfAccount)
        case .stream: count(.holdOfStream)
        case .campaign: count(.holdOfCampaign)
        }
        let order = HoldOrder(scope: scope, offset: Int64(control.count))
        holds.append(order)
        story("an operator holds \(scope.text)")
        writeControl(key: scope.key, value: Hold(who: "ada", why: "a look", at: now).value)
        watch(order)
        after(between(3000, 40_000)) { self.letGo(order) }
        after(60_000) {
            guard !order.isInForce, !order.isOver else { return }
            self.judge.violation("P7", "the hold of \(scope.text) is not in force after a minute")
        }
    }

    /// As the command does it: reads the topic and waits for every replica.
    private func watch(_ order: HoldOrder) {
        after(between(20, 600)) { [self] in
            guard !order.isOver else { return }
            while order.readTo < control.count {
                order.board.apply(control[order.readTo])
                order.readTo += 1
            }
            let force = order.board.force(of: order.offset, at: now)
            guard force.isInForce else {
                watch(order)
                return
            }
            count(force.confirmed.isEmpty ? .holdByExpiredLease : .holdConfirmed)
            order.isInForce = true
            story("the hold of \(order.scope.text) is in force")
            judge.held(order.scope)
        }
    }

    func letGo(_ order: HoldOrder) {
        guard !order.isOver else { return }
        order.isOver = true
        holds.removeAll { $0 === order }
        judge.letGo(order.scope)
        count(.holdResumed)
        story("an operator lets \(order.scope.text) go")
        writeControl(key: order.scope.key, value: nil)
    }

    func writeControl(key: [UInt8], value: [UInt8]?) {
        control.append(
            Record(
                topic: "control", partition: 0, offset: Int64(control.count), timestamp: now, key: key, value: value))
        for process in processes { process?.controlChanged() }
    }
}

extension Process {
    func controlChanged() {
        guard isControlIdle else { return }
        isControlIdle = false
        fetchControl()
    }

    func fetchControl() {
        world.after(world.latency()) { [self] in
            guard state != .dead else { return }
            let records = Array(world.control[controlFetched...])
            controlFetched = world.control.count
            receive(after: world.latency()) { self.deliverControl(records) }
        }
    }

    private func deliverControl(_ records: [Record]) {
        for record in records { machine.control(record, at: moment) }
        controlReadTo += records.count
        machine.controlEnd(Int64(controlReadTo))
        let waits = controlWaits
        controlWaits = []
        for wait in waits { controlIsRead(wait) }
        if controlFetched < world.control.count { fetchControl() } else { isControlIdle = true }
    }

    /// Step 4 of a take-over: the topic's end is asked for, and read to.
    func readControl(_ partition: Int32, _ epoch: Int) {
        world.after(world.latency()) { [self] in
            let high = world.control.count
            receive(after: world.latency()) {
                self.controlIsRead(ControlWait(partition: partition, epoch: epoch, high: high))
            }
        }
    }

    private func controlIsRead(_ wait: ControlWait) {
        guard controlReadTo >= wait.high else {
            controlWaits.append(wait)
            return
        }
        machine.controlRead(partition: wait.partition, epoch: wait.epoch, at: moment)
    }

    /// What this replica says of itself; it may be written although the answer says otherwise.
    func write(_ lease: LeaseWrite) {
        let fails = world.trouble(world.setup.brokerFaults)
        let isWritten = !fails || world.chance(500)
        world.after(world.latency()) { [self] in
            world.count(fails ? (isWritten ? .confirmationDoubtful : .confirmationFailed) : .confirmationWritten)
            if isWritten { world.writeControl(key: lease.replica.key, value: lease.replica.value(at: lease.at)) }
            receive(after: world.latency()) { self.machine.leaseWritten(!fails, at: self.moment) }
        }
    }
}

extension Judge {
    /// P7: an operator was told that this is held everywhere.
    mutating func held(_ scope: HoldScope) { inForce.insert(scope) }
    mutating func letGo(_ scope: HoldScope) { inForce.remove(scope) }

    /// A replica has decided to write an intent, or to begin a call.
    mutating func acts(_ owner: String, on place: [Int64], _ what: String) {
        guard !inForce.isEmpty, let record = record(at: place), case .success(let content) = record.event.content
        else { return }
        for scope in inForce {
            let isHeld =
                switch scope {
                case .all: true
                case .account(let name): content.streamID == "st-\(name)"
                case .stream(let id): content.streamID == id
                case .campaign(let stream, let campaign):
                    content.streamID == stream && content.campaignID == campaign
                }
            if isHeld {
                violation("P7", "\(owner) \(what) \(name(record.identity)), though \(scope.text) is held everywhere")
            }
        }
    }

    func place(of order: CallOrder) -> [Int64]? {
        intents[IntentKey(identity: order.call.identityLabel, attempt: order.attempt)]?.place
    }
}
