internal import CRDKafka
package import Records

/// A revoke that the group still waits for.
struct HeldRevoke {
    var number: Int
    var partitions: [TopicPartition]
    var isCooperative: Bool
}

extension Consumer {
    /// Answers a held revoke: the partitions are given up. Nothing happens where it was overtaken by a later rebalance:
    /// a late answer would empty the new assignment.
    package func finishRevoke(_ number: Int) {
        guard let held = heldRevoke, held.number == number, let client else { return }
        heldRevoke = nil
        unassign(held.partitions, isCooperative: held.isCooperative, client.pointer)
    }

    /// A rebalance event. Each has a number; each ends a held revoke of a lower number.
    func rebalance(_ event: OpaquePointer, _ client: OpaquePointer) {
        guard let list = rd_kafka_event_topic_partition_list(event) else { return }
        let named = PartitionList.elements(of: list).map(\.partition)
        let isCooperative = rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
        let overtaken = heldRevoke
        heldRevoke = nil
        rebalances += 1
        if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            assigned(named, isCooperative: isCooperative, overtaken: overtaken, client)
        } else {
            // A revoke that comes while one is held takes it over: its partitions are still to be given up.
            let still = Set(assignment)
            let held = (overtaken?.partitions ?? []).filter { still.contains($0) && !named.contains($0) }
            revoked(named + held, isCooperative: isCooperative, client)
        }
    }

    private func assigned(
        _ named: [TopicPartition], isCooperative: Bool, overtaken: HeldRevoke?, _ client: OpaquePointer
    ) {
        var new = named
        if isCooperative {
            // A revoke that was overtaken by an assign was taken back: had the group still wanted it, its revoke would
            // have come again first. What it named is ours anew.
            let still = Set(assignment)
            new += (overtaken?.partitions ?? []).filter { still.contains($0) && !named.contains($0) }
            standStill(new, client)
            let added = PartitionList(named.filter { !still.contains($0) }, offset: 0)
            if added.pointer.pointee.cnt > 0 || named.isEmpty {
                report(KafkaError.take(rd_kafka_incremental_assign(client, added.pointer)))
            }
        } else {
            partitions = [:]
            standStill(new, client)
            // Any offset that is no question to a broker; the partition stands still until `start` names the real one.
            let whole = PartitionList(named, offset: 0)
            report(KafkaError(rd_kafka_assign(client, whole.pointer)))
        }
        var metadata: GroupMetadata?
        do throws(KafkaError) {
            metadata = try GroupMetadata(of: client)
        } catch {
            mailbox.addReport(.error(error, nil))
        }
        mailbox.add(.assigned(number: rebalances, new, metadata))
    }

    private func revoked(_ named: [TopicPartition], isCooperative: Bool, _ client: OpaquePointer) {
        let isLost = rd_kafka_assignment_lost(client) != 0
        for partition in named { partitions[partition] = nil }
        mailbox.remove(Set(named))
        mailbox.add(.revoked(number: rebalances, named, lost: isLost))
        if isLost || isClosing {
            unassign(named, isCooperative: isCooperative, client)
        } else {
            heldRevoke = HeldRevoke(number: rebalances, partitions: named, isCooperative: isCooperative)
        }
    }

    /// Gives partitions up, in the form of the group's protocol.
    func unassign(_ named: [TopicPartition], isCooperative: Bool, _ client: OpaquePointer) {
        if isCooperative {
            let list = PartitionList(named)
            report(KafkaError.take(rd_kafka_incremental_unassign(client, list.pointer)))
        } else {
            report(KafkaError(rd_kafka_assign(client, nil)))
        }
    }

    /// Makes new partitions ready and pauses them, before they are assigned.
    private func standStill(_ new: [TopicPartition], _ client: OpaquePointer) {
        mailbox.remove(Set(new))
        for partition in new {
            partitions[partition] = Progress()
            forward(partition, client)
        }
        let list = PartitionList(new)
        report(KafkaError(rd_kafka_pause_partitions(client, list.pointer)))
    }

    /// Leads a partition's records into the queue of records. This also makes the library know the partition, so that
    /// it can be paused before it is assigned.
    private func forward(_ partition: TopicPartition, _ client: OpaquePointer) {
        guard let queue = rd_kafka_queue_get_partition(client, partition.topic, partition.partition) else { return }
        rd_kafka_queue_forward(queue, recordQueue)
        rd_kafka_queue_destroy(queue)
    }

    private func report(_ error: KafkaError?) {
        guard let error else { return }
        if error.isFatal {
            mailbox.add(.fatal(error))
        } else {
            mailbox.addReport(.error(error, nil))
        }
    }

    /// Reads exactly these partitions, without a group. Those that are read already go on where they are, whatever
    /// offset is named; the others begin at theirs.
    ///
    /// - Throws: where the library refuses a partition; what was named before it stays.
    package func assign(_ wanted: [(TopicPartition, offset: Offset)], number: Int = 0) throws {
        let client = try open()
        let names = Set(wanted.map(\.0))
        let gone = partitions.keys.filter { !names.contains($0) }
        if !gone.isEmpty {
            for partition in gone { partitions[partition] = nil }
            mailbox.remove(Set(gone))
            if let error = Self.unassign(gone, client) { throw error }
        }
        mailbox.add(.assignedManually(number: number))
        let new = wanted.filter { partitions[$0.0] == nil }
        guard !new.isEmpty else { return }
        for (partition, _) in new {
            partitions[partition] = Progress(from: 0)
            forward(partition, client)
        }
        // A partition that was paused when it was last given up would still be.
        if let error = Self.resume(new.map(\.0), client) { throw error }
        if let error = Self.add(new.map { ($0.0, offset: $0.offset.native) }, client) { throw error }
    }

    // One list in each function: the optimizer of Swift 6.0.3 ends with an assertion on several in one.
    private static func unassign(_ partitions: [TopicPartition], _ client: OpaquePointer) -> KafkaError? {
        let list = PartitionList(partitions)
        return KafkaError.take(rd_kafka_incremental_unassign(client, list.pointer))
    }

    private static func resume(_ partitions: [TopicPartition], _ client: OpaquePointer) -> KafkaError? {
        let list = PartitionList(partitions)
        return KafkaError(rd_kafka_resume_partitions(client, list.pointer))
    }

    private static func add(
        _ partitions: [(TopicPartition, offset: Int64)], _ client: OpaquePointer
    ) -> KafkaError? {
        let list = PartitionList(partitions)
        return KafkaError.take(rd_kafka_incremental_assign(client, list.pointer))
    }
}
