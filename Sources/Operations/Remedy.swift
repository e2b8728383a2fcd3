internal import BridgeCore

/// What may be done with a dead letter.
package enum Remedy: Sendable, Equatable {
    /// Replayed as it is.
    case replay
    /// A call may have started the campaign: replayed only with what a person found out.
    case finding
    /// Its request is not whole any more: it can only be recorded as started.
    case onlyStarted
    /// Nothing.
    case none(Obstacle)

    /// Why a dead letter cannot be replayed.
    package enum Obstacle: String, Sendable, CaseIterable {
        /// It answers a replay that was refused; the dead letter that the replay was for is the one to look at.
        case replayRefused = "replay-refused"
        /// A header that a replay needs is missing, or says nothing usable.
        case incomplete = "incomplete"
        /// Its request came from another topic than the configured source.
        case otherSource = "other-source"

        package var text: String {
            switch self {
            case .replayRefused: "it answers a replay that was refused; look at the dead letter that was replayed"
            case .incomplete:
                "a header that a replay needs is missing: it was not written by this version of the bridge"
            case .otherSource: "its request came from another topic than topics.source"
            }
        }
    }

    /// - Parameter sourceTopic: as configured.
    package init(of letter: DeadLetter, sourceTopic: String) {
        if letter.reason == DeadLetterReason.replayRefused.rawValue {
            self = .none(.replayRefused)
        } else if letter.generation == nil || letter.nonce == nil || letter.identityKey == nil
            || letter.source == nil || letter.generation == .max
        {
            self = .none(.incomplete)
        } else if letter.source?.topic != sourceTopic {
            self = .none(.otherSource)
        } else if letter.omitted != nil {
            self = .onlyStarted
        } else {
            self = letter.isSafeToReplay ? .replay : .finding
        }
    }

    /// What may be done, in words.
    package func advice(for letter: DeadLetter, at now: Int64) -> String {
        let place = letter.place
        switch self {
        case .none(let obstacle): return "It cannot be replayed: \(obstacle.text)."
        case .onlyStarted:
            return
                "Its request is not whole (left out: \(letter.omitted ?? "")), so it cannot be called. If the campaign "
                + "was started, record that: `dead-letters resolve \(place) --finding started`. If not, send a new event."
        case .finding:
            return
                "Not safe to replay: the campaign may have been started. Look at it first, then record what you found: "
                + "`dead-letters resolve \(place) --finding started` (no call is made) or `--finding not-started` (it is "
                + "called)."
        case .replay:
            if let expiry = letter.expiresAt, expiry <= now {
                return
                    "Safe to replay, but the event's own expiry has passed (\(RFC3339.format(expiry))): a replay would "
                    + "expire again. Send a new event."
            }
            let hint =
                switch DeadLetterReason(rawValue: letter.reason) {
                case .identityConflict?: " It is then called as an event of its own; its id belongs to another event."
                case .coolDown?: " Within the cool-down of its campaign it is turned away again."
                default:
                    letter.category == "invalid" || letter.category == "refused"
                        ? " It is turned away again unless the configuration or the bridge has changed since." : ""
                }
            return "Safe to replay: `dead-letters replay \(place)` calls it again." + hint
        }
    }
}
