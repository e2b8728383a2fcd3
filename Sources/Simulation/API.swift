internal import BridgeCore

/// A lasting trouble of the whole API.
enum APITrouble: CaseIterable {
    case unreachable, throttling, unavailable, doubtful, foreign, slow
}

/// One request on its way, and its answer.
final class Exchange {
    let order: CallOrder
    let process: Process
    let began: Int64
    var isOver = false

    init(order: CallOrder, process: Process) {
        self.order = order
        self.process = process
        began = process.world.now
    }
}

extension Process {
    /// The client's part: one request, one result, within the deadline.
    func send(_ order: CallOrder) {
        let exchange = Exchange(order: order, process: self)
        // The process may have stood still since the order.
        guard moment.isBefore(order.call.notAfter) else {
            world.count(.ruleL7OrderTooLate)
            answer(exchange, .notSent(cause: "too_late"))
            return
        }
        world.judge.called(order, by: owner, at: moment, world)
        if let place = world.judge.place(of: order) { world.judge.acts(owner, on: place, "calls") }
        let isDead = world.setup.isAccountDead && order.connection == 1
        if world.apiTrouble == .unreachable || isDead || world.trouble(world.setup.callFaults / 4) {
            world.count(.notSent)
            receive(after: world.between(1, 2000)) { self.answer(exchange, .notSent(cause: "connect")) }
            return
        }
        receive(after: world.setup.callDeadline) { self.timedOut(exchange) }
        if world.trouble(world.setup.callFaults / 4) { return }
        var delay = world.between(5, 300)
        // What is on its way may arrive long after its sender has given up, or died.
        if world.trouble(world.setup.callFaults / 3) || world.apiTrouble == .slow {
            delay = world.between(1000, 70_000)
        }
        world.requestsUnderWay += 1
        world.after(delay) { self.world.arrive(exchange) }
        // What it is told meanwhile waits for it, longer than its lease perhaps.
        if world.setup.stops > 0, world.trouble(20) { world.stop(self) }
    }

    private func timedOut(_ exchange: Exchange) {
        guard !exchange.isOver else { return }
        world.count(.answerLost)
        answer(exchange, .unknown(cause: "timeout", status: nil))
    }

    func answer(_ exchange: Exchange, _ result: AttemptResult, _ date: Int64? = nil) {
        guard !exchange.isOver else {
            world.count(.answerLate)
            return
        }
        exchange.isOver = true
        if exchange.began <= lostAt { world.count(.ruleL5AnswerKept) }
        let call = exchange.order.call
        world.story("\(self) has the answer for \(name(exchange.order)): \(String(describing: result).prefix(90))")
        if case .unknown = result { world.judge.ambiguous(call.identityLabel) }
        var isSent = true
        if case .notSent = result { isSent = false }
        machine.callEnded(
            exchange.order.hash, exchange.order.attempt,
            AttemptReport(
                result: result, bytesMayHaveLeft: isSent, serverTime: date,
                duration: .milliseconds(world.now - exchange.began)), at: moment)
    }

    /// A late answer goes to the ledger through the plain producer, again until it is there.
    func write(_ late: LateWrite) {
        world.story("\(self) writes a late answer for \(world.judge.name(late.answer.identityKey))")
        if world.trouble(world.setup.brokerFaults) {
            world.count(.lateWriteFailed)
            receive(after: world.between(200, 2000)) { self.write(late) }
            return
        }
        // Now and then it comes while its reader gets nothing, until after the wait: what the mark is for (L3).
        if world.setup.readerStalls > 0 && world.trouble(600) {
            for case let reader? in world.processes where reader.ledgers[late.partition] != nil && reader !== self {
                world.stallReader(of: reader)
            }
        }
        let delay = world.trouble(100) ? world.between(20_000, 90_000) : world.latency()
        if delay > 100 {
            world.count(.lateWriteDelayed)
            world.judge.ambiguous(key: late.answer.identityKey)
        }
        world.after(delay) { [self] in
            let key = LedgerWire.key(late.answer)
            let record = LedgerWire.read(key: key, value: LedgerWire.value(late.answer))
            world.ledger[Int(late.partition)].append(.ledger(key: key, record), at: world.now)
            world.judge.late(late.answer, at: world.now)
            world.ledgerChanged(Int(late.partition))
            receive(after: world.latency()) { self.latesUnderWay -= 1 }
        }
    }
}

extension World {
    /// A request reaches the API. The token decides whether it can still have an effect.
    func arrive(_ exchange: Exchange) {
        requestsUnderWay -= 1
        let result = act(on: exchange.order)
        guard !trouble(setup.callFaults / 4) else { return }
        let date = apiTime / 1000 * 1000
        exchange.process.receive(after: between(5, 400)) { exchange.process.answer(exchange, result, date) }
    }

    private func act(on order: CallOrder) -> AttemptResult {
        let call = order.call
        guard max(apiTime, tokensDeadAt) < call.tokenExpiry * 1000 else {
            count(.tokenRefused)
            story("the API refuses \(judge.name(call.identityLabel)): its token has expired")
            return .refused(Refusal(kind: .credentials, status: 401, message: "expired"))
        }
        switch apiTrouble {
        case .throttling: return throttle()
        case .unavailable: return unavailable()
        case .foreign: return foreign()
        case .doubtful: return doubtful(order)
        case .slow, .unreachable, nil: break
        }
        if call.campaignID == "cd-bad" {
            count(.rejectedByAPI)
            judge.rejected.insert(call.identityLabel)
            return .rejected(Rejection(status: 400, message: "bad"))
        }
        guard trouble(setup.callFaults) else { return start(order) }
        switch between(0, 6) {
        case 0: return throttle()
        case 1: return unavailable()
        case 2: return foreign()
        case 3: return doubtful(order)
        case 4:
            count(.credentialsRefused)
            judge.refusals[call.identityLabel, default: 0] += 1
            return .refused(Refusal(kind: .credentials, status: 401, message: "no"))
        case 5:
            count(.spoiledAnswer)
            _ = start(order)
            return .unknown(cause: "body", status: 200)
        default: return start(order)
        }
    }

    private func throttle() -> AttemptResult {
        count(.throttled)
        let wait: Duration? = chance(500) ? .milliseconds(between(0, 20_000)) : nil
        return .refused(Refusal(kind: .throttled, status: 429, retryAfter: wait, message: "slow down"))
    }

    private func unavailable() -> AttemptResult {
        count(.unavailable)
        return .refused(Refusal(kind: .unavailable, status: 503, message: "later"))
    }

    private func foreign() -> AttemptResult {
        count(.foreignAnswer)
        return .refused(Refusal(kind: .foreignAnswer, status: 404, message: "a page"))
    }

    private func doubtful(_ order: CallOrder) -> AttemptResult {
        if chance(500) {
            count(.doubtfulStarted)
            _ = start(order)
        } else {
            count(.doubtfulNotStarted)
        }
        return .unknown(cause: "status", status: 502)
    }

    private func start(_ order: CallOrder) -> AttemptResult {
        instances += 1
        count(.campaignStarted)
        let instance = "instance-\(instances)"
        story("the API starts \(judge.name(order.call.identityLabel)): \(instance)")
        judge.accepted(order, instance: instance, at: now)
        show(startOf: order.call.streamID, order.call.campaignID)
        return .started(StartAnswer(instanceID: instance, status: "Active"))
    }
}
