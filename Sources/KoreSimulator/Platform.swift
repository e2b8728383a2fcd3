internal import HTTPServer
internal import JSON

/// A call as it waits to be decided: what it asks for, and what will go wrong with it.
struct Call: Sendable {
    var operation: Operation
    var rule: FaultRule?
    var latency: Duration

    var fault: SimulatorFault? { rule?.fault }
    var before: Duration { latency + (fault?.delayBefore ?? .zero) }
}

/// The platform's whole state. Everything that happens to it is a method here; the simulator holds it under a lock.
struct Platform: ~Copyable {
    var settings: SimulatorSettings {
        didSet { keys = PublicKeys(settings.apps) }
    }
    var journal: Journal
    private(set) var counts = SimulatorCounts()
    private(set) var plan: FaultPlan
    private(set) var store: CampaignStore
    private var tokens = TokenCheck()
    private var rate = RateLimit()
    private var random: SplitMix
    private var keys: PublicKeys

    init(_ settings: SimulatorSettings, journal: consuming Journal, now: Int64) {
        self.settings = settings
        self.journal = journal
        plan = FaultPlan(settings.faults)
        store = CampaignStore(settings.campaigns, now: now)
        random = SplitMix(seed: settings.seed)
        keys = PublicKeys(settings.apps)
    }

    /// Sets the fault rules; their counters begin anew.
    mutating func setFaults(_ rules: [FaultRule]) {
        settings.faults = rules
        plan = FaultPlan(rules)
    }

    /// Forgets campaigns, tokens, rates, counts and the journal in memory. Settings and faults stay; the faults' counters
    /// and the random numbers begin anew.
    mutating func reset(now: Int64) {
        store = CampaignStore(settings.campaigns, now: now)
        tokens.reset()
        rate = RateLimit()
        counts = SimulatorCounts()
        journal.reset()
        plan = FaultPlan(settings.faults)
        random = SplitMix(seed: settings.seed)
    }

    mutating func setStatus(_ id: String, _ status: String, now: Int64) -> Bool {
        store.set(id, status: status, now: now)
    }

    /// All campaigns, by id.
    mutating func campaigns(now: Int64) -> [CampaignStore.Campaign] { store.all(now: now) }

    /// The head of a call is there: what goes wrong with it is drawn now.
    mutating func receive(_ request: HTTPRequest) -> Call {
        let operation = Operation(request)
        let rule = plan.pick(
            operation: operation.kind.rawValue, campaign: operation.campaign, stream: operation.stream,
            account: operation.account, random: &random)
        return Call(operation: operation, rule: rule, latency: settings.latency.sample(random.unit()))
    }

    /// The moment in which the platform accepts or refuses the call, after every delay before it.
    ///
    /// - Parameter now: the platform's time in milliseconds.
    mutating func decide(_ call: Call, _ request: HTTPRequest, now: Int64) -> Decided {
        let operation = call.operation
        var entry = JournalEntry(
            sequence: 0, time: Timestamp.iso(now), requestId: Self.requestId(request),
            operation: operation.kind.rawValue,
            stream: operation.stream, campaign: operation.campaign, account: operation.account, decision: .lost,
            fault: call.fault?.kind)
        var answer = PlatformAnswer(status: 0, body: [])
        var gotThrough = call.fault?.act ?? true
        if case .cutBeforeReading = call.fault?.answer { gotThrough = false }
        if gotThrough {
            answer = act(operation, request, now: now, &entry)
        }
        if settings.clockOffset != .zero { answer.date = Timestamp.http(now) }
        entry.status = call.fault.map { $0.status(of: answer) } ?? answer.status
        counts.add(entry)
        let sequence = journal.append(entry)
        return Decided(
            sequence: sequence, answer: answer, campaign: operation.campaign, stream: operation.stream,
            instance: entry.instance ?? makeInstance(), updatedAt: Timestamp.iso(now))
    }

    /// The exchange of a decided call has ended.
    mutating func end(_ sequence: Int, answered: Bool) {
        if answered { counts.answered += 1 } else { counts.unanswered += 1 }
        journal.end(sequence, answered: answered)
    }

    private mutating func act(
        _ operation: Operation, _ request: HTTPRequest, now: Int64, _ entry: inout JournalEntry
    ) -> PlatformAnswer {
        func refuse(_ reason: String, _ status: Int, _ message: String, _ entry: inout JournalEntry) -> PlatformAnswer {
            entry.decision = .refused
            entry.reason = reason
            return .error(status, message)
        }
        guard operation.kind != .unknown else {
            return refuse("request", 404, "Cannot \(request.method) this path", &entry)
        }
        if let early = rate.take(operation.account, now: now, perMinute: settings.ratePerMinute) {
            var answer = refuse("rate-limit", settings.rateLimitStatus, Self.rateLimitMessage, &entry)
            switch settings.retryAfter {
            case .none: break
            case .seconds: answer.retryAfter = String((early + 999) / 1000)
            case .date: answer.retryAfter = Timestamp.http(now + early + 999)
            case .text(let text): answer.retryAfter = text
            }
            return answer
        }
        if settings.checkTokens, let fault = operation.headerFault(request) {
            return refuse("header", 400, fault, &entry)
        }
        do throws(TokenRefusal) {
            let claims = try tokens.check(
                request.headers["auth"], accountId: operation.account, now: Double(now) / 1000, settings: settings,
                keys: keys)
            (entry.tokenId, entry.tokenExpiry) = (claims.tokenId, claims.expiresAt)
        } catch {
            (entry.tokenId, entry.tokenExpiry) = (error.claims.tokenId, error.claims.expiresAt)
            return refuse("token", 401, error.message, &entry)
        }
        if let refusal = operation.refusal { return refuse("request", refusal.status, refusal.message, &entry) }
        if operation.kind == .list {
            guard let answer = list(operation, request, now: now) else {
                return refuse("request", 400, "type must be voice or sms", &entry)
            }
            entry.decision = .read
            return answer
        }
        guard
            let campaign = store.find(
                operation.campaign, stream: operation.stream, account: operation.account,
                create: settings.createCampaigns, now: now)
        else { return refuse("campaign", 404, "Campaign not found", &entry) }
        switch operation.kind {
        case .start:
            switch store.start(campaign, instance: makeInstance(), now: now, settings: settings) {
            case .refused(let status, let message): return refuse("state", status, message, &entry)
            case .started(let started):
                entry.decision = .started
                entry.instance = started.instance
                return .started(started, sms: operation.sms)
            }
        case .stop:
            guard let stopped = store.stop(campaign, now: now, settings: settings) else {
                return refuse("state", 400, "Campaign is not active", &entry)
            }
            entry.decision = .stopped
            entry.instance = stopped.instance
            return .stopped(stopped, sms: operation.sms)
        case .status, .contacts, .get, .list, .unknown:
            entry.decision = .read
            return .read(campaign, operation.kind)
        }
    }

    private mutating func list(_ operation: Operation, _ request: HTTPRequest, now: Int64) -> PlatformAnswer? {
        guard let query = ListQuery(request.body) else { return nil }
        return .list(store.list(stream: operation.stream, account: operation.account, now: now), query)
    }

    static let rateLimitMessage =
        "You've exceeded the per-minute rate limit. Please wait for sometime before retrying."

    /// `cid-` and 7-4-4-4-12 hexadecimal digits, as in the documents' samples.
    private mutating func makeInstance() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text = "cid-"
        for (index, length) in [7, 4, 4, 4, 12].enumerated() {
            if index > 0 { text += "-" }
            var value = random.next()
            for _ in 0..<length {
                text.unicodeScalars.append(Unicode.Scalar(digits[Int(value & 15)]))
                value >>= 4
            }
        }
        return text
    }

    private static func requestId(_ request: HTTPRequest) -> String {
        if let id = request.headers["X-Request-Id"] { return String(id.prefix(200)) }
        let parts = (request.headers["traceparent"] ?? "").split(separator: "-")
        return parts.count >= 2 ? String(parts[1].prefix(64)) : ""
    }
}

/// A call that was decided, with what its answer may be made of.
struct Decided: Sendable {
    var sequence: Int
    var answer: PlatformAnswer
    var campaign: String
    var stream: String
    var instance: String
    var updatedAt: String
}
