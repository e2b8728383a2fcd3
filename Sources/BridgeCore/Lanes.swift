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
        /// Its API's clock and ours differ by more than the leeway.
        var isClockOff = false
        var inFlight = 0
        var waiting = 0
        let maximumInFlight: Int
    }

    /// What operators hold. A held campaign stays out of its account's list until it is let go.
    struct Held: Equatable {
        var all = false
        var accounts: Set<Int> = []
        var streams: Set<UInt64> = []
        var campaigns: Set<UInt64> = []

        func covers(account: Int, stream: UInt64, scope: UInt64) -> Bool {
            all || accounts.contains(account) || streams.contains(stream) || campaigns.contains(scope)
        }
    }

    private struct Campaign {
        var stream: UInt64 = 0
        /// Whose lane it is in; known with its first request.
        var account: Int?
        var queue = FIFO<RequestRef>()
        var holders: Set<KeyHash> = []
        var isListed = false

        var isEmpty: Bool { queue.isEmpty && holders.isEmpty && !isListed }
    }

    var accounts: [Account]
    private var campaigns: [UInt64: Campaign] = [:]
    private var turn = 0
    private(set) var held = Held()
    private var parked: Set<UInt64> = []

    init(settings: CoreSettings) {
        accounts = settings.connections.map { connection in
            Account(
                budget: RateBudget(perMinute: connection.requestsPerMinute, burst: connection.burst),
                circuit: Circuit(
                    threshold: settings.circuitFailures, foreignThreshold: settings.circuitForeignAnswers,
                    pause: settings.circuitOpen),
                maximumInFlight: connection.maximumInFlight)
        }
    }

    /// - Parameter first: before the others of its campaign, since it was there already.
    mutating func append(_ ref: RequestRef, account: Int, scope: UInt64, stream: UInt64, first: Bool = false) {
        var campaign = campaigns.removeValue(forKey: scope) ?? Campaign()
        campaign.account = account
        campaign.stream = stream
        if first { campaign.queue.prepend(ref) } else { campaign.queue.append(ref) }
        accounts[account].waiting += 1
        list(&campaign, scope: scope, first: first)
        campaigns[scope] = campaign
    }

    /// The campaign is not called for anyone else until `release`.
    mutating func hold(_ hash: KeyHash, scope: UInt64) {
        campaigns[scope, default: Campaign()].holders.insert(hash)
    }

    mutating func release(_ hash: KeyHash, scope: UInt64) {
        guard var campaign = campaigns.removeValue(forKey: scope) else { return }
        campaign.holders.remove(hash)
        list(&campaign, scope: scope, first: false)
        if !campaign.isEmpty { campaigns[scope] = campaign }
    }

    /// From now on these are held, and no others.
    mutating func hold(_ new: Held) {
        held = new
        let waiting = parked.sorted()
        parked.removeAll()
        for scope in waiting {
            guard var campaign = campaigns.removeValue(forKey: scope) else { continue }
            list(&campaign, scope: scope, first: false)
            campaigns[scope] = campaign
        }
    }

    private mutating func list(_ campaign: inout Campaign, scope: UInt64, first: Bool) {
        guard !campaign.isListed, campaign.holders.isEmpty, !campaign.queue.isEmpty, let account = campaign.account
        else { return }
        guard !held.covers(account: account, stream: campaign.stream, scope: scope) else {
            parked.insert(scope)
            return
        }
        campaign.isListed = true
        if first { accounts[account].ready.prepend(scope) } else { accounts[account].ready.append(scope) }
    }

    /// The next request that its lane lets through, with its budget taken and a place in flight. Accounts take turns.
    /// The caller either calls for it and holds its campaign, or gives it back with `withdraw`.
    mutating func next(at now: Int64) -> (ref: RequestRef, account: Int)? {
        for _ in accounts.indices {
            let account = turn % accounts.count
            turn = (turn + 1) % accounts.count
            if let ref = next(of: account, at: now) { return (ref, account) }
        }
        return nil
    }

    private mutating func next(of account: Int, at now: Int64) -> RequestRef? {
        guard !accounts[account].isClockOff, accounts[account].pausedUntil <= now,
            accounts[account].circuit.allows(at: now),
            accounts[account].inFlight < accounts[account].maximumInFlight
        else { return nil }
        while let scope = accounts[account].ready.popFirst() {
            guard var campaign = campaigns.removeValue(forKey: scope) else { continue }
            campaign.isListed = false
            if let account = campaign.account, held.covers(account: account, stream: campaign.stream, scope: scope) {
                parked.insert(scope)
                campaigns[scope] = campaign
                continue
            }
            if campaign.holders.isEmpty && !campaign.queue.isEmpty {
                guard accounts[account].budget.take(at: now) else {
                    list(&campaign, scope: scope, first: true)
                    campaigns[scope] = campaign
                    return nil
                }
                let ref = campaign.queue.popFirst()
                list(&campaign, scope: scope, first: false)
                if !campaign.isEmpty { campaigns[scope] = campaign }
                accounts[account].waiting -= 1
                accounts[account].inFlight += 1
                accounts[account].circuit.began()
                return ref
            }
            if !campaign.isEmpty { campaigns[scope] = campaign }
        }
        return nil
    }

    /// Gives back what `next` took: no call is made for it.
    mutating func withdraw(account: Int) {
        accounts[account].inFlight -= 1
        accounts[account].budget.giveBack()
        accounts[account].circuit.withdrawn()
    }

    /// A call of an earlier take-over is made after all (L6): it counts again, whatever the budget says.
    mutating func takeAgain(account: Int, at now: Int64) {
        accounts[account].inFlight += 1
        accounts[account].budget.spend(at: now)
        accounts[account].circuit.began()
    }

    /// Requests of a reading that the account's rate counts, beside the one that `next` took.
    mutating func spend(_ requests: Int, account: Int, at now: Int64) {
        for _ in 0..<max(0, requests) { accounts[account].budget.spend(at: now) }
    }

    /// The place of a reading is free again; its request stays spent.
    mutating func readingEnded(account: Int) {
        accounts[account].inFlight -= 1
        accounts[account].circuit.withdrawn()
    }

    /// Takes waiting requests out: they have expired, or their partition is not ours any more.
    mutating func remove(where isGone: (RequestRef) -> Bool) {
        for (scope, old) in campaigns {
            var campaign = old
            let removed = campaign.queue.removeAll(where: isGone)
            guard removed > 0 else { continue }
            if let account = campaign.account { accounts[account].waiting -= removed }
            campaigns[scope] = campaign.isEmpty ? nil : campaign
        }
    }

    /// When an account that has something to call may do so by its own rules, where that is a matter of time.
    func wake(at now: Int64) -> Int64? {
        var earliest: Int64?
        for account in accounts where !account.ready.isEmpty && account.inFlight < account.maximumInFlight {
            var time = max(account.pausedUntil, account.circuit.openUntil ?? 0)
            if account.circuit.isProbing || account.isClockOff { continue }
            guard let budget = account.budget.next(at: now) else { continue }
            time = max(time, budget)
            if time > now { earliest = min(earliest ?? time, time) }
        }
        return earliest
    }
}
