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
        /// `end` was told why, or the task is cancelled.
        case over
    }

    private(set) var producer: TransactionalProducer
    private let patience: BrokerPatience
    private let transactionalID: String
    private let properties: ClientSettings
    private let kind: String
    private let end: @Sendable (ServiceEnd) -> Void
    private var losses: Losses
    private var fences = Fences()

    private init(
        producer: TransactionalProducer, losses: Losses, transactionalID: String, properties: ClientSettings,
        kind: String, patience: BrokerPatience, end: @escaping @Sendable (ServiceEnd) -> Void
    ) {
        self.producer = producer
        self.losses = losses
        self.transactionalID = transactionalID
        self.properties = properties
        self.kind = kind
        self.patience = patience
        self.end = end
    }

    /// Begins with a first producer. nil: `end` was told why, or the task is cancelled.
    ///
    /// - Parameters:
    ///   - kind: what an outage is called in the log.
    ///   - end: told why going on would help nothing.
    static func begin(
        _ transactionalID: String, properties: ClientSettings, kind: String, patience: BrokerPatience,
        end: @escaping @Sendable (ServiceEnd) -> Void
    ) async -> TransactionDriver? {
        async let areTaken: Void = patience.topicsTakeRecords()
        var losses = Losses()
        guard let first = await producer(transactionalID, properties, kind, patience, &losses, end) else { return nil }
        await areTaken
        return TransactionDriver(
            producer: first, losses: losses, transactionalID: transactionalID, properties: properties, kind: kind,
            patience: patience, end: end)
    }

    /// To be called when the machine knows the end of a transaction.
    mutating func goOn(after result: TransactionalProducer.Result) async -> Next {
        switch result {
        case .committed:
            losses = Losses()
            patience.outages.recovered(kind)
        case .aborted(let error, let culprits):
            guard let error else { break }
            patience.outages.failed(kind, [.error: .error(error)])
            if culprits.isEmpty { await patience.pause(.milliseconds(200)) }
            if [.topicAuthorizationFailed, .unknownTopicOrPartition, .unknownTopic].contains(error.code) {
                await patience.topicsTakeRecords()
            }
        case .lost(let error):
            patience.logger.warning(
                "a transaction's outcome is not known: everything is taken over anew",
                [.error: .error(error), .detail: .string(transactionalID)])
            if error.code == .fenced, fences.areByAnother(at: .now) {
                let text =
                    "another process has the transactional id \(transactionalID): give every replica its own replica.name"
                end(.joinAnew(text, isFence: true))
                return .over
            }
            if let why = losses.countOne(error) {
                end(why)
                return .over
            }
            _ = await producer.close(deadline: .seconds(5))
            guard let next = await Self.producer(transactionalID, properties, kind, patience, &losses, end) else {
                return .over
            }
            producer = next
            await patience.topicsTakeRecords()
            return .renewed
        }
        return .same
    }

    /// A producer that has taken the transactional id; asks until the broker lets it, or the library hangs too often. nil:
    /// as of `begin`.
    private static func producer(
        _ transactionalID: String, _ properties: ClientSettings, _ kind: String, _ patience: BrokerPatience,
        _ losses: inout Losses, _ end: @Sendable (ServiceEnd) -> Void
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
                    let isGone = await producer.close(deadline: .seconds(5))
                    if !isGone, let why = losses.countOne(error) {
                        end(why)
                        return nil
                    }
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

/// Producers in a row that were lost. One whose call into the library hangs is never destroyed, so each may keep its threads
/// and memory until the process ends: only so many.
struct Losses {
    private static let most = 5
    private var count = 0

    /// Counts one more. The end that it is, where it was one too many.
    mutating func countOne(_ error: KafkaError) -> ServiceEnd? {
        count += 1
        return count > Self.most ? .failed("\(count) transactional producers in a row were lost: \(error)") : nil
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
