internal import Telemetry

extension LogKey {
    static let rebalance = LogKey("rebalance")
    static let partitions = LogKey("partitions")
    static let generation = LogKey("generation")
    static let lost = LogKey("lost")
    static let facility = LogKey("facility")
    static let detail = LogKey("detail")
    static let attempt = LogKey("attempt")
    static let connection = LogKey("connection")
    static let reason = LogKey("reason")
    static let cause = LogKey("cause")
    static let status = LogKey("status")
    static let result = LogKey("result")
    static let milliseconds = LogKey("ms")
    static let entries = LogKey("entries")
    static let instanceID = LogKey("instance_id")
    static let evidence = LogKey("evidence")
    static let news = LogKey("news")
}
