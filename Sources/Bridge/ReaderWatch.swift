internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// What the ledger's reader would not notice by itself: a topic that was removed and made anew.

extension BridgeService {
    /// Looks whether ledger and control topic still reach to where they must, and are read on where there is something
    /// to read.
    func readerWatch() async {
        var short = StandingEnds(limit: 1)
        var unread = StandingEnds(limit: settings.ledger.progressWarning.milliseconds)
        while !Task.isCancelled {
            await pause(settings.kafka.statisticsInterval)
            let partitions = await engine.snapshot().partitions
            do throws(KafkaError) {
                for place in short.standing(try await shortPlaces(partitions), at: clock().monotonic) {
                    guard place.topic != settings.topics.control else {
                        finishSink.yield(.joinAnew("\(place) ends before what was read of it: it was made anew"))
                        continue
                    }
                    let needed = partitions.first { $0.partition == place.partition }?.ledgerNeeded
                    await engine.ledgerBroken(partition: place.partition, needed: needed ?? 0)
                }
                if let first = unread.standing(try await unreadPlaces(partitions), at: clock().monotonic).first {
                    finishSink.yield(.joinAnew("the Kafka library does not read \(first) to its end"))
                }
            } catch {
                // The reader meets the same fault and tells it.
                logger.debug("the ledger's ends cannot be had", [.error: .error(error)])
            }
        }
    }

    /// Partitions that end before what is needed or was read of them, with that offset.
    private func shortPlaces(
        _ partitions: [ReplicaSnapshot.PartitionState]
    ) async throws(KafkaError) -> [TopicPartition: Int64?] {
        var found: [TopicPartition: Int64?] = [:]
        for partition in partitions {
            guard let needed = partition.ledgerNeeded else { continue }
            let place = TopicPartition(settings.topics.ledger, partition.partition)
            let end = try await admin.watermarks(place).high
            found[place] = .some(end < needed ? needed : nil)
        }
        let control = TopicPartition(settings.topics.control, 0)
        let read = await engine.controlEnd
        if read >= 0 { found[control] = .some(try await admin.watermarks(control).high < read ? read : nil) }
        return found
    }

    /// Partitions that have more for readers of committed records than was read of them, with how far they were read.
    private func unreadPlaces(
        _ partitions: [ReplicaSnapshot.PartitionState]
    ) async throws(KafkaError) -> [TopicPartition: Int64?] {
        var read: [TopicPartition: Int64] = [:]
        for partition in partitions {
            if let end = partition.ledgerEnd {
                read[TopicPartition(settings.topics.ledger, partition.partition)] = end
            }
        }
        let control = await engine.controlEnd
        if control >= 0 { read[TopicPartition(settings.topics.control, 0)] = control }
        var found: [TopicPartition: Int64?] = [:]
        for (place, stable) in try await ends.stableEnds(Array(read.keys)) {
            guard let end = read[place] else { continue }
            found[place] = .some(end < stable ? end : nil)
        }
        return found
    }
}
