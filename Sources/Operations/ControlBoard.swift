internal import JSON
package import Records

/// What the control topic says: what is held, and how far each replica has read.
package struct ControlBoard: Sendable {
    /// What a replica has said of itself.
    package struct Replica: Sendable, Equatable {
        /// Its name and a random part of its process.
        package var owner: String
        /// Until then it may write intents and begin calls, milliseconds since 1970.
        package var until: Int64
        /// It has applied every control record below this offset.
        package var seen: Int64
    }

    /// How far a control record is from being in force.
    package struct Force: Sendable, Equatable {
        package var confirmed: [Replica]
        /// Replicas that may still act without it.
        package var awaited: [Replica]

        package var isInForce: Bool { awaited.isEmpty }
    }

    /// Clocks may be so far apart, milliseconds.
    package static let margin: Int64 = 1000
    /// Processes that ended without a farewell stay until compaction; of more than these the oldest are forgotten.
    static let maximumReplicas = 4096

    package private(set) var holds: [HoldScope: (hold: Hold, offset: Int64)] = [:]
    private var replicas: [String: Replica] = [:]

    package init() {}

    /// Takes in one record, in the topic's order. What is none of ours is passed over.
    package mutating func apply(_ record: Record) {
        guard let key = record.key, let parts = Self.parts(key), let kind = parts.first else { return }
        switch kind {
        case "hold":
            guard let scope = HoldScope(parts: Array(parts.dropFirst())) else { return }
            guard let value = record.value else {
                holds[scope] = nil
                return
            }
            // A hold that cannot be read is a hold all the same.
            holds[scope] = (Self.hold(value) ?? Hold(who: "", why: "", at: record.timestamp ?? 0), record.offset)
        case "replica":
            guard parts.count == 2 else { return }
            replicas[parts[1]] = record.value.flatMap { Self.replica($0, owner: parts[1]) }
            if replicas.count > Self.maximumReplicas, let oldest = replicas.values.min(by: { $0.until < $1.until }) {
                replicas[oldest.owner] = nil
            }
        default: break
        }
    }

    /// Whether the record at an offset is in force at a time (milliseconds since 1970).
    package func force(of offset: Int64, at now: Int64) -> Force {
        let live = replicas.values.filter { $0.until + Self.margin > now }.sorted { $0.owner < $1.owner }
        return Force(
            confirmed: live.filter { $0.seen > offset }, awaited: live.filter { $0.seen <= offset })
    }

    /// The holds that an event of this account, stream and campaign stands under; nil: not known, which fits none.
    package func holds(account: String?, streamID: String?, campaignID: String?) -> [HoldScope] {
        holds.keys.filter { scope in
            switch scope {
            case .all: true
            case .account(let name): name == account
            case .stream(let id): id == streamID
            case .campaign(let stream, let campaign): stream == streamID && campaign == campaignID
            }
        }.sorted { $0.text < $1.text }
    }

    private static func parts(_ key: [UInt8]) -> [String]? {
        guard let root = value(key), let elements = root.array else { return nil }
        let texts = elements.compactMap(\.string)
        return texts.count == elements.count ? texts : nil
    }

    private static func hold(_ bytes: [UInt8]) -> Hold? {
        guard let root = value(bytes), let who = root["who"]?.string, let why = root["why"]?.string,
            let at = root["at"]?.int64
        else { return nil }
        return Hold(who: who, why: why, at: at)
    }

    /// Larger times than these are nobody's.
    private static let times: ClosedRange<Int64> = 0...1 << 50

    private static func replica(_ bytes: [UInt8], owner: String) -> Replica? {
        guard let root = value(bytes), let until = root["until"]?.int64, let seen = root["seen"]?.int64,
            times.contains(until)
        else { return nil }
        return Replica(owner: owner, until: until, seen: seen)
    }

    private static func value(_ bytes: [UInt8]) -> JSONValue? {
        do { return try JSONReader.parse(bytes) } catch { return nil }
    }
}
