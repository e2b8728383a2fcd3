internal import CRDKafka
internal import Records

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Owns a C list of partitions.
struct PartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Takes over a list that C made.
    init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
        self.pointer = pointer
    }

    init(_ partitions: some Collection<TopicPartition>, offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID)) {
        self.init(partitions.map { ($0, offset: offset) })
    }

    init(_ partitions: [(TopicPartition, offset: Int64)]) {
        self.init(partitions.map { ($0, GroupOffset($1)) })
    }

    init(_ partitions: [(TopicPartition, GroupOffset)]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for (partition, committed) in partitions {
            let element = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition)!
            element.pointee.offset = committed.offset
            guard !committed.metadata.isEmpty else { continue }
            // The list frees it.
            element.pointee.metadata = UnsafeMutableRawPointer(strdup(committed.metadata))
            element.pointee.metadata_size = committed.metadata.utf8.count
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    var elements: [(partition: TopicPartition, offset: Int64, metadata: String, error: KafkaError?)] {
        Self.elements(of: pointer)
    }

    /// The first error of a single partition.
    var error: KafkaError? { elements.lazy.compactMap(\.error).first }

    /// Reads a list that C still owns.
    static func elements(
        of list: UnsafePointer<rd_kafka_topic_partition_list_t>
    ) -> [(partition: TopicPartition, offset: Int64, metadata: String, error: KafkaError?)] {
        (0..<Int(list.pointee.cnt)).map { index in
            let element = list.pointee.elems[index]
            let partition = TopicPartition(String(cString: element.topic), element.partition)
            let metadata = UnsafeRawBufferPointer(
                start: element.metadata, count: element.metadata == nil ? 0 : element.metadata_size)
            return (
                partition, element.offset, String(decoding: metadata, as: UTF8.self),
                KafkaError(element.err).map { KafkaError($0, about: partition) }
            )
        }
    }
}

extension KafkaError {
    init(_ error: KafkaError, about partition: TopicPartition) {
        self.init(
            error.code, "\(partition): \(error.message)", isFatal: error.isFatal, isRetriable: error.isRetriable,
            isAbortable: error.isAbortable)
    }
}
