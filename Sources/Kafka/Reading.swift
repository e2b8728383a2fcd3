internal import CRDKafka
internal import Records

/// Copies bytes that C owns; a null pointer is nil, also where the size is 0.
func bytes(_ pointer: UnsafeRawPointer?, _ size: Int) -> [UInt8]? {
    guard let pointer else { return nil }
    return Array(UnsafeRawBufferPointer(start: pointer, count: size))
}

extension Record {
    /// Copies a message that C owns.
    init(_ message: UnsafePointer<rd_kafka_message_t>, topic: String) {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(message, &kind)
        self.init(
            topic: topic, partition: message.pointee.partition, offset: message.pointee.offset,
            timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp < 0 ? nil : timestamp,
            key: bytes(message.pointee.key, message.pointee.key_len),
            value: bytes(message.pointee.payload, message.pointee.len),
            headers: Self.headers(of: message))
    }

    /// librdkafka hands header names out as C text: a name ends at its first NUL.
    private static func headers(of message: UnsafePointer<rd_kafka_message_t>) -> [Header] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        var headers: [Header] = []
        headers.reserveCapacity(rd_kafka_header_cnt(list))
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = name.map { Array(UnsafeRawBufferPointer(start: $0, count: stringLength($0))) } ?? []
            headers.append(Header(name: text, value: bytes(value, size)))
        }
        return headers
    }

    private static func stringLength(_ text: UnsafePointer<CChar>) -> Int {
        var length = 0
        while text[length] != 0 { length += 1 }
        return length
    }

    /// About what the record holds in memory.
    var size: Int {
        let fixed = 160 + (key?.count ?? 0) + (value?.count ?? 0)
        return headers.reduce(fixed) { $0 + 64 + $1.name.count + ($1.value?.count ?? 0) }
    }
}
