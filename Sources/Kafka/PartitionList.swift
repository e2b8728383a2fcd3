internal import CRDKafka
internal import Records

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// An offset of a group, with the text that was committed beside it; "" where there was none.
package struct GroupOffset: Sendable, Hashable {
    package var offset: Int64
    package var metadata: String

    package init(_ offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

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
        pointer = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for (partition, offset) in partitions {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
        }
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

    /// What a list that was asked for holds; nil: nothing is committed.
    var committed: [(partition: TopicPartition, GroupOffset?, error: KafkaError?)] {
        let elements = self.elements
        return elements.indices.map { index in
            let raw = pointer.pointee.elems[index]
            var text = ""
            if let metadata = raw.metadata, raw.metadata_size > 0 {
                let bytes = UnsafeRawBufferPointer(start: metadata, count: raw.metadata_size)
                text = String(decoding: bytes, as: UTF8.self)
            }
            let (partition, offset, error) = elements[index]
            return (partition, offset < 0 ? nil : GroupOffset(offset, metadata: text), error)
        }
    }

    var elements: [(partition: TopicPartition, offset: Int64, error: KafkaError?)] {
        Self.elements(of: pointer)
    }

    /// The first error of a single partition.
    var error: KafkaError? { elements.lazy.compactMap(\.error).first }

    /// Reads a list that C still owns.
    static func elements(
        of list: UnsafePointer<rd_kafka_topic_partition_list_t>
    ) -> [(partition: TopicPartition, offset: Int64, error: KafkaError?)] {
        (0..<Int(list.pointee.cnt)).map { index in
            let element = list.pointee.elems[index]
            let partition = TopicPartition(String(cString: element.topic), element.partition)
            return (
                partition, element.offset, KafkaError(element.err).map { KafkaError($0, about: partition) }
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
