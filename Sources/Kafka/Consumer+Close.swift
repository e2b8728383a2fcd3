internal import CRDKafka

extension Consumer {
    /// Leaves the group and ends the client, without waiting for a held revoke. Events that come meanwhile can still be
    /// taken; then `events` gives nothing more.
    ///
    /// - Parameter deadline: the caller waits no longer, whatever the library does.
    /// - Returns: false where the deadline passed. The thread then goes on alone, and may be stuck: do not let it decide
    ///   when the process exits.
    package nonisolated func close(deadline: Duration) async -> Bool {
        await bounded(by: deadline, late: { false }) { await self.closeOnThread(deadline: deadline) }
    }

    private func closeOnThread(deadline: Duration) -> Bool {
        guard let client, !isClosing else { return self.client == nil }
        isClosing = true
        thread.stopTurns()
        let end = ContinuousClock.now.advanced(by: deadline)
        if let held = heldRevoke {
            heldRevoke = nil
            unassign(held.partitions, isCooperative: held.isCooperative, client.pointer)
        }
        let left = leave(client, until: end)
        mailbox.close()
        rd_kafka_queue_cb_event_enable(recordQueue, nil, nil)
        waker.close()
        partitions = [:]
        rd_kafka_queue_destroy(recordQueue)
        rd_kafka_queue_destroy(mainQueue)
        client.destroy()
        self.client = nil
        return left
    }

    /// Answers what the group asks until it has let the member go. A consumer with a fatal error cannot leave.
    private func leave(_ client: NativeClient, until end: ContinuousClock.Instant) -> Bool {
        let queue: OpaquePointer = rd_kafka_queue_new(client.pointer)
        var isGone = true
        if let error = KafkaError.take(rd_kafka_consumer_close_queue(client.pointer, queue)) {
            isGone = error.isFatal
        } else {
            while isGone && rd_kafka_consumer_closed(client.pointer) == 0 {
                serve(queue, client, timeout: 20)
                isGone = ContinuousClock.now < end
            }
        }
        // No defer in this target's actors: the compiler of Swift 6.0.3 ends with an assertion on it.
        rd_kafka_queue_destroy(queue)
        return isGone
    }
}
