internal import JSON

/// What a hold holds.
package enum HoldScope: Hashable, Sendable {
    case all
    /// A connection, by its name in the configuration.
    case account(String)
    case stream(String)
    case campaign(streamID: String, campaignID: String)

    /// The key of its record in the control topic: the same bytes each time, so that compaction keeps the last one.
    package var key: [UInt8] {
        var out = JSONWriter(capacity: 96)
        out.array { out in
            out.string("hold")
            for part in parts { out.string(part) }
        }
        return out.bytes
    }

    /// The kind and what it names, as in the key and on the command line.
    package var parts: [String] {
        switch self {
        case .all: ["all"]
        case .account(let name): ["account", name]
        case .stream(let id): ["stream", id]
        case .campaign(let stream, let campaign): ["campaign", stream, campaign]
        }
    }

    /// From the parts of a key behind `hold`.
    package init?(parts: [String]) {
        switch (parts.first, parts.count) {
        case ("all", 1): self = .all
        case ("account", 2): self = .account(parts[1])
        case ("stream", 2): self = .stream(parts[1])
        case ("campaign", 3): self = .campaign(streamID: parts[1], campaignID: parts[2])
        default: return nil
        }
    }

    /// In words.
    package var text: String {
        switch self {
        case .all: "everything"
        case .account(let name): "account \(name)"
        case .stream(let id): "stream \(id)"
        case .campaign(let stream, let campaign): "campaign \(campaign) of stream \(stream)"
        }
    }
}

/// Who holds it, why, and since when (milliseconds since 1970).
package struct Hold: Sendable, Equatable {
    package var who: String
    package var why: String
    package var at: Int64

    package init(who: String, why: String, at: Int64) {
        self.who = who
        self.why = why
        self.at = at
    }

    /// The value of its record in the control topic.
    package var value: [UInt8] {
        var out = JSONWriter(capacity: 128)
        out.object { out in
            out.member("who", who)
            out.member("why", why)
            out.member("at", at)
        }
        return out.bytes
    }
}
