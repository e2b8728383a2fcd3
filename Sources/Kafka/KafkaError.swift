internal import CRDKafka

/// A failure that librdkafka or a broker reported.
///
/// The text never holds a record's bytes or a secret. Facts: `rdkafka.h`, "Error handling".
package struct KafkaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong: a broker's error code (positive) or one of the library's own (negative).
    package struct Code: Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
    }

    package let code: Code
    /// For people: what happened and, where it is known, what to do.
    package let message: String
    /// The client cannot be used any more; make a new one.
    package let isFatal: Bool
    /// The same call may succeed when it is made again.
    package let isRetriable: Bool
    /// The transaction must be aborted; the next one may succeed.
    package let isAbortable: Bool

    /// - Parameters:
    ///   - code: the cause; its own text is used where `message` is nil.
    ///   - message: what happened and what to do, without secrets and record bytes.
    package init(
        _ code: Code, _ message: String? = nil, isFatal: Bool = false, isRetriable: Bool = false,
        isAbortable: Bool = false
    ) {
        self.code = code
        self.message = message ?? String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(code.rawValue)))
        self.isFatal = isFatal
        self.isRetriable = isRetriable
        self.isAbortable = isAbortable
    }

    /// The code's name, such as `_TIMED_OUT` or `ILLEGAL_GENERATION`: one of a few hundred, so it may label a metric.
    package var label: String { code.label }

    package var description: String { "\(label): \(message)" }

    /// Whether rights are missing, whatever for.
    package var isAuthorization: Bool {
        [
            .topicAuthorizationFailed, .groupAuthorizationFailed, .clusterAuthorizationFailed,
            .transactionalIDAuthorizationFailed,
        ].contains(code)
    }
}

extension KafkaError {
    /// Turns a C error into a value and frees it. nil stays nil: no error.
    static func take(_ error: OpaquePointer?) -> KafkaError? {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        return KafkaError(
            Code(rawValue: rd_kafka_error_code(error).rawValue),
            String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0,
            isAbortable: rd_kafka_error_txn_requires_abort(error) != 0)
    }

    /// nil for success.
    init?(_ error: rd_kafka_resp_err_t, _ message: String? = nil) {
        guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        let code = Code(rawValue: error.rawValue)
        self.init(code, message, isFatal: code == .fatal, isRetriable: code.isUsuallyRetriable)
    }

    /// The error that made the client unusable, or nil. The error events of the library do not tell it themselves.
    static func fatal(of client: OpaquePointer) -> KafkaError? {
        var text = [CChar](repeating: 0, count: 512)
        let error = rd_kafka_fatal_error(client, &text, text.count)
        guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(Code(rawValue: error.rawValue), Self.text(text), isFatal: true)
    }

    /// The text in a buffer that C wrote, up to its NUL.
    static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension KafkaError.Code {
    package var label: String {
        String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue)))
    }

    /// For answers that carry a bare code: the calls that librdkafka itself would repeat.
    var isUsuallyRetriable: Bool {
        switch self {
        case .timedOut, .timedOutInQueue, .transport, .allBrokersDown, .waitCoordinator, .requestTimedOut,
            .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator, .notLeader, .leaderNotAvailable,
            .rebalanceInProgress, .unstableOffsetCommit, .concurrentTransactions, .notController, .queueFull,
            .notEnoughReplicas, .notEnoughReplicasAfterAppend:
            true
        default: false
        }
    }

    private init(_ code: rd_kafka_resp_err_t) { self.init(rawValue: code.rawValue) }

    package static let timedOut = Self(RD_KAFKA_RESP_ERR__TIMED_OUT)
    package static let timedOutInQueue = Self(RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE)
    package static let messageTimedOut = Self(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    package static let transport = Self(RD_KAFKA_RESP_ERR__TRANSPORT)
    package static let allBrokersDown = Self(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    package static let resolve = Self(RD_KAFKA_RESP_ERR__RESOLVE)
    package static let authentication = Self(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    package static let ssl = Self(RD_KAFKA_RESP_ERR__SSL)
    package static let waitCoordinator = Self(RD_KAFKA_RESP_ERR__WAIT_COORD)
    package static let queueFull = Self(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    package static let purgedInQueue = Self(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    package static let purgedInFlight = Self(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    package static let fatal = Self(RD_KAFKA_RESP_ERR__FATAL)
    package static let fenced = Self(RD_KAFKA_RESP_ERR__FENCED)
    package static let conflict = Self(RD_KAFKA_RESP_ERR__CONFLICT)
    package static let state = Self(RD_KAFKA_RESP_ERR__STATE)
    package static let previousInProgress = Self(RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS)
    package static let invalidArgument = Self(RD_KAFKA_RESP_ERR__INVALID_ARG)
    package static let failed = Self(RD_KAFKA_RESP_ERR__FAIL)
    package static let destroyed = Self(RD_KAFKA_RESP_ERR__DESTROY)
    package static let badMessage = Self(RD_KAFKA_RESP_ERR__BAD_MSG)
    package static let partitionEnd = Self(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    package static let unknownPartition = Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    package static let unknownTopic = Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    package static let unknownGroup = Self(RD_KAFKA_RESP_ERR__UNKNOWN_GROUP)
    package static let autoOffsetReset = Self(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    package static let maximumPollExceeded = Self(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
    package static let assignmentLost = Self(RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST)
    package static let offsetOutOfRange = Self(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    package static let unknownTopicOrPartition = Self(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    package static let notLeader = Self(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
    package static let leaderNotAvailable = Self(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    package static let requestTimedOut = Self(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
    package static let messageTooLarge = Self(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    package static let recordListTooLarge = Self(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
    package static let notEnoughReplicas = Self(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
    package static let notEnoughReplicasAfterAppend = Self(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    package static let coordinatorLoadInProgress = Self(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
    package static let coordinatorNotAvailable = Self(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    package static let notCoordinator = Self(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    package static let notController = Self(RD_KAFKA_RESP_ERR_NOT_CONTROLLER)
    package static let illegalGeneration = Self(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    package static let unknownMember = Self(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    package static let fencedInstanceID = Self(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    package static let rebalanceInProgress = Self(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
    package static let unstableOffsetCommit = Self(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
    package static let concurrentTransactions = Self(RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
    package static let invalidProducerIDMapping = Self(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING)
    package static let invalidRequiredAcks = Self(RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS)
    package static let topicAlreadyExists = Self(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    package static let topicAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    package static let groupAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    package static let clusterAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
    package static let transactionalIDAuthorizationFailed = Self(
        RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
}
