internal import JSON
internal import Records

/// In which of its forms an event stands in a record.
enum EventForm {
    case structured
    case binary(CloudAttributes)
    case plain

    /// The content type decides; without CloudEvents' own, the `ce_` headers do. What looks like CloudEvents and is
    /// not quite is a fault: read as plain JSON it would get a weaker identity without a word.
    init(of record: Record) throws(RecordFault) {
        let contentTypes = record.headers.filter { header in
            header.value != nil && header.name.count == 12
                && header.name.elementsEqual("content-type".utf8) { $0 | 0x20 == $1 | 0x20 }
        }
        var contentType: String?
        if let header = contentTypes.first {
            guard let value = header.value, let text = String(validating: value, as: UTF8.self),
                contentTypes.allSatisfy({ $0.value == header.value })
            else { throw RecordFault(.invalidCloudEvent, "the header 'content-type' is not text, or stands twice") }
            contentType = text
        }
        let media = contentType.map(Self.mediaType)
        if let media, media.hasPrefix("application/cloudevents") {
            guard media == "application/cloudevents+json" || media == "application/cloudevents" else {
                let what = media.contains("batch") ? "a batch of CloudEvents" : "this format of CloudEvents"
                throw RecordFault(.invalidCloudEvent, "\(what) is not supported: send application/cloudevents+json")
            }
            self = .structured
            return
        }
        var sawAttribute = false
        var attributes: [String: String] = [:]
        for header in record.headers {
            guard let name = String(validating: header.name, as: UTF8.self) else { continue }
            let lower = name.lowercased()
            guard lower.hasPrefix("ce_") || lower.hasPrefix("ce-") else { continue }
            sawAttribute = true
            guard name.hasPrefix("ce_") else { continue }
            guard let value = header.value else { continue }
            let attribute = String(name.dropFirst(3))
            guard CloudAttributes.read.contains(attribute) else { continue }
            guard let text = String(validating: value, as: UTF8.self) else {
                throw RecordFault(.invalidCloudEvent, "the header '\(name)' is not UTF-8 text")
            }
            if let other = attributes[attribute], !other.utf8.elementsEqual(text.utf8) {
                throw RecordFault(.invalidCloudEvent, "the header '\(name)' stands twice with different values")
            }
            attributes[attribute] = text
        }
        guard sawAttribute else {
            self = .plain
            return
        }
        self = .binary(try CloudAttributes(attributes, dataContentType: contentType))
    }

    /// Type and subtype in lower case, without parameters.
    static func mediaType(_ contentType: String) -> String {
        if contentType == "application/cloudevents+json" || contentType == "application/json" { return contentType }
        var bytes = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }
        func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        while isBlank(bytes.first) { bytes.removeFirst() }
        while isBlank(bytes.last) { bytes.removeLast() }
        return String(Substring(bytes)).lowercased()
    }
}

/// The attributes of a CloudEvent that the bridge reads.
struct CloudAttributes {
    var source = ""
    var id = ""
    var dataContentType: String?
    var expiry: Int64?
    var correlationID: String?
    var traceparent: String?

    static let read: Set<String> = [
        "specversion", "id", "source", "type", "datacontenttype", "expirytime", "correlationid", "traceparent",
    ]

    /// Of an event that is no CloudEvent.
    init(traceparent: String?) {
        self.traceparent = traceparent.flatMap(TraceContext.valid)
    }

    init(_ attributes: [String: String], dataContentType: String?) throws(RecordFault) {
        for name in ["specversion", "id", "source", "type"] {
            guard let text = attributes[name] else {
                throw RecordFault(.invalidCloudEvent, "the CloudEvents attribute '\(name)' is missing")
            }
            guard !text.isEmpty else {
                throw RecordFault(.invalidCloudEvent, "the CloudEvents attribute '\(name)' is empty")
            }
        }
        guard attributes["specversion"] == "1.0" else {
            throw RecordFault(.invalidCloudEvent, "CloudEvents 'specversion' must be 1.0")
        }
        source = attributes["source"] ?? ""
        id = attributes["id"] ?? ""
        self.dataContentType = dataContentType ?? attributes["datacontenttype"]
        if let text = attributes["expirytime"] {
            guard let time = RFC3339.parse(text) else {
                throw RecordFault(.invalidCloudEvent, "'expirytime' is not a time by RFC 3339 (2026-01-31T09:30:00Z)")
            }
            expiry = time
        }
        if let text = attributes["correlationid"], text.utf8.count <= 256 { correlationID = text }
        traceparent = attributes["traceparent"].flatMap(TraceContext.valid)
    }

    /// Of a structured event. A null attribute counts as not set.
    init(structured root: JSONValue) throws(RecordFault) {
        var attributes: [String: String] = [:]
        for name in Self.read {
            guard let value = root[name], !value.isNull else { continue }
            guard let text = value.string else {
                throw RecordFault(.invalidCloudEvent, "the CloudEvents attribute '\(name)' is not a string")
            }
            attributes[name] = text
        }
        try self.init(attributes, dataContentType: attributes["datacontenttype"])
    }
}

/// W3C Trace Context, level 1.
package enum TraceContext {
    /// The text itself where it is a well-formed version 00 `traceparent` with ids that are not zero.
    package static func valid(_ text: String) -> String? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "00", parts[1].utf8.count == 32, parts[2].utf8.count == 16,
            parts[3].utf8.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) } }),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        return text
    }

    /// The same trace with a new parent, or a new trace.
    package static func child(of parent: String?, random: inout SeededRandom) -> String {
        let span = random.hex(bytes: 8)
        guard let parent, let valid = valid(parent) else { return "00-\(random.hex(bytes: 16))-\(span)-01" }
        return "\(valid.prefix(36))\(span)\(valid.suffix(3))"
    }
}
