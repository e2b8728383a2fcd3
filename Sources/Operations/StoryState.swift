internal import BridgeCore

/// What holds of an event now, and what is next.
package struct StoryState: Sendable, Equatable {
    package enum Name: String, Sendable, CaseIterable {
        /// The ledger knows nothing of it; its request is there.
        case waiting
        /// A call is under way, or its outcome is in doubt.
        case attempting
        /// Tried, not started, to be tried again.
        case released
        case started
        case deadLettered = "dead-lettered"
        /// A replay was written, and the ledger does not show it yet.
        case replayed
        /// Its results are there, and the ledger has forgotten it.
        case forgotten
    }

    package var name: Name
    package var now: String
    package var next: String

    /// - Parameters:
    ///   - sourceTopic: as configured.
    ///   - settleTime: after a token's expiry, until a doubt is decided; milliseconds.
    ///   - now: milliseconds since 1970.
    package init(of story: Story, sourceTopic: String, settleTime: Int64, at now: Int64) {
        guard let entry = story.entry else {
            self = Self.withoutEntry(story, sourceTopic: sourceTopic, at: now)
            return
        }
        switch entry.state {
        case .started(let instance):
            name = .started
            self.now = "The campaign was started" + (instance.map { ", instance \($0)" } ?? "") + "."
            next = "Nothing. Repeats and replays of this event start nothing."
        case .attempting(let attempt):
            let decided = attempt.tokenExpiry * 1000 + settleTime
            name = .attempting
            self.now = "Attempt \(attempt.number) was about to be called, and no outcome is known yet."
            next =
                decided > now
                ? "If no answer comes, it is decided at \(RFC3339.format(decided)) at the earliest."
                : "It is decided as soon as a replica owns its partition: with a late answer if there is one, else it "
                    + "becomes a dead letter outcome-unknown."
            if story.lateStart { next += " A late answer says that it was started." }
        case .released:
            name = .released
            self.now = "It was tried and has not started."
            next = "It is tried again until it expires" + Self.expiry(story) + "."
        case .deadLettered(let reason, _):
            self = Self.deadLettered(story, entry, reason, sourceTopic: sourceTopic, at: now)
        }
    }

    private init(_ name: Name, _ now: String, _ next: String) {
        self.name = name
        self.now = now
        self.next = next
    }

    private static func expiry(_ story: Story) -> String {
        story.expiresAt.map { " at \(RFC3339.format($0))" } ?? ", by its age at the latest"
    }

    private static func deadLettered(
        _ story: Story, _ entry: LedgerEntry, _ reason: DeadLetterReason, sourceTopic: String, at now: Int64
    ) -> StoryState {
        if story.replay > entry.generation {
            return StoryState(
                .replayed, "It is a dead letter (\(reason.rawValue)), and a replay of it was written.",
                "The replay is handled when its record is reached.")
        }
        var next = "Its dead letter is not there any more, so it cannot be replayed. Send a new event."
        if let letter = story.letter {
            next = Remedy(of: letter, sourceTopic: sourceTopic).advice(for: letter, at: now)
        }
        if story.lateStart {
            next += " A late answer says that the campaign was started: a finding not-started is refused."
        }
        return StoryState(.deadLettered, "It is a dead letter: \(reason.rawValue).", next)
    }

    private static func withoutEntry(_ story: Story, sourceTopic: String, at now: Int64) -> StoryState {
        if story.facts.contains(where: { $0.kind == .started }) {
            return StoryState(
                .forgotten, "The campaign was started; the ledger's entry is not there any more.",
                "A repeat of this event is not recognised by the ledger any more.")
        }
        if let letter = story.letter {
            let advice = Remedy(of: letter, sourceTopic: sourceTopic).advice(for: letter, at: now)
            return StoryState(
                .forgotten, "It is a dead letter (\(letter.reason)); the ledger's entry is not there any more.",
                advice + " Since the ledger has forgotten it, a replay needs a finding.")
        }
        if story.facts.contains(where: { $0.kind == .request || $0.kind == .replay }) {
            return StoryState(
                .waiting, "No attempt was made: its request waits, or has been passed over as a repeat.",
                "It is called when its turn comes, until it expires" + expiry(story) + ".")
        }
        return StoryState(.forgotten, "Only traces of it are left.", "Nothing.")
    }
}
