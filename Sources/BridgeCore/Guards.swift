/// An account's budget of calls: a token bucket whose rate is this replica's share of the group's.
///
/// The share follows from the owned partitions alone, so replicas need not talk to each other.
struct RateBudget: Sendable {
    private let perMinute: Int
    private let burst: Double
    private var tokens: Double
    private var filledAt: Int64?
    private var share: Double = 0

    init(perMinute: Int, burst: Int) {
        self.perMinute = perMinute
        self.burst = Double(max(1, burst))
        tokens = 1
    }

    /// - Parameter share: owned partitions divided by all of them.
    mutating func setShare(_ share: Double, at now: Int64) {
        fill(at: now)
        self.share = share
    }

    mutating func take(at now: Int64) -> Bool {
        guard perMinute > 0 else { return true }
        fill(at: now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// A call that is made whatever is left: the ones after it wait for longer.
    mutating func spend(at now: Int64) {
        fill(at: now)
        tokens -= 1
    }

    mutating func giveBack() { tokens = min(burst, tokens + 1) }

    /// When the next call may be made; nil while there is no share.
    func next(at now: Int64) -> Int64? {
        guard perMinute > 0, tokens < 1 else { return now }
        guard share > 0 else { return nil }
        return (filledAt ?? now) + Int64(((1 - tokens) * 60_000 / (Double(perMinute) * share)).rounded(.up))
    }

    private mutating func fill(at now: Int64) {
        if let before = filledAt, now > before {
            tokens = min(burst, tokens + Double(now - before) * Double(perMinute) * share / 60_000)
        }
        filledAt = max(now, filledAt ?? now)
    }
}

/// Keeps calls away from a connection that fails, and never ends an event: an open circuit pauses.
struct Circuit: Sendable {
    private(set) var failures = 0
    private(set) var openUntil: Int64?
    /// Whether the one probe of an open circuit is under way.
    private(set) var isProbing = false
    /// Whether the API itself has answered since the last failure that looked like somebody else's answer.
    private(set) var hasAnswered = false
    /// Since this process began.
    private var hasEverAnswered = false
    /// The campaigns of the answers in a row that were somebody else's: one that never gets another is no outage.
    private var foreign: Set<UInt64> = []
    private let threshold: Int
    private let foreignThreshold: Int
    private let pause: Int64

    init(threshold: Int, foreignThreshold: Int, pause: Int64) {
        self.foreignThreshold = foreignThreshold
        self.threshold = threshold
        self.pause = pause
    }

    func allows(at now: Int64) -> Bool {
        guard let openUntil else { return true }
        return now >= openUntil && !isProbing
    }

    mutating func began() { if openUntil != nil { isProbing = true } }

    /// A call that was chosen was not made after all.
    mutating func withdrawn() { isProbing = false }

    /// - Parameter isOwn: whether only the API itself can have given this answer; a gateway refuses and throttles too.
    mutating func succeeded(isOwn: Bool = true) {
        failures = 0
        foreign = []
        openUntil = nil
        isProbing = false
        if isOwn { (hasAnswered, hasEverAnswered) = (true, true) }
    }

    /// - Parameter foreign: the campaign's scope, where the answer was somebody else's.
    /// - Returns: whether this failure opened the circuit.
    mutating func failed(at now: Int64, foreign scope: UInt64? = nil) -> Bool {
        isProbing = false
        if let scope {
            hasAnswered = false
            if openUntil == nil, foreign.insert(scope).inserted { failures += 1 }
        } else {
            failures += 1
            foreign = []
        }
        let opens =
            failures >= threshold || foreign.count >= foreignThreshold || (scope != nil && !hasEverAnswered)
            || openUntil != nil
        guard opens else { return false }
        let wasOpen = openUntil != nil
        openUntil = now + pause
        return !wasOpen
    }
}

/// How long an event waits between attempts: doubling, capped, with jitter.
package struct RetryPolicy: Sendable {
    package var initial: Int64
    package var maximum: Int64
    /// By how much a wait is shortened at random, at most.
    package var jitterPercent: Int64

    package init(initial: Int64, maximum: Int64, jitterPercent: Int64 = 50) {
        self.jitterPercent = jitterPercent
        self.initial = initial
        self.maximum = maximum
    }

    /// - Parameter failures: attempts in a row that came to nothing, from 1.
    package func delay(after failures: Int, random: inout SeededRandom) -> Int64 {
        let doubled = failures > 20 ? maximum : min(maximum, initial << Int64(max(0, failures - 1)))
        let jitter = doubled / 100 * jitterPercent + doubled % 100 * jitterPercent / 100
        return doubled - jitter + Int64.random(in: 0...max(1, jitter), using: &random)
    }
}
