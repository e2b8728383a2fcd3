/// Why an event ended without a start. The list is closed: it is a metric's label and a header's value.
package enum DeadLetterReason: String, Sendable, CaseIterable {
    case emptyRecord = "empty-record"
    case invalidEncoding = "invalid-encoding"
    case invalidJSON = "invalid-json"
    case invalidCloudEvent = "invalid-cloudevent"
    case invalidData = "invalid-data"
    case unusableTime = "unusable-time"
    case unknownStream = "unknown-stream"
    case accountMismatch = "account-mismatch"
    case identityConflict = "identity-conflict"
    /// The campaign was started by another event a short time ago.
    case coolDown = "cool-down"
    /// A replay that does not answer the event's last dead letter, or lacks the finding that it needs.
    case replayRefused = "replay-refused"
    case expired
    /// Expired, and so old that the ledger may have forgotten a start of the same identity.
    case expiredOutsideWindow = "expired-outside-window"
    case rejected
    case outcomeUnknown = "outcome-unknown"

    /// What kind of thing went wrong, for people who sort dead letters.
    package var category: String {
        switch self {
        case .emptyRecord, .invalidEncoding, .invalidJSON, .invalidCloudEvent, .invalidData, .unusableTime: "invalid"
        case .unknownStream, .accountMismatch, .identityConflict, .coolDown, .replayRefused: "refused"
        case .expired, .expiredOutsideWindow: "expired"
        case .rejected: "rejected"
        case .outcomeUnknown: "unknown"
        }
    }

    /// Whether a call made for this event now could not be a second one.
    package var isSafeToReplay: Bool {
        switch self {
        case .outcomeUnknown, .expiredOutsideWindow, .replayRefused: false
        // Of unknown age: the ledger may have forgotten a start of the same identity.
        case .unusableTime: false
        default: true
        }
    }
}
