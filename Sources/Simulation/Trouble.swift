internal import BridgeCore

// What is done to the replicas and to their surroundings, and when.

extension World {
    /// Starts replicas and producers of records, and draws the times of all trouble.
    func prepare() {
        for slot in 0..<setup.replicas { after(between(0, 3000)) { self.startProcess(slot) } }
        writeSource()
        func times(_ count: Int, _ action: @escaping () -> Void) {
            for _ in 0..<count { after(between(500, setup.trouble), action) }
        }
        times(setup.crashes) { self.crash(self.anySlot()) }
        times(setup.stops) { self.stop(self.processes[self.anySlot()]) }
        times(setup.cuts) { self.cut(self.anySlot()) }
        times(setup.terminations) { self.terminate(self.anySlot()) }
        times(setup.rebalances) {
            let group = self.setup.isRekeyed && self.chance(500) ? self.intakeGroup : self.group
            group.divide("a change of metadata")
        }
        times(setup.outages) { self.beginAPITrouble() }
        times(setup.compactions) { self.compact() }
        times(setup.readerStalls) { self.stallReader(self.anySlot()) }
        times(setup.retentions) { self.retain() }
        times(setup.remakes) { self.remakeSource() }
        times(setup.clockSteps) { self.setClock(self.anySlot()) }
        if setup.growsAt > 0 { after(setup.growsAt) { self.grow() } }
        times(setup.handStarts) { self.startByHand() }
        times(setup.clockFaults) { self.setAPIClock() }
        times(setup.holds) { self.hold() }
        times(setup.forgets) { self.forget() }
        for _ in 0..<setup.forgets { after(setup.trouble + between(0, setup.trouble)) { self.forget() } }
        times(setup.offsetLosses) { self.loseOffsets() }
    }

    private func anySlot() -> Int { Int(between(0, Int64(setup.replicas - 1))) }

    func startProcess(_ slot: Int) {
        guard processes[slot] == nil else { return }
        let skew = isCalm ? 0 : between(-setup.skew, setup.skew)
        if skew != 0 { count(.clockSkewed) }
        let process = Process(world: self, slot: slot, incarnation: everyProcess.count + 1, skew: skew)
        everyProcess.append(process)
        processes[slot] = process
        count(.processStarted)
        story("replica \(process) starts, its clock \(skew) ms off")
        process.start()
    }

    func crash(_ slot: Int) {
        guard let process = processes[slot] else { return }
        count(.crash)
        story("replica \(process) is killed")
        end(process)
    }

    /// The process is gone; its partitions stay its own until the group has noticed.
    func end(_ process: Process) {
        guard process.state != .dead else { return }
        judge.ambiguous(owner: process.owner)
        process.state = .dead
        processes[process.slot] = nil
        expireSessions(of: process)
        after(isCalm ? 500 : between(100, chance(300) ? 40_000 : 4000)) { self.startProcess(process.slot) }
    }

    func expireSessions(of process: Process) {
        group.expireSession(of: process, after: Setup.sessionTimeout)
        if setup.isRekeyed { intakeGroup.expireSession(of: process, after: Setup.sessionTimeout) }
    }

    /// A process that stands still for a while and then goes on: the zombie.
    func stop(_ process: Process?) {
        guard let process, process.state == .running else { return }
        let time = between(200, chance(500) ? 60_000 : 9000)
        count(.stopped)
        story("replica \(process) stands still for \(time) ms")
        judge.ambiguous(owner: process.owner)
        process.state = .stopped
        expireSessions(of: process)
        after(time) { self.resume(process) }
    }

    func resume(_ process: Process) {
        guard process.state == .stopped else { return }
        story("replica \(process) goes on")
        if process.client.isZombie { count(.resumedAsZombie) }
        process.goOn()
    }

    /// The group's coordinator and the process do not hear of each other, everything else works.
    private func cut(_ slot: Int) {
        guard let process = processes[slot], !process.isCut else { return }
        count(.cutFromGroup)
        let time = between(1000, 40_000)
        story("replica \(process) is cut from the group for \(time) ms")
        judge.ambiguous(owner: process.owner)
        process.isCut = true
        expireSessions(of: process)
        after(time) { self.heal(process) }
    }

    private func heal(_ process: Process) {
        guard process.isCut, process.state != .dead else { return }
        process.isCut = false
        story("replica \(process) hears the group again")
        process.heartbeat()
    }

    private func stallReader(_ slot: Int) {
        guard let process = processes[slot] else { return }
        stallReader(of: process)
    }

    func stallReader(of process: Process) {
        let time = between(2000, 60_000)
        count(.ledgerReaderStalled)
        story("replica \(process)'s reader of the ledger gets nothing for \(time) ms")
        process.ledgerStalledUntil = now + time
    }

    private func terminate(_ slot: Int) {
        guard let process = processes[slot] else { return }
        count(.terminated)
        story("replica \(process) is asked to end")
        process.receive(after: 0) { process.beginDrain() }
        after(60_000) {
            guard process.state != .dead else { return }
            self.story("replica \(process) did not end in time")
            self.end(process)
        }
    }

    private func beginAPITrouble() {
        let kind = APITrouble.allCases[Int(between(0, Int64(APITrouble.allCases.count - 1)))]
        let time = between(2000, 40_000)
        apiTrouble = kind
        count(.apiOutage)
        story("the API is \(kind) for \(time) ms")
        after(time) { self.apiTrouble = nil }
    }

    private func compact() {
        for partition in ledger.indices {
            if compactLedger(partition) {
                count(.ledgerCompacted)
                story("ledger \(partition) is compacted")
            }
        }
    }

    private func compactLedger(_ partition: Int) -> Bool {
        let log = ledger[partition]
        return ledger[partition].compact { self.isVisible($0, in: log) }
    }

    /// What is older than the ledger's retention is gone.
    private func forget() {
        for partition in ledger.indices where ledger[partition].forget(before: now - setup.retention) {
            count(.ledgerForgotten)
            judge.hasForgotten = true
            story("ledger \(partition) begins at \(ledger[partition].low) now")
        }
    }

    /// The oldest half of each source partition is removed, whether it was read or not.
    private func retain() {
        for partition in source.indices where source[partition].high > source[partition].low {
            source[partition].low += (source[partition].high - source[partition].low + 1) / 2
            count(.sourceRemoved)
            story("source \(partition) begins at \(source[partition].low) now")
        }
    }

    /// The group's offsets are gone, beside a full ledger; as soon as they can be.
    private func loseOffsets() {
        guard !group.lose(), !isCalm else { return }
        after(700) { self.loseOffsets() }
    }

    /// The end of all trouble: what was stopped goes on, what is down starts.
    func calm() {
        isCalm = true
        apiTrouble = nil
        story("calm")
        for order in holds { letGo(order) }
        restoreSource()
        clockFault = 0
        for slot in processes.indices {
            guard let process = processes[slot] else {
                startProcess(slot)
                continue
            }
            if process.state == .stopped { resume(process) }
            heal(process)
        }
    }
}
