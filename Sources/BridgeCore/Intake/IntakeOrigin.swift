package import Records

/// Where a record of the intake topic stood in the source: what the mover adds to it as headers, and the decoder reads.
package struct IntakeOrigin: Sendable, Hashable {
    package var topic: String
    package var partition: Int32
    package var offset: Int64
    /// Milliseconds since 1970; nil where the source's record had none.
    package var timestamp: Int64?
    /// What the intake topic would not take for its size; nil: nothing is missing.
    package var omitted: OmittedContent?

    package init(of record: Record) {
        topic = record.topic
        partition = record.partition
        offset = record.offset
        timestamp = record.timestamp
    }

    /// Begins the names of all headers that the mover adds. It drops such headers of a producer.
    package static let prefix = "campaign-bridge-intake-"

    package var headers: [Header] {
        var headers = [
            Header(Self.prefix + "topic", topic), Header(Self.prefix + "partition", String(partition)),
            Header(Self.prefix + "offset", String(offset)),
        ]
        if let timestamp { headers.append(Header(Self.prefix + "timestamp", String(timestamp))) }
        if let omitted {
            headers.append(Header(Self.prefix + "omitted", String(omitted.valueBytes)))
            headers.append(Header(Self.prefix + "value-hash", omitted.valueHash))
            headers.append(Header(Self.prefix + "header-count", String(omitted.headers)))
        }
        return headers
    }

    /// nil: the record was not written by a mover.
    init?(inHeadersOf record: Record) {
        func text(_ name: String) -> String? { record.text(header: Self.prefix + name) }
        guard let topic = text("topic"), let partition = text("partition").flatMap(Int32.init),
            let offset = text("offset").flatMap(Int64.init)
        else { return nil }
        self.topic = topic
        self.partition = partition
        self.offset = offset
        timestamp = text("timestamp").flatMap(Int64.init)
        if let bytes = text("omitted").flatMap(Int.init), let count = text("header-count").flatMap(Int.init) {
            omitted = OmittedContent(valueBytes: bytes, valueHash: text("value-hash") ?? "", headers: count)
        }
    }

    static func isAdded(_ header: Header) -> Bool { header.name.starts(with: prefix.utf8) }
}

/// What is known of a value and headers that were left behind in the source.
package struct OmittedContent: Sendable, Hashable {
    package var valueBytes: Int
    /// As a dead letter names it.
    package var valueHash: String
    package var headers: Int
}

extension RequestDecoder {
    /// A record of the intake topic, as it was in the source: place, time and headers are the original ones, and only
    /// `partition` and `offset` of the result are the intake's.
    func decodeMoved(_ record: Record) -> DecodedRecord {
        guard let origin = IntakeOrigin(inHeadersOf: record) else {
            return DecodedRecord(
                record: record, identity: .position(of: record),
                content: .failure(
                    RecordFault(
                        .invalidData, "the record has no original place: something else wrote it to the intake topic")))
        }
        var original = record
        original.topic = origin.topic
        original.partition = origin.partition
        original.offset = origin.offset
        original.timestamp = origin.timestamp
        original.headers = record.headers.filter { !IntakeOrigin.isAdded($0) }
        var decoded: DecodedRecord
        if let omitted = origin.omitted {
            decoded = DecodedRecord(
                record: original, identity: .position(of: origin, valueHash: omitted.valueHash),
                content: .failure(RecordFault(.invalidJSON, "the record is too large for the intake topic")))
            decoded.omitted = omitted
        } else {
            decoded = decodeOriginal(original)
        }
        decoded.partition = record.partition
        decoded.offset = record.offset
        return decoded
    }
}
