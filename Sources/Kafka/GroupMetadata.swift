internal import CRDKafka

/// A consumer's membership of its group at one moment: what a transaction shows to the broker as proof that the process
/// still owns the partitions whose offsets it sends.
package struct GroupMetadata: Sendable, Hashable {
    package let memberID: String
    package let generation: Int32
    /// librdkafka's own serialized form ("CGMDv2:", see `rdkafka_cgrp.c`), from which the C object is made again.
    package let bytes: [UInt8]

    /// Refuses what has no generation or no member: a broker takes such metadata without checking anything.
    package init(bytes: [UInt8]) throws(KafkaError) {
        let magic = Array("CGMDv2:".utf8)
        guard bytes.starts(with: magic), bytes.count > magic.count + 4 else {
            throw KafkaError(
                .badMessage, "librdkafka \(LibraryVersion.string) writes group metadata in a form that is not known")
        }
        let rest = bytes.dropFirst(magic.count)
        generation = rest.prefix(4).withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
        let names = rest.dropFirst(4).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard names.count == 3 else {
            throw KafkaError(.badMessage, "the group metadata ends early")
        }
        memberID = String(decoding: names[1], as: UTF8.self)
        self.bytes = bytes
        guard generation >= 0, !memberID.isEmpty else {
            throw KafkaError(.unknownMember, "the consumer is no member of its group at this moment")
        }
    }

    /// The metadata of a consumer now.
    init(of consumer: OpaquePointer) throws(KafkaError) {
        guard let metadata = rd_kafka_consumer_group_metadata(consumer) else {
            throw KafkaError(.unknownGroup, "the consumer has no group")
        }
        defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
        var buffer: UnsafeMutableRawPointer?
        var size = 0
        if let error = KafkaError.take(rd_kafka_consumer_group_metadata_write(metadata, &buffer, &size)) { throw error }
        defer { rd_kafka_mem_free(consumer, buffer) }
        try self.init(bytes: Array(UnsafeRawBufferPointer(start: buffer, count: size)))
    }

    /// Calls `body` with the C object, which lives as long as the call.
    func withNative<T>(_ body: (OpaquePointer) throws(KafkaError) -> T) throws(KafkaError) -> T {
        var metadata: OpaquePointer?
        let error = bytes.withUnsafeBytes {
            KafkaError.take(rd_kafka_consumer_group_metadata_read(&metadata, $0.baseAddress, $0.count))
        }
        if let error { throw error }
        guard let metadata else { throw KafkaError(.badMessage, "the group metadata cannot be read") }
        defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
        return try body(metadata)
    }
}
