internal import Configuration
internal import Kafka
internal import Synchronization
internal import Telemetry

/// The rights that the brokers deny, from when one is met as denied until it is seen to be there: for log and readiness.
final class Denials: Sendable {
    private let settings: BridgeSettings
    private let logger: Logger
    private let texts = Mutex<[Right: String]>([:])

    init(settings: BridgeSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Something needed the right and got an error; one that does not tell of rights is passed over.
    func met(_ error: KafkaError, _ right: Right) {
        guard error.isAuthorization else { return }
        set("the brokers deny \(right.text); to grant it: \(right.command(settings))", right)
    }

    /// A topic that has to be there is not.
    func missing(_ topic: String) {
        set("topic \(topic) does not exist: make it with `campaign-bridge topics --create`", .write(topic: topic))
    }

    private func set(_ text: String, _ right: Right) {
        let isNew = texts.withLock { texts in
            defer { texts[right] = text }
            return texts[right] != text
        }
        if isNew { logger.warning("a right or a topic is missing", [.detail: .string(text)]) }
    }

    /// The right was seen to be there.
    func granted(_ right: Right) {
        let wasDenied = texts.withLock { $0.isEmpty ? nil : $0.removeValue(forKey: right) } != nil
        if wasDenied { logger.info("what was missing is there", [.detail: .string(right.text)]) }
    }

    /// For people, with what to do.
    var reasons: [String] { texts.withLock { $0.values.sorted() } }
}
