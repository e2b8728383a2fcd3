internal import BridgeCore

/// What a history is like; drawn from its seed, so that some are calm and some have much of one kind of trouble.
struct Setup {
    var partitions: Int
    var replicas: Int
    var records: Int
    var isCooperative: Bool
    var isStatic: Bool
    /// Length of the part with trouble, milliseconds.
    var trouble: Int64
    /// A fault between any two steps of a process: one in so many; 0: none.
    var stepCrash: Int
    var crashes: Int
    var stops: Int
    var cuts: Int
    var terminations: Int
    var rebalances: Int
    var outages: Int
    var compactions: Int
    /// Times at which a replica's reader of the ledger gets nothing for a while.
    var readerStalls: Int
    /// Times at which the source loses its oldest records, and the group its offsets.
    var retentions: Int
    var offsetLosses: Int
    var remakes: Int
    var readsBack: Bool
    /// Whether nobody but the bridge starts the campaigns of connections, and each from one partition.
    var isExclusive: Bool
    var handStarts: Int
    /// Times at which the API's clock is wrong for a while.
    var clockFaults: Int
    var coolDown: Int64
    var clockSteps: Int
    /// When the source gets one partition more; 0: never.
    var growsAt: Int64
    /// Calls a minute of each account.
    var rate: Int
    /// Times at which an operator holds something for a while.
    var holds: Int
    var leaseDuration: Int64
    /// How far a replica's clock is off at most.
    var skew: Int64
    /// Times at which the ledger loses what is older than its retention.
    var forgets: Int
    /// In thousand.
    var brokerFaults: Int
    var callFaults: Int
    var slowMessages: Int
    var oversized: Int
    /// Answers of each operator to a dead letter.
    var replays: Int
    /// Markers of committed transactions that never come.
    var markerLosses: Int
    /// Whether the second connection's API never answers anything useful.
    var isAccountDead: Bool
    /// The source has one partition more than the ledger.
    var isLedgerShort: Bool
    var tokenLifetime: Int64
    var callDeadline: Int64
    var maximumAge: Int64
    var ageMargin: Int64
    var dedupWindow: Int64
    var windowRecords: Int
    var apiSkew: Int64
    var holdDeadline: Int64
    /// Partitions of the source, where its records are moved to the intake topic; 0: they are not.
    var requestPartitions = 0
    /// As `markerLosses`, of the intake topic's partitions.
    var intakeMarkerLosses = 0
    #if DELIBERATE_FAULTS
        var fault: DeliberateFault?
    #endif
    static let sessionTimeout: Int64 = 6000
    static let transactionTimeout: Int64 = 10_000
    static let maximumSkew: Int64 = 1500

    init(_ random: inout SeededRandom) {
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func time(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }
        func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &random)] }
        partitions = pick([1, 1, 2, 2, 3])
        replicas = pick([1, 1, 2, 2, 2, 3])
        records = number(3...14)
        isCooperative = pick([true, false])
        isStatic = pick([true, false])
        trouble = time(15_000...90_000)
        stepCrash = pick([0, 0, 600, 150])
        crashes = pick([0, 0, 1, 2, 4])
        stops = pick([0, 0, 1, 2, 3])
        cuts = pick([0, 0, 0, 1, 2])
        terminations = pick([0, 0, 0, 1])
        rebalances = pick([0, 0, 1, 3])
        outages = pick([0, 0, 1, 2])
        compactions = pick([0, 0, 1, 2])
        readerStalls = pick([0, 0, 1, 3])
        retentions = pick([0, 0, 0, 0, 0, 1])
        offsetLosses = pick([0, 0, 0, 0, 0, 1])
        brokerFaults = pick([0, 0, 20, 120])
        callFaults = pick([0, 60, 200, 450])
        slowMessages = pick([0, 10, 60])
        oversized = pick([0, 0, 0, 150])
        let isForgetful = number(1...5) == 1
        forgets = isForgetful ? 4 : 0
        // With neither records nor entries nothing can be known.
        if isForgetful { (offsetLosses, retentions) = (0, 0) }
        isLedgerShort = number(1...25) == 1
        growsAt = number(1...6) == 1 && !isLedgerShort ? time(3000...trouble / 2) : 0
        remakes = number(1...20) == 1 ? 1 : 0
        readsBack = pick([false, false, true])
        isExclusive = readsBack && partitions == 1 && growsAt == 0
        handStarts = pick([0, 0, 2])
        clockFaults = number(1...10) == 1 ? 2 : 0
        coolDown = number(1...8) == 1 ? 20_000 : 0
        clockSteps = pick([0, 0, 0, 2])
        rate = 600
        leaseDuration = pick([0, 6000, 15_000])
        holds = leaseDuration > 0 ? pick([0, 1, 3]) : 0
        skew = leaseDuration > 0 ? ControlBoard.margin * 9 / 10 : Setup.maximumSkew
        replays = pick([0, 0, 300, 600])
        markerLosses = pick([0, 0, 0, 0, 25])
        isAccountDead = number(1...25) == 1
        // Nobody can know what a token does whose lease another clock ends.
        if clockFaults > 0 {
            (replays, readsBack, callFaults, clockFaults) = (0, true, max(200, callFaults), 4)
            isExclusive = partitions == 1 && growsAt == 0
        }
        // What is replayed late would wait for the dead account beyond the end.
        if isAccountDead { (replays, clockFaults) = (0, 0) }
        if isLedgerShort { markerLosses = 0 }
        tokenLifetime = pick([15, 30, 40])
        callDeadline = tokenLifetime * 1000 - pick([3000, 6000, 10_000])
        maximumAge = isAccountDead ? 420_000 : pick([30_000, 3_600_000, 3_600_000, 3_600_000])
        ageMargin = isForgetful ? 4000 : 3_600_000
        dedupWindow = isForgetful ? 25_000 : 604_800_000
        if isForgetful && !isAccountDead { maximumAge = 15_000 }
        // A full window pauses its partition, for every account: P8 is about partitions that have room.
        windowRecords = isAccountDead ? 10_000 : pick([2, 4, 10_000])
        apiSkew = time(-Setup.maximumSkew...Setup.maximumSkew)
        holdDeadline = pick([5000, 45_000])
        if number(1...60) == 1 { makeBusy() }
    }

    /// Many events, a small budget, three replicas that live on: whether they share it.
    private mutating func makeBusy() {
        (partitions, replicas, records, rate) = (3, 3, 60, Setup.smallRate)
        (crashes, stops, cuts, stepCrash, terminations, rebalances) = (0, 0, 0, 0, 0, 0)
        (growsAt, remakes, offsetLosses, retentions, forgets, markerLosses) = (0, 0, 0, 0, 0, 0)
        (isAccountDead, isLedgerShort, windowRecords) = (false, false, 10_000)
        (readsBack, isExclusive, coolDown) = (false, false, 0)
        (maximumAge, ageMargin, dedupWindow, trouble) = (3_600_000, 3_600_000, 604_800_000, 60_000)
    }

    var isRekeyed: Bool { requestPartitions > 0 }

    /// Some histories have an intake topic, whose partitions nobody may add to or make anew.
    mutating func rekey(_ random: inout SeededRandom) {
        guard Int.random(in: 1...6, using: &random) == 1 else { return }
        requestPartitions = Int.random(in: 1...3, using: &random)
        if Int.random(in: 1...3, using: &random) == 1 { intakeMarkerLosses = 150 }
        (growsAt, remakes, retentions, offsetLosses, isLedgerShort) = (0, 0, 0, 0, false)
        // The configuration refuses both together.
        isExclusive = false
    }

    static let smallRate = 6

    /// Of the ledger: a repeat at the end of the window may wait for its whole age.
    var retention: Int64 { dedupWindow + maximumAge + ageMargin }

    func settings(owner: String, partitions: Int) -> CoreSettings {
        var settings = CoreSettings(
            connections: ["one", "two"].map { name in
                CoreSettings.Connection(
                    name: name, streams: ["st-\(name)"], accountID: "account-\(name)", requestsPerMinute: rate,
                    burst: rate == 600 ? 10 : 1, tokenLifetime: tokenLifetime, clockLeeway: 5000, doubtGrace: 5000)
            }, sourcePartitions: partitions, owner: owner)
        settings.maximumAge = maximumAge
        settings.ageMargin = ageMargin
        settings.leaseDuration = leaseDuration
        settings.confirmInterval = leaseDuration / 3
        settings.campaignCoolDown = coolDown
        for index in settings.connections.indices {
            settings.connections[index].throttlePause = 5000
            settings.connections[index].retryAfterMaximum = 15_000
            settings.connections[index].readsBack = readsBack
            settings.connections[index].isExclusive = isExclusive
        }
        settings.readBackInterval = 3000
        settings.readBackTimeout = 30_000
        settings.windowRecords = windowRecords
        settings.settledPartitions = Int32(partitions)
        settings.retryMaximum = 10_000
        settings.circuitOpen = 10_000
        #if DELIBERATE_FAULTS
            settings.deliberateFault = fault
        #endif
        return settings
    }
}
