/// The campaigns and their runs. Times are milliseconds of the platform's clock.
struct CampaignStore {
    struct Campaign {
        var id: String
        var stream: String
        var account: String
        var name: String
        var status: String
        var updatedAt: Int64
        /// The marker of the list API, `campaignInstanceUpdatedAt`: there from the beginning, as in the documents'
        /// samples, and another one after each change.
        var marker: Int64
        var instance: String?
        /// When the run under way ends by itself.
        var endsAt: Int64?
        var starts = 0
        /// What reads show in place of the truth, until the time beside it.
        var oldStatus: (status: String, updatedAt: Int64, until: Int64)?
        var oldMarker: (marker: Int64, until: Int64)?

        /// A run that is over by now is Completed.
        mutating func advance(to now: Int64) {
            if let end = endsAt, now >= end, status == "Active" { become("Completed", at: end) }
            if let old = oldStatus, now >= old.until { oldStatus = nil }
            if let old = oldMarker, now >= old.until { oldMarker = nil }
        }

        mutating func become(_ status: String, at time: Int64) {
            self.status = status
            updatedAt = time
            marker = max(marker + 1, time)
            endsAt = nil
        }

        /// What a read shows.
        var view: (status: String, updatedAt: Int64, marker: Int64) {
            (oldStatus?.status ?? status, oldStatus?.updatedAt ?? updatedAt, oldMarker?.marker ?? marker)
        }
    }

    enum StartResult { case started(Campaign), refused(status: Int, message: String) }

    private(set) var campaigns: [String: Campaign] = [:]

    init(_ known: [SimulatorCampaign], now: Int64) {
        for campaign in known {
            campaigns[campaign.campaignId] = Campaign(
                id: campaign.campaignId, stream: campaign.streamId, account: campaign.accountId, name: campaign.name,
                status: campaign.status, updatedAt: now, marker: now)
        }
    }

    /// The campaign, made on the way where that is allowed; nil where there is none in this stream and account.
    mutating func find(_ id: String, stream: String, account: String, create: Bool, now: Int64) -> Campaign? {
        if campaigns[id] == nil, create {
            campaigns[id] = Campaign(
                id: id, stream: stream, account: account, name: "campaign \(id.suffix(6))", status: "Ready",
                updatedAt: now, marker: now)
        }
        campaigns[id]?.advance(to: now)
        guard let campaign = campaigns[id], campaign.stream == stream, campaign.account == account else { return nil }
        return campaign
    }

    /// Does what `play` asks for.
    mutating func start(
        _ campaign: Campaign, instance: String, now: Int64, settings: SimulatorSettings
    ) -> StartResult {
        var campaign = campaign
        switch campaign.status {
        case "Ready", "Completed", "Stopped", "Rerun": break
        case "Active":
            if case .refuse(let status, let message) = settings.onActive {
                return .refused(status: status, message: message)
            }
        default:
            return .refused(status: 400, message: "Campaign in status \(campaign.status) cannot be started")
        }
        if settings.activeLimit > 0 {
            let active = campaigns.keys.filter { id in
                campaigns[id]?.advance(to: now)
                return campaigns[id]?.status == "Active" && campaigns[id]?.account == campaign.account
            }
            guard active.count < settings.activeLimit else {
                return .refused(status: 400, message: "Maximum number of active campaigns reached")
            }
        }
        change(&campaign, status: "Active", now: now, settings: settings)
        campaign.instance = instance
        campaign.starts += 1
        let run = settings.runDuration.inMilliseconds
        campaign.endsAt = run > 0 ? now + run : nil
        campaigns[campaign.id] = campaign
        return .started(campaign)
    }

    /// Does what `stop` asks for; nil where the campaign does not run.
    mutating func stop(_ campaign: Campaign, now: Int64, settings: SimulatorSettings) -> Campaign? {
        guard campaign.status == "Active" || campaign.status == "Paused" else { return nil }
        var campaign = campaign
        change(&campaign, status: "Stopped", now: now, settings: settings)
        campaigns[campaign.id] = campaign
        return campaign
    }

    /// Puts a campaign into a state, for tests.
    mutating func set(_ id: String, status: String, now: Int64) -> Bool {
        guard campaigns[id] != nil else { return false }
        campaigns[id]?.become(status, at: now)
        campaigns[id]?.oldStatus = nil
        campaigns[id]?.oldMarker = nil
        return true
    }

    /// Those of a stream and account, by id.
    mutating func list(stream: String, account: String, now: Int64) -> [Campaign] {
        all(now: now).filter { $0.stream == stream && $0.account == account }
    }

    /// All of them, by id.
    mutating func all(now: Int64) -> [Campaign] {
        for id in campaigns.keys { campaigns[id]?.advance(to: now) }
        return campaigns.values.sorted { $0.id < $1.id }
    }

    private func change(_ campaign: inout Campaign, status: String, now: Int64, settings: SimulatorSettings) {
        let view = campaign.view
        let delay = settings.readDelay.inMilliseconds
        let markerDelay = max(delay, settings.markerDelay.inMilliseconds)
        if settings.statusStays || delay > 0 {
            campaign.oldStatus = (view.status, view.updatedAt, settings.statusStays ? .max : now + delay)
        }
        if settings.markerStays || markerDelay > 0 {
            campaign.oldMarker = (view.marker, settings.markerStays ? .max : now + markerDelay)
        }
        campaign.become(status, at: now)
    }
}

/// Calls per account in the last 60 seconds.
struct RateLimit {
    private var times: [String: [Int64]] = [:]

    /// Counts a call, or tells how many milliseconds it is too early. A refused call does not count.
    mutating func take(_ account: String, now: Int64, perMinute: Int) -> Int64? {
        guard perMinute > 0 else { return nil }
        var recent = times[account, default: []]
        if let first = recent.firstIndex(where: { $0 > now - 60_000 }) {
            recent.removeFirst(first)
        } else {
            recent = []
        }
        defer { times[account] = recent }
        guard recent.count < perMinute else { return recent[recent.count - perMinute] + 60_000 - now }
        recent.append(now)
        return nil
    }
}
