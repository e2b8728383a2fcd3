/// What goes wrong with a call.
package struct SimulatorFault: Sendable {
    /// What the client gets. Texts may hold `{campaignId}`, `{streamId}`, `{instanceId}`, `{updatedAt}` and `{answer}`
    /// (the body of the true answer), which are filled in.
    package enum Answer: Sendable {
        /// The true answer: only the delays and `act` are the fault.
        case normal
        /// This status, fields and body in place of the true ones.
        case reply(status: Int, headers: [(name: String, value: String)], body: String)
        /// The true answer under another content type.
        case contentType(String)
        /// These bytes in place of an answer, then the end.
        case raw(String, end: End)
        /// Interim answers (1xx), then the true one.
        case interim([Int])
        /// The true answer's head, but only so many bytes of its body.
        case truncated(bytes: Int)
        /// The true answer, with so many bytes of its body at a time and a pause after each.
        case slow(bytes: Int, pause: Duration)
        /// The connection is reset or closed before the request's body is read.
        /// `hold` closes too; nothing is ever done.
        case cutBeforeReading(End)
        /// The connection is reset, closed or held with no byte of an answer.
        case cut(End)
    }

    /// How a connection ends without a proper answer.
    package enum End: Sendable, Equatable {
        case close, reset
        /// It stands still until the client gives up, at most so long.
        case hold(atMost: Duration)
    }

    /// The kind's name, for journal and counts.
    package var kind: String
    /// Whether the platform checks the call and does what it asks for: false is a call that never got through.
    package var act: Bool
    /// The time until the platform looks at the call; the token must still be good then.
    package var delayBefore: Duration = .zero
    /// The time from then to the answer.
    package var delayAfter: Duration = .zero
    /// What the client gets.
    package var answer: Answer

    /// A fault.
    package init(
        kind: String, act: Bool, delayBefore: Duration = .zero, delayAfter: Duration = .zero, answer: Answer
    ) {
        self.kind = kind
        self.act = act
        self.delayBefore = delayBefore
        self.delayAfter = delayAfter
        self.answer = answer
    }
}

/// When a fault happens.
package struct FaultRule: Sendable {
    /// A name for journal and counts.
    package var name: String
    /// The calls that it is for; empty is all. One of `start`, `stop`, `status`, `contacts`, `get`, `list`.
    package var operations: [String]
    /// Patterns of ids, where `*` stands for any text: which campaigns, streams and accounts it is for.
    package var campaign: String
    package var stream: String
    package var account: String
    /// How many of a campaign's calls are let through before it begins, and how many it then hits; nil is all. The calls
    /// are those that the rule is for, counted per campaign.
    package var skip: Int
    package var count: Int?
    /// How many calls it hits altogether; nil is all.
    package var total: Int?
    /// Its chance for each call, 0 to 1. A call that it spares goes on to the next rule.
    package var probability: Double
    /// What happens.
    package var fault: SimulatorFault

    /// A rule; the defaults hit every call.
    package init(
        name: String = "", operations: [String] = [], campaign: String = "*", stream: String = "*",
        account: String = "*",
        skip: Int = 0, count: Int? = nil, total: Int? = nil, probability: Double = 1, fault: SimulatorFault
    ) {
        self.name = name
        self.operations = operations
        self.campaign = campaign
        self.stream = stream
        self.account = account
        self.skip = skip
        self.count = count
        self.total = total
        self.probability = probability
        self.fault = fault
    }
}

/// Whether a text fits a pattern in which `*` stands for any text. Bytes are compared.
func matches(_ text: String, pattern: String) -> Bool {
    if pattern == "*" { return true }
    let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
    var rest = Array(text.utf8)[...]
    guard parts.count > 1 else { return rest.elementsEqual(pattern.utf8) }
    guard rest.starts(with: parts[0]) else { return false }
    rest = rest.dropFirst(parts[0].count)
    for part in parts[1..<(parts.count - 1)] where !part.isEmpty {
        let wanted = Array(part)
        guard let at = rest.indices.first(where: { rest[$0...].starts(with: wanted) }) else { return false }
        rest = rest[(at + wanted.count)...]
    }
    let last = Array(parts[parts.count - 1])
    return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
}

/// The rules with their counters; picks the fault of a call.
struct FaultPlan {
    private var rules: [FaultRule]
    private var perCampaign: [[String: Int]]
    private var totals: [Int]

    init(_ rules: [FaultRule]) {
        self.rules = rules
        perCampaign = rules.map { _ in [:] }
        totals = rules.map { _ in 0 }
    }

    var all: [FaultRule] { rules }

    /// The first rule that applies.
    mutating func pick(
        operation: String, campaign: String, stream: String, account: String, random: inout SplitMix
    ) -> FaultRule? {
        for index in rules.indices {
            let rule = rules[index]
            guard rule.operations.isEmpty || rule.operations.contains(operation),
                matches(campaign, pattern: rule.campaign), matches(stream, pattern: rule.stream),
                matches(account, pattern: rule.account)
            else { continue }
            let number = perCampaign[index][campaign, default: 0]
            perCampaign[index][campaign] = number + 1
            guard number >= rule.skip, rule.count.map({ number < rule.skip + $0 }) ?? true,
                rule.total.map({ totals[index] < $0 }) ?? true,
                rule.probability >= 1 || random.unit() < rule.probability
            else { continue }
            totals[index] += 1
            return rule
        }
        return nil
    }
}

/// A small generator with a seed (SplitMix64, Steele, Lea and Flood 2014): the same seed gives the same run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
