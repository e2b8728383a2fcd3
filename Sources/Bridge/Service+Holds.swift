internal import BridgeCore
internal import Kafka
internal import Records
internal import Telemetry

// The driver of this replica's own records in the control topic.

extension BridgeService {
    /// Confirms the holds. A confirmation that cannot be written leaves the replica without the right to begin calls.
    func leaseLoop() async {
        for await lease in engine.leases {
            let error = await plain.send([record(lease.replica, value: lease.replica.value(at: lease.at))])[0]
            if let error {
                outages.failed("kafka-control", [.error: .error(error), .topic: .string(settings.topics.control)])
                denials.met(error, .write(topic: settings.topics.control))
            } else {
                outages.recovered("kafka-control")
                denials.granted(.write(topic: settings.topics.control))
            }
            await engine.leaseWritten(error == nil)
        }
    }

    /// Nobody waits for this replica any more. Where it cannot be said, the lease ends by itself.
    func endLease() async {
        let owner = await engine.owner
        let error = await plain.send([record(ControlBoard.Replica(owner: owner, until: 0, seen: 0), value: nil)])[0]
        if let error { logger.debug("the end of the lease could not be written", [.error: .error(error)]) }
    }

    private func record(_ replica: ControlBoard.Replica, value: [UInt8]?) -> OutgoingRecord {
        OutgoingRecord(topic: settings.topics.control, partition: 0, key: replica.key, value: value)
    }
}
