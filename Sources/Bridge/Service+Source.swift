internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The driver of the source: its consumer's events go to the engine.

extension BridgeService {
    func sourceLoop() async {
        let decoder = settings.pipelineDecoder
        do {
            try await consumer.subscribe([settings.ledgerSource])
        } catch {
            finishSink.yield(.failed("the source topic cannot be subscribed to: \(error)"))
            return
        }
        while true {
            let events = await consumer.events()
            if events.isEmpty { return }
            for event in events {
                switch event {
                case .records(let records):
                    health.brokers(areThere: true)
                    denials.granted(.read(topic: settings.ledgerSource))
                    await admit(records, decoder)
                case .endOfPartition(let partition, let offset):
                    denials.granted(.read(topic: settings.ledgerSource))
                    await engine.sourceEnd(partition: partition.partition, offset: offset)
                case .assigned(let number, let partitions, let group):
                    logger.info(
                        "partitions assigned",
                        [
                            .rebalance: .int(number), .partitions: .string(Self.list(partitions)),
                            .generation: .int(group?.generation ?? -1),
                        ])
                    health.brokers(areThere: true)
                    denials.granted(.readGroup(settings.group.id))
                    await engine.assigned(number: number, partitions: partitions.map(\.partition), group: group)
                    if group == nil { finishSink.yield(.assignmentWithoutGroup) }
                case .revoked(let number, let partitions, let lost):
                    logger.info(
                        "partitions revoked",
                        [.rebalance: .int(number), .partitions: .string(Self.list(partitions)), .lost: .bool(lost)])
                    await engine.revoked(number: number, partitions: partitions.map(\.partition), isLost: lost)
                case .fatal(let error):
                    finishSink.yield(ServiceEnd.ended(by: error, of: settings))
                case .error(let error, let partition):
                    if error.code == .allBrokersDown { health.brokers(areThere: false) }
                    outages.failed(
                        "kafka-consumer",
                        [.error: .error(error), .topic: .string(partition?.topic ?? settings.ledgerSource)])
                    let isOfGroup = error.code == .groupAuthorizationFailed
                    denials.met(
                        error,
                        isOfGroup ? .readGroup(settings.group.id) : .read(topic: settings.ledgerSource))
                    guard let partition else { continue }
                    if Self.placeIsGone.contains(error.code) {
                        await engine.sourceBroken(partition: partition.partition)
                    } else if error.code == .state {
                        // After a topic was removed and made anew the library may never fetch it again.
                        finishSink.yield(.joinAnew("\(error)"))
                    }
                case .statistics(let statistics):
                    if statistics.reachesABroker { outages.recovered("kafka-consumer") }
                    health.brokers(areThere: statistics.reachesABroker)
                    observer.take(statistics)
                case .log(let level, let facility, let text):
                    KafkaLog(logger: logger, outages: outages).take(.log(level: level, facility: facility, text: text))
                case .started(let partition, let number):
                    await engine.sourceStarted(partition: partition.partition, number: number)
                case .assignedManually: break
                }
            }
        }
    }

    /// Records of one batch, by partition and in their order.
    private func admit(_ batch: [Record], _ decoder: RequestDecoder) async {
        let records = settings.source.isRekeyed ? batch.filter { !$0.isMark } : batch
        if !settings.source.isRekeyed { observer.metUnkeyed(records.count { $0.key == nil }) }
        for run in records.runs {
            await engine.admit(run.map(decoder.decode), partition: run[run.startIndex].partition)
        }
    }

    /// What the consumer says where a topic was removed or made anew: it would go on at the old place, if at all.
    static let placeIsGone: [KafkaError.Code] = [
        .unknownPartition, .unknownTopic, .unknownTopicOrPartition, .autoOffsetReset, .offsetOutOfRange,
    ]

    /// Looks now and then whether the source ends before the place that we have read to: then it is another topic of the
    /// same name, and the consumer need not notice.
    func sourceWatch() async {
        var difference = 0
        while !Task.isCancelled {
            await pause(settings.kafka.statisticsInterval)
            await countPartitions()
            // The library may lose an assignment without a word (field case 11): the broker then thinks that we read
            // what we do not. Differences while a rebalance is under way are over soon.
            let partitions = await engine.snapshot().partitions
            let ours = Set(partitions.map(\.partition))
            difference = Set(await consumer.assignment.map(\.partition)) == ours ? 0 : difference + 1
            if difference > Self.toleratedDifferences {
                finishSink.yield(.joinAnew("the Kafka library's assignment is not the group's any more"))
            }
            for partition in partitions where partition.stage == .owned {
                let source = TopicPartition(settings.ledgerSource, partition.partition)
                if await patience.isMadeAnew(source, readTo: partition.position, admin: admin) {
                    await engine.sourceBroken(partition: partition.partition)
                }
            }
        }
    }

    /// Looks, in a row, that may find the assignments different: a held revoke lasts as long as its deadline.
    private static let toleratedDifferences = 12

    /// A source may get more partitions while we run. The group hands them out by itself; the shares follow here.
    private func countPartitions() async {
        do throws(KafkaError) {
            let found = try await admin.topics([settings.ledgerSource])[settings.ledgerSource]
            if let count = found?.partitions.count, count > 0 { await engine.sourcePartitions(count) }
        } catch {
            logger.debug("the source's partitions cannot be counted", [.error: .error(error)])
        }
    }

    private static func list(_ partitions: [TopicPartition]) -> String {
        partitions.map { String($0.partition) }.joined(separator: ",")
    }
}
