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

    /// The answer; nil: there is no such topic or partition, or the task is cancelled.
    func persistently<T: Sendable>(
        _ kind: String, _ partition: Int32, _ ask: @Sendable () async throws(KafkaError) -> T
    ) async -> T? {
        while !Task.isCancelled {
            do throws(KafkaError) {
                let answer = try await ask()
                outages.recovered(kind)
                return answer
            } catch {
                if error.code == .unknownPartition || error.code == .unknownTopic { return nil }
                outages.failed(kind, [.error: .error(error), .partition: .int(partition)])
                await pause(.milliseconds(500))
            }
        }
        return nil
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
