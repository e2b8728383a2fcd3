internal import BridgeCore

/// What the API shows of one campaign.
struct CampaignView {
    var status: String
    /// The execution marker, as RFC 3339 would order it; here a number with leading zeros.
    var marker: Int
    var state: CampaignState { CampaignState(status: status, marker: "m\(100_000 + marker)") }
}

extension World {
    func view(_ stream: String, _ campaign: String) -> CampaignView {
        let key = "\(stream)/\(campaign)"
        if let known = campaigns[key] { return known }
        let new = CampaignView(status: chance(100) ? "Scheduled" : "Ready", marker: 0)
        campaigns[key] = new
        return new
    }

    /// The platform acts on a start soon after it has accepted it; the campaign runs for a while.
    func show(startOf stream: String, _ campaign: String) {
        let key = "\(stream)/\(campaign)"
        _ = view(stream, campaign)
        after(between(0, 4000)) {
            self.campaigns[key]?.status = "Active"
            self.campaigns[key]?.marker += 1
            let run = self.campaigns[key]?.marker
            self.after(self.between(500, 60_000)) {
                if self.campaigns[key]?.marker == run { self.campaigns[key]?.status = "Completed" }
            }
        }
    }

    /// Somebody starts a campaign by hand, where the connection is not the bridge's alone.
    func startByHand() {
        guard !setup.isExclusive else { return }
        count(.startedByHand)
        show(startOf: "st-one", "cd-\(between(1, 4))")
    }

    /// The API's clock, and for a while a wrong one.
    var apiTime: Int64 { now + setup.apiSkew + clockFault }

    func setAPIClock() {
        guard clockFault == 0 else { return }
        let before = apiTime
        clockFault = chance(300) ? 20_000 : -20_000
        // A token that this platform has refused as expired stays refused: a clock that makes it good again would be more
        // than any wait can answer.
        if clockFault < 0 { tokensDeadAt = max(tokensDeadAt, before) }
        story("the API's clock is \(clockFault) ms off")
        after(between(5000, 30_000)) { self.clockFault = 0 }
    }
}

extension Process {
    func read(_ order: ReadOrder) {
        let began = moment
        world.count(.campaignRead)
        world.after(world.between(5, 400)) { [self] in
            var result = StatusReport.Result.seen(world.view(order.read.streamID, order.read.campaignID).state)
            world.judge.read(order.read.identityLabel, apiTime: world.apiTime)
            var isThrottled = false
            var serverTime: Int64? = world.apiTime / 1000 * 1000
            if world.apiTrouble == .unreachable || world.trouble(world.setup.callFaults / 3) {
                world.count(.readUnanswered)
                (result, serverTime) = (.noAnswer(cause: "timeout"), nil)
            } else if world.apiTrouble == .throttling || world.trouble(world.setup.callFaults / 8) {
                world.count(.readThrottled)
                (result, isThrottled) = (.noAnswer(cause: "throttled"), true)
            } else if world.trouble(20) {
                world.count(.readUnusable)
                result = .unusable(cause: "not_listed")
            }
            let expired: ExpiredToken? =
                order.triesExpiredToken ? (world.trouble(200) ? .unseen(cause: "timeout") : .refused) : nil
            let (seen, throttled, date) = (result, isThrottled, serverTime)
            receive(after: world.between(5, 400)) { [self] in
                let report = StatusReport(
                    result: seen, serverTime: date, isThrottled: throttled, requests: 2,
                    duration: .milliseconds(moment.monotonic - began.monotonic))
                machine.readEnded(order.id, report, expired: expired, at: moment)
            }
        }
    }

    /// A campaign that was started, and that this process has published, is not to be called again at once.
    func checkCoolDown(_ place: [Int64]) {
        guard world.setup.coolDown > 0, let event = world.judge.record(at: place)?.event,
            case .success(let content) = event.content, let last = published[content.scope],
            world.now - last < world.setup.coolDown - 8000
        else { return }
        world.judge.violation(
            "cool-down", "\(self) is to call \(content.campaignID) again after \(world.now - last) ms")
    }
}

extension Judge {
    /// A campaign is read for an event, at this time of the API.
    mutating func read(_ identity: String, apiTime: Int64) { lastReading[identity] = apiTime }

    /// The bridge has decided by what it read that an attempt has started nothing.
    mutating func released(_ identity: String, _ generation: Int32) {
        if let attempt = lastAttempt[identity], lastReading[identity] ?? .min < attempt.tokenExpiry * 1000 {
            violation("L7", "\(name(identity)) is decided by a reading, and the API's clock still takes its token")
        }
        if (started[identity] ?? []).contains(where: { $0.generation == generation }) {
            violation("P3", "\(name(identity)) was started and is read back as not started")
        }
    }

    /// Whether the record's campaign was started not long ago, by whatever event.
    func isCooling(_ record: Written) -> Bool {
        guard setup.coolDown > 0, case .success(let content) = record.event.content else { return false }
        return !(campaignStarts[content.scope] ?? []).isEmpty
    }
}
