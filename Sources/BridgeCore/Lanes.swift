/// Who may be called next: one lane for each account, in it one for each campaign.
///
/// A campaign has one call at a time: while an identity holds it, the others of its lane wait. An account that is
/// throttled or whose circuit is open keeps only its own lane waiting (P8).
struct Lanes {
    struct Account {
        /// Campaigns that could be called now, but for the account itself.
        var ready = FIFO<UInt64>()
        var budget: RateBudget
        var circuit: Circuit
        var pausedUntil: Int64 = 0
        var inFlight = 0
        var waiting = 0
        let maximumInFlight: Int
    }

    private struct Campaign {
        var queue = FIFO<RequestRef>()
        var holders: Set<KeyHash> = []
        var isListed = false
    }

    var accounts: [Account]
    private var campaigns: [UInt64: [Int: Campaign]] = [:]
    private var turn = 0

    init(settings: CoreSettings) {
        accounts = settings.connections.map { connection in
            Account(
                budget: RateBudget(perMinute: connection.requestsPerMinute, burst: connection.burst),
                circuit: Circuit(threshold: settings.circuitFailures, pause: settings.circuitOpen),
                maximumInFlight: connection.maximumInFlight)
        }
    }

    mutating func append(_ ref: RequestRef, account: Int, scope: UInt64, first: Bool = false) {
        var campaign = campaigns[scope]?[account] ?? Campaign()
        if first { campaign.queue.prepend(ref) } else { campaign.queue.append(ref) }
        accounts[account].waiting += 1
        list(&campaign, account: account, scope: scope, first: first)
        campaigns[scope, default: [:]][account] = campaign
    }

    /// The campaign is not called for anyone else until `release`.
    mutating func hold(_ hash: KeyHash, account: Int, scope: UInt64) {
        campaigns[scope, default: [:]][account, default: Campaign()].holders.insert(hash)
    }

    mutating func release(_ hash: KeyHash, account: Int, scope: UInt64) {
        guard var campaign = campaigns[scope]?[account] else { return }
        campaign.holders.remove(hash)
        list(&campaign, account: account, scope: scope, first: false)
        if campaign.queue.isEmpty && campaign.holders.isEmpty && !campaign.isListed {
            campaigns[scope]?[account] = nil
            if campaigns[scope]?.isEmpty == true { campaigns[scope] = nil }
        } else {
            campaigns[scope]?[account] = campaign
        }
    }

    private mutating func list(_ campaign: inout Campaign, account: Int, scope: UInt64, first: Bool) {
        guard !campaign.isListed, campaign.holders.isEmpty, !campaign.queue.isEmpty else { return }
        campaign.isListed = true
        if first { accounts[account].ready.prepend(scope) } else { accounts[account].ready.append(scope) }
    }

    /// The next request that may be called by the rules of its lane, with its budget taken and its campaign held;
    /// accounts take turns. `isCurrent` says whether a reference still stands for a waiting request.
    mutating func next(
        at now: Int64, hash: (RequestRef) -> KeyHash?
    ) -> RequestRef? {
        for _ in accounts.indices {
            let account = turn % accounts.count
            turn = (turn + 1) % accounts.count
            if let ref = next(of: account, at: now, hash: hash) { return ref }
        }
        return nil
    }

    private mutating func next(of account: Int, at now: Int64, hash: (RequestRef) -> KeyHash?) -> RequestRef? {
        guard accounts[account].pausedUntil <= now, accounts[account].circuit.allows(at: now),
            accounts[account].inFlight < accounts[account].maximumInFlight
        else { return nil }
        while let scope = accounts[account].ready.popFirst() {
            guard var campaign = campaigns[scope]?[account] else { continue }
            campaign.isListed = false
            var found: (RequestRef, KeyHash)?
            while campaign.holders.isEmpty, found == nil, let ref = campaign.queue.popFirst() {
                accounts[account].waiting -= 1
                if let hash = hash(ref) { found = (ref, hash) }
            }
            guard let (ref, hash) = found else {
                campaigns[scope]?[account] = campaign.holders.isEmpty ? nil : campaign
                if campaigns[scope]?.isEmpty == true { campaigns[scope] = nil }
                continue
            }
            guard accounts[account].budget.take(at: now) else {
                campaign.queue.prepend(ref)
                accounts[account].waiting += 1
                list(&campaign, account: account, scope: scope, first: true)
                campaigns[scope]?[account] = campaign
                return nil
            }
            campaign.holders.insert(hash)
            campaigns[scope]?[account] = campaign
            accounts[account].inFlight += 1
            accounts[account].circuit.began()
            return ref
        }
        return nil
    }

    /// When an account that has something to call may do so by its own rules, where that is a matter of time.
    func wake(at now: Int64) -> Int64? {
        var earliest: Int64?
        for account in accounts where !account.ready.isEmpty && account.inFlight < account.maximumInFlight {
            var time = max(account.pausedUntil, account.circuit.openUntil ?? 0)
            if account.circuit.isProbing { continue }
            guard let budget = account.budget.next(at: now) else { continue }
            time = max(time, budget)
            if time > now { earliest = min(earliest ?? time, time) }
        }
        return earliest
    }
}
