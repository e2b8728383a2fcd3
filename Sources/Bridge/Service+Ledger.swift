internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The driver of the ledger's and the control topic's reader.

extension BridgeService {
    func ledgerLoop() async {
        let control = TopicPartition(settings.topics.control, 0)
        var assignment = 0
        // A batch that was taken before a partition's ledger began to be read anew still tells of the tail before.
        func isStale(_ partition: Int32) -> Bool { tails.began(partition) > assignment }
        while true {
            let events = await reader.events()
            if events.isEmpty { return }
            for event in events {
                switch event {
                case .records(let records):
                    for run in records.runs {
                        let first = run[run.startIndex]
                        denials.granted(.read(topic: first.topic))
                        if first.topic == settings.topics.control {
                            await engine.control(Array(run))
                        } else if !isStale(first.partition) {
                            await engine.ledger(
                                partition: first.partition,
                                run.map { LedgerWire.read(key: $0.key, value: $0.value) },
                                end: run[run.endIndex - 1].offset + 1)
                        }
                    }
                case .endOfPartition(let partition, let offset):
                    outages.recovered("kafka-ledger")
                    denials.granted(.read(topic: partition.topic))
                    if partition == control {
                        await engine.controlReadTo(offset)
                    } else if !isStale(partition.partition) {
                        await engine.ledgerEnd(partition: partition.partition, offset: offset)
                    }
                case .assignedManually(let number): assignment = number
                case .fatal(let error), .error(let error, nil):
                    outages.failed("kafka-ledger", [.error: .error(error)])
                case .error(let error, let place?):
                    outages.failed("kafka-ledger", [.error: .error(error), .topic: .string(place.topic)])
                    if error.code == .topicAuthorizationFailed { denials.met(error, .read(topic: place.topic)) }
                case .log(let level, let facility, let text):
                    KafkaLog(logger: logger, outages: outages).take(.log(level: level, facility: facility, text: text))
                case .assigned, .revoked, .started, .statistics: break
                }
            }
        }
    }
}
