internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The library may stop reading a topic that was removed and made anew, without a word.

extension BridgeService {
    /// Looks whether ledger and control topic are read on where there is something to read.
    func readerWatch() async {
        var ends = StandingEnds(limit: settings.ledger.progressWarning.milliseconds)
        while !Task.isCancelled {
            await pause(settings.kafka.statisticsInterval)
            var places: [TopicPartition: Int64] = [:]
            for partition in await engine.snapshot().partitions {
                guard let end = partition.ledgerEnd else { continue }
                places[TopicPartition(settings.topics.ledger, partition.partition)] = end
            }
            let control = await engine.controlEnd
            if control >= 0 { places[TopicPartition(settings.topics.control, 0)] = control }
            do throws(KafkaError) {
                var found: [TopicPartition: Int64?] = [:]
                for (place, end) in places {
                    found[place] = .some(end < (try await offsets.stableEnd(place)) ? end : nil)
                }
                let standing = ends.standing(found, at: clock().monotonic)
                guard let first = standing.first else { continue }
                finishSink.yield(
                    .joinAnew("the Kafka library does not read \(first) beyond offset \(places[first] ?? 0)"))
            } catch {
                // The reader meets the same fault and tells it.
                logger.debug("the ledger's end cannot be had", [.error: .error(error)])
            }
        }
    }
}
