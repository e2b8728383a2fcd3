import Foundation
import Records
import Testing

@testable import Kafka

/// The real broker that the environment names, if any.
let realBroker = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"]

/// A name that no other test and no other run uses.
func unique(_ name: String) -> String { "\(name)-\(UInt64.random(in: 0 ... .max))" }

func settings(_ servers: String, _ more: [String: String] = [:]) -> ClientSettings {
    ClientSettings(properties: ["bootstrap.servers": servers].merging(more) { _, new in new })
}

func producer(_ servers: String) throws -> Producer {
    try Producer(settings: settings(servers, ["message.max.bytes": "20000000"]), timeout: .seconds(60)) { _ in }
}

func transactional(_ servers: String, id: String, timeout: Duration = .seconds(60)) throws -> TransactionalProducer {
    try TransactionalProducer(
        settings: settings(servers), transactionalID: id, topics: [],
        timeouts: .init(operation: .seconds(60), transaction: timeout, watchdogMargin: .seconds(20))
    ) { _ in }
}

/// Reads from a consumer until `isEnough`, and gives every event so far.
func events(of consumer: Consumer, until isEnough: ([Consumer.Event]) -> Bool) async -> [Consumer.Event] {
    var all: [Consumer.Event] = []
    while !isEnough(all) {
        let next = await consumer.events()
        if next.isEmpty { break }
        all += next
    }
    return all
}

func records(in events: [Consumer.Event]) -> [Record] {
    var all: [Record] = []
    for case .records(let records) in events { all += records }
    return all
}

func ends(in events: [Consumer.Event]) -> [(TopicPartition, Int64)] {
    var all: [(TopicPartition, Int64)] = []
    for case .endOfPartition(let partition, let offset) in events { all.append((partition, offset)) }
    return all
}

/// Reads one partition from its beginning to its end.
func contents(_ servers: String, _ partition: TopicPartition, isolation: String = "read_committed") async throws
    -> [Record]
{
    let consumer = try Consumer(
        settings: settings(
            servers,
            [
                "group.id": unique("reader"), "isolation.level": isolation,
                "fetch.message.max.bytes": "20000000",
            ]),
        maximumBatch: 500)
    try await consumer.assign([(partition, offset: .beginning)])
    let all: [Consumer.Event] = await events(of: consumer) { !ends(in: $0).isEmpty }
    _ = await consumer.close(deadline: .seconds(60))
    return records(in: all)
}
