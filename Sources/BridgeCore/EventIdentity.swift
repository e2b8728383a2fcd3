internal import JSON
package import Records

/// What makes two records the same event.
///
/// Its key is also the ledger's key: a JSON array of the kind and its parts, so that no two different identities share
/// a key, whatever characters they hold. Parts are compared as the bytes that were sent: nothing is normalised,
/// case-folded or percent-decoded.
package struct EventIdentity: Sendable {
    /// Where the identity comes from, the strongest first.
    package enum Kind: String, Sendable, CaseIterable {
        /// CloudEvents `source` and `id`.
        case cloudEvent = "ce"
        /// The configured field of a plain JSON event.
        case field
        /// The configured header of a plain JSON event.
        case header
        /// The record's own place: a producer's repeat has another one, so repeats are not recognised.
        case position
    }

    package let kind: Kind
    package let key: [UInt8]
    /// The event's own id for people: CloudEvents `id`, the field's or header's text, or the position.
    package let eventID: String
    /// CloudEvents `source`; nil for the other kinds.
    package let source: String?
    /// The same for every replica and every run: names the event in log lines, results and requests.
    package let requestID: String

    package static func cloudEvent(source: String, id: String) -> EventIdentity {
        EventIdentity(kind: .cloudEvent, key: key(.cloudEvent, [source, id]), eventID: id, source: source)
    }

    package static func field(_ text: String) -> EventIdentity {
        EventIdentity(kind: .field, key: key(.field, [text]), eventID: text, source: nil)
    }

    package static func header(_ text: String) -> EventIdentity {
        EventIdentity(kind: .header, key: key(.header, [text]), eventID: text, source: nil)
    }

    /// The identity of a record that has no other: its place, its time and a hash of its value, so that a topic made
    /// anew under the same name does not repeat it.
    package static func position(of record: Record) -> EventIdentity {
        position(
            of: IntakeOrigin(of: record),
            valueHash: KeyHash(record.value ?? [], key: .fixed).hex + (record.value == nil ? "-" : ""))
    }

    /// The same where only the hash of the value is left.
    static func position(of origin: IntakeOrigin, valueHash: String) -> EventIdentity {
        let place = "\(origin.topic)/\(origin.partition)/\(origin.offset)"
        let time = origin.timestamp.map(String.init) ?? ""
        return EventIdentity(
            kind: .position, key: key(.position, [place, time, valueHash]), eventID: place, source: nil)
    }

    /// The identity that a ledger key stands for, where only the key is left.
    package init?(key: [UInt8]) {
        let root: JSONValue
        do { root = try JSONReader.parse(key) } catch { return nil }
        guard let parts = root.array?.map(\.string), let kind = parts.first?.flatMap(Kind.init), parts.count >= 2,
            let second = parts[1]
        else { return nil }
        let id = kind == .cloudEvent && parts.count == 3 ? parts[2] ?? "" : second
        self.init(kind: kind, key: key, eventID: id, source: kind == .cloudEvent ? second : nil)
    }

    private init(kind: Kind, key: [UInt8], eventID: String, source: String?) {
        self.kind = kind
        self.key = key
        self.eventID = eventID
        self.source = source
        requestID = EventIdentity.requestID(key: key)
    }

    /// The request id of the identity that has this key.
    package static func requestID(key: [UInt8]) -> String { KeyHash(key, key: .fixed).hex }

    private static func key(_ kind: Kind, _ parts: [String]) -> [UInt8] {
        var text = JSONWriter(capacity: 96)
        text.array { text in
            text.string(kind.rawValue)
            for part in parts { text.string(part) }
        }
        return text.bytes
    }
}
