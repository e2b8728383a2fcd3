internal import Configuration
internal import Kafka

/// How a service ended.
package enum ServiceEnd: Sendable, Equatable {
    /// Everything that was under way is written.
    case drained
    /// The drain's deadline passed; what is left is decided by the ledger at the next take-over.
    case drainDeadline
    /// Another process has our identity in the group or our transactional id.
    case twin(String)
    /// The Kafka clients of this service cannot go on; a new service in the same process can. The text says why. A fence
    /// after an outage is most likely by this replica's own requests from before it; a second one soon is by a twin.
    case joinAnew(String, isFence: Bool = false)
    /// Going on would help nothing; the text says why.
    case failed(String)
}

extension ServiceEnd {
    /// Nothing of such an assignment could ever be committed.
    static let assignmentWithoutGroup =
        ServiceEnd.joinAnew("the Kafka library gave an assignment without its generation")

    /// What the end of a group's consumer means. A fence by this replica's own requests from before a broker stood still
    /// looks like one by a twin (seen after standstills of 12 and 40 s): only its coming again tells.
    static func ended(by error: KafkaError, of settings: BridgeSettings) -> ServiceEnd {
        guard error.code == .fencedInstanceID else { return .failed("the group's consumer cannot go on: \(error)") }
        let name = settings.groupInstanceId ?? ""
        return .joinAnew("another process has the name \(name): give every replica its own replica.name", isFence: true)
    }
}
