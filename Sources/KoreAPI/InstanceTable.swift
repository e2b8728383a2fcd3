/// Which campaign an instance id was first seen under, for the last so many ids: an id that comes back under another
/// campaign is somebody else's answer.
struct InstanceTable {
    private var campaigns: [[UInt8]: [UInt8]] = [:]
    /// A ring in order of arrival; `next` is the oldest once it is full.
    private var order: [[UInt8]] = []
    private var next = 0
    private let maximum: Int

    init(maximum: Int) {
        self.maximum = max(1, maximum)
    }

    /// Remembers the id; false if it is known under another campaign. Compared as bytes.
    mutating func remember(_ instanceID: String, stream: String, campaign: String) -> Bool {
        let id = Array(instanceID.utf8)
        // Neither part can hold a slash.
        let owner = Array("\(stream)/\(campaign)".utf8)
        if let known = campaigns[id] { return known == owner }
        if order.count < maximum {
            order.append(id)
        } else {
            campaigns[order[next]] = nil
            order[next] = id
            next = (next + 1) % maximum
        }
        campaigns[id] = owner
        return true
    }
}
