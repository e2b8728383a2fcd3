internal import BridgeCore
internal import Configuration
internal import Kafka
internal import Telemetry

/// A transactional producer and what comes after each of its transactions: a wait, or a new producer. Used by one task.
struct TransactionDriver {
    enum Next {
        case same
        /// A new producer has taken over from the one whose transaction was lost.
        case renewed
        /// nil: cancelled.
        case end(ServiceEnd?)
    }

    private(set) var producer: TransactionalProducer
    private let patience: BrokerPatience
    private let transactionalID: String
    private let properties: ClientSettings
    private let kind: String
    private var losses = 0
    private var fences = Fences()

    private static let mostLosses = 5

    private init(
        producer: TransactionalProducer, transactionalID: String, properties: ClientSettings, kind: String,
        patience: BrokerPatience
    ) {
        self.producer = producer
        self.transactionalID = transactionalID
        self.properties = properties
        self.kind = kind
        self.patience = patience
    }

    /// Begins with a first producer. nil: cancelled.
    ///
    /// - Parameter kind: what an outage is called in the log.
    static func begin(
        _ transactionalID: String, properties: ClientSettings, kind: String, patience: BrokerPatience
    ) async -> TransactionDriver? {
        async let areTaken: Void = patience.topicsTakeRecords()
        guard let first = await producer(transactionalID, properties, kind, patience) else { return nil }
        await areTaken
        return TransactionDriver(
            producer: first, transactionalID: transactionalID, properties: properties, kind: kind, patience: patience)
    }

    /// To be called when the machine knows the end of a transaction.
    mutating func goOn(after result: TransactionalProducer.Result) async -> Next {
        switch result {
        case .committed:
            losses = 0
            patience.outages.recovered(kind)
        case .aborted(let error, let culprits):
            guard let error else { break }
            patience.outages.failed(kind, [.error: .error(error)])
            if culprits.isEmpty { await patience.pause(.milliseconds(200)) }
            if [.topicAuthorizationFailed, .unknownTopicOrPartition, .unknownTopic].contains(error.code) {
                await patience.topicsTakeRecords()
            }
        case .lost(let error):
            losses += 1
            patience.logger.warning(
                "a transaction's outcome is not known: everything is taken over anew",
                [.error: .error(error), .detail: .string(transactionalID)])
            if error.code == .fenced, fences.areByAnother(at: .now) {
                let text =
                    "another process has the transactional id \(transactionalID): give every replica its own replica.name"
                return .end(.joinAnew(text, isFence: true))
            }
            if losses > Self.mostLosses {
                return .end(.failed("\(losses) transactions in a row were lost: \(error)"))
            }
            _ = await producer.close(deadline: .seconds(5))
            guard let next = await Self.producer(transactionalID, properties, kind, patience) else { return .end(nil) }
            producer = next
            await patience.topicsTakeRecords()
            return .renewed
        }
        return .same
    }

    /// A producer that has taken the transactional id; asks until the broker lets it. nil: cancelled.
    private static func producer(
        _ transactionalID: String, _ properties: ClientSettings, _ kind: String, _ patience: BrokerPatience
    ) async -> TransactionalProducer? {
        let (settings, outages) = (patience.settings, patience.outages)
        let log = KafkaLog(logger: patience.logger, outages: outages)
        let right = Right.writeTransactionalIDs(settings.group.id)
        while !Task.isCancelled {
            do {
                let producer = try TransactionalProducer(
                    settings: properties, transactionalID: transactionalID, topics: settings.writtenTopics,
                    timeouts: .init(
                        operation: settings.kafka.operationTimeout, transaction: settings.transactions.timeout,
                        watchdogMargin: settings.transactions.watchdogMargin)
                ) { log.take($0) }
                do {
                    try await producer.initialize()
                    outages.recovered(kind + "-producer")
                    patience.denials.granted(right)
                    return producer
                } catch {
                    _ = await producer.close(deadline: .seconds(5))
                    patience.denials.met(error, right)
                    throw error
                }
            } catch {
                outages.failed(kind + "-producer", [.error: .error(error)])
                await patience.pause(.milliseconds(500))
            }
        }
        return nil
    }
}

/// When a client of this replica was fenced. Once or twice it may be by this replica's own requests from before an outage, or by the
/// coordinator after a time-out; again and again it is by another process of the same name.
package struct Fences {
    private static let most = 2
    private static let window: Duration = .seconds(120)
    private var times: [ContinuousClock.Instant] = []

    package init() {}

    /// Counts one more. Whether another process must have the name.
    package mutating func areByAnother(at now: ContinuousClock.Instant) -> Bool {
        times = times.filter { now - $0 < Self.window } + [now]
        return times.count > Self.most
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
