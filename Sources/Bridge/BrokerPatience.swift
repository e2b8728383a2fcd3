internal import BridgeCore
internal import Configuration
internal import Kafka
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

    /// A producer that has taken the transactional id, after closing an older one; asks until the broker lets it. nil:
    /// cancelled.
    ///
    /// - Parameter kind: what an outage is called in the log.
    func producer(
        _ transactionalID: String, properties: ClientSettings, kind: String, after old: TransactionalProducer?
    ) async -> TransactionalProducer? {
        if let old { _ = await old.close(deadline: .seconds(5)) }
        let log = KafkaLog(logger: logger, outages: outages)
        while !Task.isCancelled {
            do {
                let producer = try TransactionalProducer(
                    settings: properties, transactionalID: transactionalID,
                    timeouts: .init(
                        operation: settings.kafka.operationTimeout, transaction: settings.transactions.timeout,
                        watchdogMargin: settings.transactions.watchdogMargin)
                ) { log.take($0) }
                do {
                    try await producer.initialize()
                    outages.recovered(kind)
                    return producer
                } catch {
                    _ = await producer.close(deadline: .seconds(5))
                    throw error
                }
            } catch {
                outages.failed(kind, [.error: .error(error)])
                await pause(.milliseconds(500))
            }
        }
        return nil
    }

    /// Waits, or returns early when the task is cancelled: every caller then looks at its own condition again.
    func pause(_ duration: Duration) async {
        do { try await Task.sleep(for: duration) } catch { return }
    }
}

extension TransactionEnd {
    /// - Parameter culprit: the write that a record belongs to.
    init(_ result: TransactionalProducer.Result, culprit: (Int) -> Int) {
        switch result {
        case .committed: self = .committed
        case .lost: self = .lost
        case .aborted(let error, let culprits):
            let isStale =
                error.map { [.illegalGeneration, .unknownMember, .fencedInstanceID].contains($0.code) } ?? false
            self = .aborted(culprits: Array(Set(culprits.map(culprit))), groupIsStale: isStale)
        }
    }
}
