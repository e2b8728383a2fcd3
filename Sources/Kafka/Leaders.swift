internal import CRDKafka

/// Looks at the leaders of the topics that transactions write to, before one is ended.
///
/// A broker of Kafka 4.0 to 4.3 that ends a transaction drops the markers of partitions that have no leader at that moment
/// (KAFKA-20734), as for some seconds after it has come back. What was aborted then stays open there, and the next
/// transaction of the same producer commits it.
///
/// The library tells only of all topics at once, or of those that a client has used: one such request at each start and abort.
struct Leaders {
    let topics: Set<String>

    /// Takes one question where all is well. On the client's thread; serves its events meanwhile.
    ///
    /// - Parameter end: then a partition without a leader is waited for no more.
    /// - Throws: the broker has not answered until `end`.
    func wait(_ client: NativeClient, until end: ContinuousClock.Instant) throws(KafkaError) {
        var watch = LeaderWatch()
        while true {
            let asked = ContinuousClock.now
            var failure: KafkaError?
            var areAllThere = false
            do throws(KafkaError) {
                let described = try client.topics(timeout: max(.milliseconds(100), asked.duration(to: end)))
                areAllThere = described.allSatisfy { name, error, topic in
                    guard topics.contains(name), error?.code != .unknownTopicOrPartition else { return true }
                    return error == nil && topic.partitions.allSatisfy { $0.leader >= 0 }
                }
            } catch {
                failure = error
            }
            let now = ContinuousClock.now
            if watch.mayEnd(areAllThere: areAllThere, asked: asked, answered: now) { return }
            if now >= end {
                if let failure { throw failure }
                return
            }
            rd_kafka_poll(client.pointer, 200)
        }
    }
}

/// Judges what was seen of the leaders.
struct LeaderWatch {
    /// How long there must be all leaders, where once there were not, or the answer was late: a broker that stood still
    /// takes requests before it notices that others have given it up.
    static let steady: Duration = .seconds(3)
    /// A later answer shows trouble. Others give a broker up after nine seconds.
    static let soon: Duration = .seconds(3)

    private var sawTrouble = false
    private var since: ContinuousClock.Instant?

    /// Whether a transaction may be ended now, after one more look.
    ///
    /// - Parameter areAllThere: every partition has a leader; false also where there was no answer.
    mutating func mayEnd(
        areAllThere: Bool, asked: ContinuousClock.Instant, answered: ContinuousClock.Instant
    ) -> Bool {
        guard areAllThere, answered - asked <= Self.soon else {
            sawTrouble = true
            since = nil
            return false
        }
        let began = since ?? answered
        since = began
        return !sawTrouble || answered - began >= Self.steady
    }
}
