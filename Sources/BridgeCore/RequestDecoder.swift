internal import JSON
package import Records

/// Turns a source record into a request, or into the reason why it is none. Pure; any bytes are fine.
///
/// Forms: CloudEvents 1.0 structured or binary (Kafka protocol binding, section 3) and plain JSON, each also behind
/// the Confluent wire-format prefix.
package struct RequestDecoder: Sendable {
    /// Field of a plain JSON event that is its identity; nil: none.
    package var identityField: String?
    /// Header of a plain JSON event that is its identity; nil: none. Looked at before the field.
    package var identityHeader: String?
    /// Longest identity, in bytes of each of its parts: it stands in the ledger's keys, which must fit any topic.
    package var maximumIdentityBytes: Int
    /// Whether the records come from the intake topic, with their original place in headers.
    package var readsIntake = false
    private let limits: JSONLimits

    package init(
        identityField: String? = nil, identityHeader: String? = nil, maximumBytes: Int = 1 << 20,
        maximumIdentityBytes: Int = 2048
    ) {
        self.maximumIdentityBytes = maximumIdentityBytes
        self.identityField = identityField
        self.identityHeader = identityHeader
        limits = JSONLimits(maximumBytes: maximumBytes)
    }

    package func decode(_ record: Record) -> DecodedRecord {
        readsIntake ? decodeMoved(record) : decodeOriginal(record)
    }

    /// A record as it stood in the source.
    func decodeOriginal(_ record: Record) -> DecodedRecord {
        let event = decodeEvent(record)
        do throws(RecordFault) {
            guard let (replay, identity) = try Replay.of(record) else { return event }
            // Only a record without an identity of its own, or one that was refused for it, goes by its old place.
            guard
                identity.key == event.identity.key || identity.kind == .position || replay.isResolution(record)
            else {
                throw RecordFault(.replayRefused, "the replay's identity is not the event's")
            }
            return DecodedRecord(record: record, identity: identity, content: event.content, replay: replay)
        } catch {
            return DecodedRecord(record: record, identity: .position(of: record), content: .failure(error))
        }
    }

    /// The event as if it were no replay.
    func decodeEvent(_ record: Record) -> DecodedRecord {
        var identity: EventIdentity?
        do throws(RecordFault) {
            let request = try request(of: record, identity: &identity)
            return DecodedRecord(
                record: record, identity: identity ?? .position(of: record), content: .success(request))
        } catch {
            return DecodedRecord(
                record: record, identity: identity ?? .position(of: record), content: .failure(error))
        }
    }

    /// Sets `identity` as soon as it is known, so that a fault found later is the event's and not its place's.
    private func request(of record: Record, identity: inout EventIdentity?) throws(RecordFault) -> CampaignRequest {
        guard let value = record.value else { throw RecordFault(.emptyRecord, "the record has no value") }
        guard !value.isEmpty else { throw RecordFault(.emptyRecord, "the record's value is empty") }
        let payload = try withoutConfluentPrefix(value)
        switch try EventForm(of: record) {
        case .structured:
            return try structured(json(payload), record: record, identity: &identity)
        case .binary(let attributes):
            identity = try cloudIdentity(attributes)
            try requireJSON(attributes.dataContentType)
            return try request(data: json(payload), attributes: attributes)
        case .plain:
            let root = try json(payload)
            if root["specversion"] != nil {
                return try structured(root, record: record, identity: &identity)
            }
            if let named = try plainIdentity(root, record: record) { identity = named }
            return try request(data: root, attributes: CloudAttributes(traceparent: record.text(header: "traceparent")))
        }
    }

    /// Magic byte 0 and a schema id of four bytes. No JSON text begins with a zero byte.
    private func withoutConfluentPrefix(_ value: [UInt8]) throws(RecordFault) -> [UInt8] {
        guard value.first == 0 else { return value }
        guard value.count > 5 else {
            throw RecordFault(.invalidEncoding, "there is nothing behind the schema registry's prefix of five bytes")
        }
        return Array(value[5...])
    }

    private func json(_ bytes: [UInt8]) throws(RecordFault) -> JSONValue {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: limits)
        } catch {
            throw RecordFault(.invalidJSON, "the value is not acceptable JSON: \(error)")
        }
        guard value.object != nil else { throw RecordFault(.invalidJSON, "the value is not a JSON object") }
        return value
    }

    private func requireJSON(_ contentType: String?) throws(RecordFault) {
        guard let contentType else { return }
        let media = EventForm.mediaType(contentType)
        guard media == "application/json" || media == "text/json" || media.hasSuffix("+json") else {
            throw RecordFault(.invalidCloudEvent, "the event's data is not JSON by its content type")
        }
    }

    private func structured(
        _ root: JSONValue, record: Record, identity: inout EventIdentity?
    ) throws(RecordFault) -> CampaignRequest {
        let attributes = try CloudAttributes(structured: root)
        identity = try cloudIdentity(attributes)
        try requireJSON(attributes.dataContentType)
        var data = root["data"]
        if data?.isNull == true { data = nil }
        if let encoded = root["data_base64"], !encoded.isNull {
            guard data == nil else {
                throw RecordFault(.invalidCloudEvent, "the event has both 'data' and 'data_base64'")
            }
            guard let text = encoded.string, let bytes = Base64.decode(text) else {
                throw RecordFault(.invalidCloudEvent, "'data_base64' is not base64 text")
            }
            data = try json(bytes)
        }
        guard let data else { throw RecordFault(.invalidData, "the event has no data") }
        return try request(data: data, attributes: attributes)
    }

    private func cloudIdentity(_ attributes: CloudAttributes) throws(RecordFault) -> EventIdentity {
        for (name, text) in [("source", attributes.source), ("id", attributes.id)] where !isUsable(text) {
            throw RecordFault(
                .invalidCloudEvent,
                "the CloudEvents attribute '\(name)' is longer than \(maximumIdentityBytes) bytes or holds a NUL")
        }
        return .cloudEvent(source: attributes.source, id: attributes.id)
    }

    /// A NUL cannot be read back from a ledger key.
    private func isUsable(_ text: String) -> Bool {
        text.utf8.count <= maximumIdentityBytes && !text.utf8.contains(0)
    }

    private func plainIdentity(_ root: JSONValue, record: Record) throws(RecordFault) -> EventIdentity? {
        if let name = identityHeader, record.headers.contains(where: { $0.name.elementsEqual(name.utf8) }) {
            guard let text = record.text(header: name), !text.isEmpty, isUsable(text) else {
                throw RecordFault(
                    .invalidData, "the identity header '\(name)' is not text, is empty, too long, or stands twice")
            }
            return .header(text)
        }
        guard let name = identityField else {
            guard let header = identityHeader else { return nil }
            throw RecordFault(.invalidData, "the identity header '\(header)' is missing")
        }
        switch root[name] {
        case .string(let text) where !text.isEmpty && isUsable(text): return .field(text)
        case .number(let text) where isUsable(text): return .field(text)
        default:
            throw RecordFault(
                .invalidData, "the identity field '\(name)' is missing, empty, too long, or not text")
        }
    }

    private func request(data: JSONValue, attributes: CloudAttributes) throws(RecordFault) -> CampaignRequest {
        guard data.object != nil else { throw RecordFault(.invalidData, "the event's data is not a JSON object") }
        func identifier(_ name: String) throws(RecordFault) -> String? {
            guard let value = data[name], !value.isNull else { return nil }
            guard let text = value.string, Identifier.isValid(text) else {
                throw RecordFault(
                    .invalidData,
                    "'\(name)' must be a string of 1 to \(Identifier.maximumLength) letters, digits, - or _")
            }
            return text
        }
        func required(_ name: String) throws(RecordFault) -> String {
            guard let text = try identifier(name) else { throw RecordFault(.invalidData, "'\(name)' is missing") }
            return text
        }
        func time(_ name: String) throws(RecordFault) -> Int64? {
            guard let value = data[name], !value.isNull else { return nil }
            guard let text = value.string, let time = RFC3339.parse(text) else {
                throw RecordFault(.invalidData, "'\(name)' is not a time by RFC 3339 (2026-01-31T09:30:00Z)")
            }
            return time
        }
        func text(_ name: String) throws(RecordFault) -> String? {
            guard let value = data[name], !value.isNull else { return nil }
            guard let text = value.string, text.utf8.count <= 256 else {
                throw RecordFault(.invalidData, "'\(name)' must be a string of at most 256 bytes")
            }
            return text
        }
        let own = try time("expiresAt")
        let expiries = [own, attributes.expiry].compactMap { $0 }
        let request = CampaignRequest(
            streamID: try required("streamId"), campaignID: try required("campaignId"),
            accountID: try identifier("accountId"), expiresAt: expiries.min(), notBefore: try time("notBefore"),
            correlationID: try text("correlationId") ?? attributes.correlationID,
            requestedBy: try text("requestedBy"), traceparent: attributes.traceparent)
        if let notBefore = request.notBefore, let expiry = request.expiresAt, notBefore >= expiry {
            throw RecordFault(.invalidData, "'notBefore' is not before the event's expiry")
        }
        if let metadata = data["metadata"], !metadata.isNull, metadata.object == nil {
            throw RecordFault(.invalidData, "'metadata' must be an object")
        }
        return request
    }
}

/// Identifiers that reach a path, a query or a header of a call.
package enum Identifier {
    package static let maximumLength = 128

    /// Letters, digits, `-` and `_` only: wider than every documented form, and nothing that could leave its place.
    package static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...maximumLength).contains(bytes.count)
            && bytes.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45
                    || byte == 95
            }
    }
}

extension Record {
    /// The text of a header that stands exactly once and is UTF-8.
    func text(header name: String) -> String? {
        var found: String?
        for header in headers where header.name.elementsEqual(name.utf8) {
            guard found == nil, let value = header.value, let text = String(validating: value, as: UTF8.self)
            else { return nil }
            found = text
        }
        return found
    }
}

/// Base64 by RFC 4648 section 4, padding required.
enum Base64 {
    static func decode(_ text: String) -> [UInt8]? {
        let input = Array(text.utf8)
        guard input.count % 4 == 0 else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(input.count / 4 * 3)
        var word: UInt32 = 0
        for (index, byte) in input.enumerated() {
            let value: UInt32
            switch byte {
            case 65...90: value = UInt32(byte) - 65
            case 97...122: value = UInt32(byte) - 71
            case 48...57: value = UInt32(byte) + 4
            case 43: value = 62
            case 47: value = 63
            case 61:
                let padding = input.count - index
                guard padding <= 2, input[index...].allSatisfy({ $0 == 61 }) else { return nil }
                if padding == 1 {
                    output.append(UInt8(truncatingIfNeeded: word >> 10))
                    output.append(UInt8(truncatingIfNeeded: word >> 2))
                } else {
                    output.append(UInt8(truncatingIfNeeded: word >> 4))
                }
                return output
            default: return nil
            }
            word = word << 6 | value
            if index % 4 == 3 {
                for shift: UInt32 in [16, 8, 0] { output.append(UInt8(truncatingIfNeeded: word >> shift)) }
                word = 0
            }
        }
        return output
    }
}
