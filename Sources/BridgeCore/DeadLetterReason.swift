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
    case expired
    case rejected
    case outcomeUnknown = "outcome-unknown"

    /// What kind of thing went wrong, for people who sort dead letters.
    package var category: String {
        switch self {
        case .emptyRecord, .invalidEncoding, .invalidJSON, .invalidCloudEvent, .invalidData, .unusableTime: "invalid"
        case .unknownStream, .accountMismatch, .identityConflict: "refused"
        case .expired: "expired"
        case .rejected: "rejected"
        case .outcomeUnknown: "unknown"
        }
    }

    /// Whether a call made for this event now could not be a second one.
    package var isSafeToReplay: Bool { self != .outcomeUnknown }
}
