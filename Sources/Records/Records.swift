// What flows between the Kafka client and the bridge's core: plain values, no behaviour.

/// One partition of one topic.
package struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package var description: String { "\(topic)[\(partition)]" }
}

/// A record header. Names and values are bytes: Kafka does not promise text, repeated names are legal, and a null
/// value differs from an empty one.
package struct Header: Hashable, Sendable {
    package var name: [UInt8]
    package var value: [UInt8]?

    package init(name: [UInt8], value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) {
        self.init(name: Array(name.utf8), value: Array(value.utf8))
    }
}

/// A record as it was read from a topic. A null key or value differs from an empty one.
package struct Record: Hashable, Sendable {
    package var topic: String
    package var partition: Int32
    package var offset: Int64
    /// Milliseconds since 1970, or nil where the broker gave none.
    package var timestamp: Int64?
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header]

    package init(
        topic: String, partition: Int32, offset: Int64, timestamp: Int64?,
        key: [UInt8]?, value: [UInt8]?, headers: [Header] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// A record to be written. Its time stamp is always the time of writing.
package struct OutgoingRecord: Hashable, Sendable {
    package var topic: String
    /// nil: the partition follows from the key, as Java clients compute it (murmur2).
    package var partition: Int32?
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header]

    package init(topic: String, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?, headers: [Header] = []) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
    }

    /// Of key, value and headers.
    package var bytes: Int {
        headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.count + ($1.value?.count ?? 0) }
    }
}

extension [Record] {
    /// The records in their order, cut where topic or partition changes.
    package var runs: [ArraySlice<Record>] {
        var runs: [ArraySlice<Record>] = []
        var start = startIndex
        while start < endIndex {
            let first = self[start]
            let end =
                self[start...].firstIndex { $0.partition != first.partition || $0.topic != first.topic } ?? endIndex
            runs.append(self[start..<end])
            start = end
        }
        return runs
    }
}
