internal import Bridge
internal import Configuration
internal import Kafka
internal import Records

/// Whether transactions may be begun, and on request whether the topics may be written to.
struct CheckTransaction {
    let settings: BridgeSettings

    /// A name of its own: to take the replica's would throw out a replica that runs.
    let transactionalID: String

    /// - Parameter triesWrites: whether a record for each result topic is written; they must exist.
    func run(timeout: Duration, triesWrites: Bool, _ report: @Sendable (CheckLine) -> Void) async {
        let name = "transactional id"
        let producer: TransactionalProducer
        do {
            producer = try TransactionalProducer(
                settings: settings.producer, transactionalID: transactionalID, topics: settings.writtenTopics,
                timeouts: .init(
                    operation: timeout, transaction: settings.transactions.timeout, watchdogMargin: .seconds(5))
            ) { _ in }
        } catch {
            report(CheckLine(.failed, "kafka.producerProperties", "\(error)", advice: "correct or remove the property"))
            return
        }
        do throws(KafkaError) {
            try await producer.initialize()
            report(CheckLine(.fine, name, "transactions can be begun"))
            if triesWrites { await write(producer, report) }
        } catch {
            report(
                CheckLine(
                    .failed, name, "no transaction can be begun as \(transactionalID): \(error)",
                    advice: error.isAuthorization
                        ? Right.writeTransactionalIDs(settings.group.id).grant(settings)
                        : "look at the brokers' log: transactions need the topic __transaction_state",
                    isUnreachable: error.isRetriable))
        }
        _ = await producer.close(deadline: .seconds(2))
    }

    /// A record for each topic, in a transaction that is aborted: no `read_committed` consumer ever sees it.
    private func write(
        _ producer: TransactionalProducer, _ report: @Sendable (CheckLine) -> Void
    ) async {
        for name in settings.writtenTopics {
            let record = OutgoingRecord(topic: name, partition: 0, key: Array("check".utf8), value: nil)
            let result = await producer.rehearse([record])
            guard let error = result else {
                report(CheckLine(.fine, "topic \(name)", "it can be written to"))
                continue
            }
            report(
                CheckLine(
                    .failed, "topic \(name)", "it cannot be written to: \(error)",
                    advice: error.isAuthorization ? Right.write(topic: name).grant(settings) : nil,
                    isUnreachable: error.isRetriable))
            if error.isFatal { return }
        }
    }
}
