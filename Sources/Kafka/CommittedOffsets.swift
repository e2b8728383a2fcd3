internal import CRDKafka
internal import NativeThread
package import Records

/// Asks for a group's committed offsets with stable-offset semantics: the answer waits for, or is refused because of,
/// open transactions of the group. Each call blocks the actor's own thread until its timeout at most.
///
/// A consumer of the group that joins nothing, and not the admin request for it: librdkafka up to 2.8 at least ends the
/// process with an assertion where that request is tried again, as after a broker's restart (librdkafka #3663).
package actor CommittedOffsets {
    private nonisolated let thread: NativeThread
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let timeout: Duration
    private var client: RenewedClient
    /// What the broker said against the group, and when that was last so; nil: it answers.
    private var refusal: (error: KafkaError, at: ContinuousClock.Instant)?
    private static let refusalHolds = Duration.seconds(5)

    /// - Parameters:
    ///   - settings: as every client's.
    ///   - group: whose offsets.
    ///   - timeout: of each call.
    package init(
        settings: ClientSettings, group: String, timeout: Duration,
        observer: @escaping @Sendable (ClientEvent) -> Void
    ) throws(KafkaError) {
        thread = NativeThread(name: "kafka-offsets")
        self.timeout = timeout
        client = try RenewedClient { () throws(KafkaError) in
            let configuration = try NativeConfiguration(
                settings,
                removed: [
                    "group.id", "group.instance.id", "isolation.level", "auto.offset.reset", "statistics.interval.ms",
                ])
            try configuration.set("group.id", group)
            // This is what makes the offsets stable ones.
            try configuration.set("isolation.level", "read_committed")
            // No events: nobody polls for them, so they would pile up. Without them the library logs its errors.
            return try NativeClient(RD_KAFKA_CONSUMER, configuration, events: 0, observer: observer)
        }
    }

    /// The committed offset of each partition; nil: none.
    ///
    /// - Throws: `.unstableOffsetCommit`, retriable, while a transaction holds up one of them.
    package func fetch(_ partitions: [TopicPartition]) throws(KafkaError) -> [TopicPartition: GroupOffset?] {
        let list = try ask(partitions)
        var offsets: [TopicPartition: GroupOffset?] = [:]
        for element in list.elements {
            if let error = element.error { throw error }
            offsets[element.partition] = .some(
                element.offset < 0 ? nil : GroupOffset(element.offset, metadata: element.metadata))
        }
        return offsets
    }

    /// In rounds that grow: the library tells that the group is refused beside the call only, as an error of the client,
    /// and the call itself waits in vain.
    private func ask(_ partitions: [TopicPartition]) throws(KafkaError) -> PartitionList {
        let client = try client.current()
        // Each question for another partition would wait in vain again.
        if let refusal, refusal.at.duration(to: .now) < Self.refusalHolds { throw refusal.error }
        let end = ContinuousClock.now.advanced(by: timeout)
        var round = Duration.milliseconds(500)
        while true {
            let left = max(.milliseconds(1), ContinuousClock.now.duration(to: end))
            let list = PartitionList(partitions)
            let result = rd_kafka_committed(client.pointer, list.pointer, min(round, left).milliseconds)
            guard let error = KafkaError(result) else {
                refusal = nil
                return list
            }
            guard error.code == .timedOut || error.code == .waitCoordinator else { throw error }
            if let refused = Self.refusal(told: client) ?? refusal?.error {
                refusal = (refused, .now)
                throw refused
            }
            guard ContinuousClock.now < end else { throw error }
            round *= 2
        }
    }

    private static func refusal(told client: NativeClient) -> KafkaError? {
        var refusal: KafkaError?
        while let message = rd_kafka_consumer_poll(client.pointer, 0) {
            if let error = KafkaError(message.pointee.err), error.isAuthorization { refusal = error }
            rd_kafka_message_destroy(message)
        }
        return refusal
    }

    /// The end of each partition as readers of committed records see it: before the first open transaction.
    package func stableEnds(_ partitions: [TopicPartition]) throws(KafkaError) -> [TopicPartition: Int64] {
        try client.ask(within: timeout) { (client, limit) throws(KafkaError) in
            try client.offsets(of: partitions, at: NativeClient.end, timeout: limit)
        }
    }

    /// Ends the client. Returns false where the deadline passed; the thread then goes on alone.
    package nonisolated func close(deadline: Duration) async -> Bool {
        await bounded(by: deadline, late: { false }) { await self.destroy() }
    }

    private func destroy() -> Bool {
        client.destroy()
        return true
    }
}
