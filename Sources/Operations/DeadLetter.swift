package import BridgeCore
package import Records

/// One dead letter as its headers tell it. Its value is not in it: lists and counts never hold one.
package struct DeadLetter: Sendable, Equatable {
    /// Where the request stood. With intake on this is the original place, not the moved one.
    package struct Source: Sendable, Equatable {
        package var topic: String
        package var partition: Int32
        package var offset: Int64
        /// The request's time, milliseconds since 1970.
        package var timestamp: Int64?
    }

    package var place: LetterPlace
    /// When it was written, milliseconds since 1970.
    package var time: Int64
    /// As the header says; a reason of a later version is kept as it is.
    package var reason: String
    package var category: String
    package var isSafeToReplay: Bool
    package var message = ""
    package var attempts = ""
    package var generation: Int32?
    /// Sixteen hexadecimal digits.
    package var nonce: String?
    package var requestID = ""
    package var identityKind = ""
    /// The ledger's key under which its entry stands.
    package var identityKey: [UInt8]?
    package var eventID = ""
    package var source: Source?
    package var version = ""
    /// What the dead letter leaves out of the request; nil: nothing.
    package var omitted: String?
    package var streamID: String?
    package var campaignID: String?
    /// The event's own expiry, milliseconds since 1970.
    package var expiresAt: Int64?

    /// From the headers alone, without what `readRequest` adds. nil: the record is no dead letter of the bridge.
    package init?(_ record: Record) {
        var texts: [Substring: String] = [:]
        texts.reserveCapacity(24)
        for header in record.headers where header.name.starts(with: AddedHeaders.own) {
            guard let value = header.value else { continue }
            let name = Substring(String(decoding: header.name.dropFirst(AddedHeaders.own.count), as: UTF8.self))
            if name == "identity-key" { identityKey = value }
            texts[name] = String(decoding: value, as: UTF8.self)
        }
        guard let reason = texts["reason"], let category = texts["class"] else { return nil }
        place = LetterPlace(partition: record.partition, offset: record.offset)
        time = record.timestamp ?? 0
        self.reason = reason
        self.category = category
        isSafeToReplay = texts["safe-to-replay"] == "true"
        message = texts["message"] ?? ""
        attempts = texts["attempts"] ?? ""
        generation = texts["generation"].flatMap { Int32($0) }
        nonce = texts["nonce"].flatMap { Self.isNonce($0) ? $0 : nil }
        requestID = texts["request-id"] ?? ""
        identityKind = texts["identity"] ?? ""
        eventID = texts["event-id"] ?? ""
        version = texts["version"] ?? ""
        omitted = texts["omitted"]
        if let topic = texts["source-topic"], let partition = texts["source-partition"].flatMap({ Int32($0) }),
            let offset = texts["source-offset"].flatMap({ Int64($0) }), partition >= 0
        {
            source = Source(
                topic: topic, partition: partition, offset: offset,
                timestamp: texts["source-timestamp"].flatMap { Int64($0) })
        }
    }

    /// Adds stream, campaign and expiry from the request itself, where it is whole and valid.
    package mutating func readRequest(_ record: Record, decoder: RequestDecoder) {
        guard omitted == nil, case .success(let request) = decoder.decode(AddedHeaders.original(of: record)).content
        else { return }
        streamID = request.streamID
        campaignID = request.campaignID
        expiresAt = request.expiresAt
    }

    private static func isNonce(_ text: String) -> Bool {
        text.utf8.count == 16 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}

/// The headers that dead letters and replays add to a request's own.
package enum AddedHeaders {
    static let own = Array("campaign-bridge-".utf8)
    static let prefixes = [own, Array("__connect.errors.".utf8), Array("kafka_dlt-".utf8)]

    /// Whether a header is one of them.
    package static func isAdded(_ header: Header) -> Bool {
        prefixes.contains { header.name.starts(with: $0) }
    }

    /// The record without them.
    package static func original(of record: Record) -> Record {
        var original = record
        original.headers = record.headers.filter { !isAdded($0) }
        return original
    }
}
