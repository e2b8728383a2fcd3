internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Records
internal import Telemetry

/// Asks the broker until there is an answer: one that is away delays a step and ends nothing. What the drivers of the
/// source, the ledger and the intake share.
struct BrokerPatience: Sendable {
    let settings: BridgeSettings
    let logger: Logger
    let outages: OutageLog
    let denials: Denials

    /// The answer; nil: there is no such topic or partition, or the task is cancelled.
    ///
    /// - Parameter right: what the question needs.
    func persistently<T: Sendable>(
        _ kind: String, _ partition: Int32, _ right: Right? = nil, _ ask: @Sendable () async throws(KafkaError) -> T
    ) async -> T? {
        while !Task.isCancelled {
            do throws(KafkaError) {
                let answer = try await ask()
                outages.recovered(kind)
                if let right { denials.granted(right) }
                return answer
            } catch {
                if error.code == .unknownPartition || error.code == .unknownTopic { return nil }
                outages.failed(kind, [.error: .error(error), .partition: .int(partition)])
                if let right { denials.met(error, right) }
                await pause(.milliseconds(500))
            }
        }
        return nil
    }

    /// Waits until each topic that the bridge writes to lets it: what came of a call could not be written else. Topics that
    /// do not answer are none of its business; the transaction meets them too.
    func topicsTakeRecords() async {
        let log = KafkaLog(logger: logger, outages: outages)
        let probe: WriteProbe
        do {
            probe = try WriteProbe(
                settings: settings.commonKafka, timeout: min(settings.kafka.operationTimeout, .seconds(5))
            ) { log.take($0) }
        } catch {
            // The producer itself is made of the same properties, and says so.
            return logger.debug("rights to write cannot be asked for", [.error: .error(error)])
        }
        var closed = settings.writtenTopics
        while !closed.isEmpty, !Task.isCancelled {
            var open: Set<String> = []
            for topic in closed {
                let error = await probe.refusal(settings.probe(of: topic))
                if let error, error.isAuthorization {
                    denials.met(error, .write(topic: topic))
                } else if error?.code == .unknownTopicOrPartition || error?.code == .unknownTopic {
                    denials.missing(topic)
                } else {
                    denials.granted(.write(topic: topic))
                    open.insert(topic)
                }
            }
            closed.removeAll { open.contains($0) }
            if !closed.isEmpty { await pause(.seconds(1)) }
        }
        _ = await probe.close(deadline: .seconds(5))
    }

    /// Whether a topic ends before the place that was read to: then it is another one of the same name, which the consumer
    /// need not notice.
    func isMadeAnew(_ place: TopicPartition, readTo position: Int64, admin: Admin) async -> Bool {
        do throws(KafkaError) {
            guard try await admin.watermarks(place).high < position else { return false }
            logger.error(
                "the source ends before the place that was read to: the topic was made anew under its name",
                [.partition: .int(place.partition), .offset: .int(position)])
            return true
        } catch {
            // The consumer meets the same fault and tells it.
            logger.debug("the source's end cannot be had", [.error: .error(error)])
            return false
        }
    }

    /// Waits, or returns early when the task is cancelled: every caller then looks at its own condition again.
    func pause(_ duration: Duration) async {
        do { try await Task.sleep(for: duration) } catch { return }
    }
}
