package import BridgeCore
package import Records

/// Which dead letters are wanted. What is empty or nil lets all pass.
package struct LetterFilter: Sendable, Equatable {
    package var reasons: Set<String> = []
    package var category: String?
    /// Written at or after, milliseconds since 1970.
    package var since: Int64?
    /// Written before, milliseconds since 1970.
    package var until: Int64?
    package var streamID: String?
    package var campaignID: String?
    /// The event's own id, or its request id.
    package var id: String?
    /// Only those that are open by these.
    package var states: LetterStates?

    package init() {}

    package var isEmpty: Bool { self == LetterFilter() }

    /// The dead letter in a record, with what its request says; nil where it is none, or does not pass.
    package func letter(in record: Record, decoder: RequestDecoder) -> DeadLetter? {
        // A request is read only where the headers pass: reading it costs more than all of them.
        guard var letter = DeadLetter(record), passesByHeaders(letter) else { return nil }
        letter.readRequest(record, decoder: decoder)
        return passes(letter) ? letter : nil
    }

    package func passes(_ letter: DeadLetter) -> Bool {
        guard passesByHeaders(letter) else { return false }
        if let streamID, letter.streamID != streamID { return false }
        if let campaignID, letter.campaignID != campaignID { return false }
        return true
    }

    private func passesByHeaders(_ letter: DeadLetter) -> Bool {
        if !reasons.isEmpty, !reasons.contains(letter.reason) { return false }
        if let category, letter.category != category { return false }
        if let since, letter.time < since { return false }
        if let until, letter.time >= until { return false }
        if let id, !letter.isCalled(id) { return false }
        if let states, !states.isOpen(letter) { return false }
        return true
    }
}

extension DeadLetter {
    /// Whether its event has this id or request id, byte for byte. Its header holds a long id's beginning only.
    package func isCalled(_ id: String) -> Bool {
        eventID.utf8.elementsEqual(id.prefix(256).utf8) || requestID == id
    }
}

/// A time in the past as a person writes it.
package enum PastTime {
    /// An RFC 3339 time, or how long ago: a whole number and `s`, `m`, `h` or `d`. Milliseconds since 1970.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        if let time = RFC3339.parse(text) { return time }
        let units: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let unit = text.last.flatMap({ units[$0] }) else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int64(digits)
        else { return nil }
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: unit)
        return isTooLarge || product > now ? nil : now - product
    }

    package static let expectation = "a time such as 2026-01-31T09:30:00Z, or how long ago, such as 30m, 2h or 7d"
}
