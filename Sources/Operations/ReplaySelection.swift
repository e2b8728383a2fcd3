internal import BridgeCore

/// Chooses, from dead letters in any order, those that a replay is made for.
///
/// Of one event only its latest dead letter is chosen: those before it have been replayed already.
package struct ReplaySelection: Sendable {
    /// Why a dead letter that was asked for is not chosen.
    package enum Skip: String, Sendable, CaseIterable {
        case replayRefused = "replay-refused"
        case incomplete
        case otherSource = "other-source"
        case needsFinding = "needs-finding"
        case notWhole = "not-whole"
        case expired = "own-expiry-passed"
        case replayed = "replayed-already"

        package var text: String {
            switch self {
            case .replayRefused: "answers of replays that were refused"
            case .incomplete: "without a header that a replay needs"
            case .otherSource: "of another source topic"
            case .needsFinding: "of unknown outcome: each needs a finding, see dead-letters resolve"
            case .notWhole: "whose request is not whole (it was too large)"
            case .expired: "whose event has expired by its own expiry"
            case .replayed: "that were replayed already; the event has a later dead letter"
            }
        }
    }

    private struct Chosen {
        var place: LetterPlace
        var reason: String
        var identity: KeyHash
        var generation: Int32
    }

    private let order: ReplayOrder
    private let sourceTopic: String
    private let now: Int64
    private let capacity: Int
    private var chosen: [Chosen] = []
    /// The highest generation above 0 of each event that has one.
    private var generations: [KeyHash: Int32] = [:]
    package private(set) var skipped: [Skip: Int] = [:]
    /// More are asked for than can be held.
    package private(set) var isFull = false

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - capacity: the most that are chosen.
    package init(order: ReplayOrder, sourceTopic: String, now: Int64, capacity: Int = 1_000_000) {
        self.order = order
        self.sourceTopic = sourceTopic
        self.now = now
        self.capacity = capacity
    }

    /// - Parameter isWanted: whether it was asked for; the others only say what was replayed.
    package mutating func add(_ letter: DeadLetter, isWanted: Bool) {
        let identity = KeyHash(letter.identityKey ?? [], key: .fixed)
        // A refused replay's own dead letter stands under its own place, and says nothing of the event.
        if let generation = letter.generation, generation > 0, letter.reason != DeadLetterReason.replayRefused.rawValue
        {
            generations[identity] = max(generation, generations[identity] ?? 0)
        }
        guard isWanted else { return }
        if let skip = skip(letter) {
            skipped[skip, default: 0] += 1
            return
        }
        guard chosen.count < capacity else {
            isFull = true
            return
        }
        chosen.append(
            Chosen(
                place: letter.place, reason: letter.reason, identity: identity, generation: letter.generation ?? 0))
    }

    private func skip(_ letter: DeadLetter) -> Skip? {
        let remedy = Remedy(of: letter, sourceTopic: sourceTopic)
        switch remedy {
        case .none(.replayRefused): return .replayRefused
        case .none(.incomplete): return .incomplete
        case .none(.otherSource): return .otherSource
        case .onlyStarted where !order.fits(remedy): return .notWhole
        case .finding where !order.fits(remedy): return .needsFinding
        case .replay, .finding, .onlyStarted: break
        }
        if case .started? = order.finding { return nil }
        if let expiry = letter.expiresAt, expiry <= now { return .expired }
        return nil
    }

    /// What was chosen, after the last dead letter: places in order, and how many of each reason.
    package mutating func finish() -> (places: [LetterPlace], reasons: [String: Int]) {
        var places: [LetterPlace] = []
        var reasons: [String: Int] = [:]
        for one in chosen {
            if let latest = generations[one.identity], latest > one.generation {
                skipped[.replayed, default: 0] += 1
                continue
            }
            places.append(one.place)
            reasons[one.reason, default: 0] += 1
        }
        return (places.sorted(), reasons)
    }
}
