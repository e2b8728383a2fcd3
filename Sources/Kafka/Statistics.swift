/// A part of librdkafka's statistics (`statistics.interval.ms`). Facts: librdkafka's STATISTICS.md.
package struct Statistics: Sendable, Hashable {
    package struct Broker: Sendable, Hashable {
        package var node: Int64
        /// Such as INIT, DOWN, UP.
        package var state: String
        /// Round-trip time in microseconds: mean and 99th percentile of the interval.
        package var roundTripMean: Int64
        package var roundTrip99: Int64
        /// Counted since the client was made.
        package var connects: Int64
        package var requestTimeouts: Int64
        package var sendErrors: Int64
        package var receiveErrors: Int64
    }

    package struct Partition: Sendable, Hashable {
        package var topic: String
        package var partition: Int32
        package var lowOffset: Int64?
        /// The end as a `read_uncommitted` client sees it.
        package var highOffset: Int64?
        package var lastStableOffset: Int64?
        package var storedOffset: Int64?
        package var committedOffset: Int64?
        /// What is fetched and not yet taken: records and bytes.
        package var queuedRecords: Int64
        package var queuedBytes: Int64
    }

    /// True where the text could not be read: then the rest is empty. Count it.
    package var isUnreadable = false
    package var brokers: [Broker] = []
    /// Whether any broker is there.
    package var reachesABroker: Bool { brokers.contains { $0.state == "UP" } }
    package var partitions: [Partition] = []
    /// Records in the producer's queues, and their bytes.
    package var queuedRecords: Int64 = 0
    package var queuedBytes: Int64 = 0
    /// Counted since the client was made.
    package var sentRecords: Int64 = 0
    package var sentBytes: Int64 = 0
    package var receivedRecords: Int64 = 0
    package var receivedBytes: Int64 = 0
    /// The state of the consumer in its group and the number of rebalances; nil for other clients.
    package var groupState: String?
    package var rebalances: Int64?

    init() {}

    init(text: UnsafePointer<CChar>) {
        let root = UnsafeBufferPointer(start: text, count: Self.length(text)).withMemoryRebound(to: UInt8.self) {
            StatisticsReader.read($0)
        }
        guard let root else {
            self.init()
            isUnreadable = true
            return
        }
        self.init(root)
    }

    init(_ root: StatisticsReader.Value) {
        queuedRecords = root["msg_cnt"].number ?? 0
        queuedBytes = root["msg_size"].number ?? 0
        sentRecords = root["txmsgs"].number ?? 0
        sentBytes = root["txmsg_bytes"].number ?? 0
        receivedRecords = root["rxmsgs"].number ?? 0
        receivedBytes = root["rxmsg_bytes"].number ?? 0
        groupState = root["cgrp"]["join_state"].text
        rebalances = root["cgrp"]["rebalance_cnt"].number
        brokers = root["brokers"].members.map { _, broker in
            Broker(
                node: broker["nodeid"].number ?? -1, state: broker["state"].text ?? "",
                roundTripMean: broker["rtt"]["avg"].number ?? 0, roundTrip99: broker["rtt"]["p99"].number ?? 0,
                connects: broker["connects"].number ?? 0, requestTimeouts: broker["req_timeouts"].number ?? 0,
                sendErrors: broker["txerrs"].number ?? 0, receiveErrors: broker["rxerrs"].number ?? 0)
        }
        for (name, topic) in root["topics"].members {
            for (_, partition) in topic["partitions"].members {
                // Number -1 is the library's own waiting room for records without a partition.
                guard let number = partition["partition"].number, let number = Int32(exactly: number), number >= 0
                else { continue }
                partitions.append(
                    Partition(
                        topic: name, partition: number, lowOffset: partition["lo_offset"].offset,
                        highOffset: partition["hi_offset"].offset,
                        lastStableOffset: partition["ls_offset"].offset,
                        storedOffset: partition["stored_offset"].offset,
                        committedOffset: partition["committed_offset"].offset,
                        queuedRecords: partition["fetchq_cnt"].number ?? 0,
                        queuedBytes: partition["fetchq_size"].number ?? 0))
            }
        }
    }

    private static func length(_ text: UnsafePointer<CChar>) -> Int {
        var length = 0
        while text[length] != 0 { length += 1 }
        return length
    }
}
