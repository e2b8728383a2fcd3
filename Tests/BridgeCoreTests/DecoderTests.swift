import Records
import Testing

@testable import BridgeCore

/// Every form of a source record, and what is refused (field cases 1 to 7).
@Suite("Decoding source records", .timeLimit(.minutes(5)))
struct DecoderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var record: Record
        var identityField: String?
        var identityHeader: String?
        /// The identity's key, or nil where it is the record's place.
        var key: String?
        /// The fault, or nil where the record can be called.
        var fault: DeadLetterReason?
        var testDescription: String { name }

        init(
            _ name: String, _ value: String?, _ headers: [Header] = [], key: String? = nil,
            fault: DeadLetterReason? = nil, field: String? = nil, header: String? = nil
        ) {
            self.name = name
            record = BridgeCoreTests.record(value, headers: headers)
            self.key = key
            self.fault = fault
            identityField = field
            identityHeader = header
        }
    }

    static let data = #"{"streamId":"st-1","campaignId":"cd-1"}"#
    static let structuredType = Header("content-type", "application/cloudevents+json; charset=utf-8")
    static let attributes = [
        Header("ce_specversion", "1.0"), Header("ce_type", "t"), Header("ce_source", "/crm"), Header("ce_id", "e1"),
    ]
    static func structured(_ middle: String, data: String = #","data":"# + data) -> String {
        #"{"specversion":"1.0","type":"t","source":"/crm","id":"e1"\#(middle)\#(data)}"#
    }

    static let ceKey = #"["ce","/crm","e1"]"#

    static let formRows: [Case] = [
        Case("structured by its content type", structured(""), [structuredType], key: ceKey),
        Case(
            "structured, content type in other case", structured(""),
            [Header("Content-Type", "APPLICATION/CloudEvents+JSON")], key: ceKey),
        Case("structured without a content type", structured(""), key: ceKey),
        Case(
            "structured wins over stray ce_ headers", structured(""), [structuredType, Header("ce_id", "other")],
            key: ceKey),
        Case("binary", data, attributes, key: ceKey),
        Case(
            "binary with a JSON content type", data, attributes + [Header("content-type", "Application/JSON; a=b")],
            key: ceKey),
        Case(
            "binary with a +json content type", data, attributes + [Header("content-type", "application/x+json")],
            key: ceKey),
        Case("plain without an identity", data),
        Case(
            "plain with a field", #"{"streamId":"st-1","campaignId":"cd-1","ref":"r"}"#, key: #"["field","r"]"#,
            field: "ref"),
        Case(
            "plain with a number as its field",
            #"{"streamId":"st-1","campaignId":"cd-1","ref":12345678901234567890123}"#,
            key: #"["field","12345678901234567890123"]"#, field: "ref"),
        Case("plain with a header", data, [Header("x-id", "h")], key: #"["header","h"]"#, field: "ref", header: "x-id"),
        Case(
            "plain with only the field of the two", #"{"streamId":"st-1","campaignId":"cd-1","ref":"r"}"#,
            key: #"["field","r"]"#, field: "ref", header: "x-id"),
    ]

    @Test("Each form is read, bare and behind the schema registry's prefix", arguments: formRows, [false, true])
    func forms(row: Case, isPrefixed: Bool) throws {
        var record = row.record
        if isPrefixed { record.value = [0, 0, 0, 1, 7] + (record.value ?? []) }
        let decoded = RequestDecoder(identityField: row.identityField, identityHeader: row.identityHeader)
            .decode(record)
        let request = try decoded.content.get()
        #expect(request.streamID == "st-1" && request.campaignID == "cd-1")
        #expect(decoded.identity.key == (row.key.map { Array($0.utf8) } ?? EventIdentity.position(of: record).key))
        #expect((decoded.identity.kind == .position) == (row.key == nil))
    }

    static let faultRows: [Case] = [
        // 1: bytes
        Case("no value", nil, fault: .emptyRecord),
        Case("an empty value", "", fault: .emptyRecord),
        // 2: mode
        Case(
            "a batch", "[]", [Header("content-type", "application/cloudevents-batch+json")], fault: .invalidCloudEvent),
        Case(
            "another format", "x", [Header("content-type", "application/cloudevents+avro")], fault: .invalidCloudEvent),
        Case("a required attribute missing", data, Array(attributes.dropLast()), fault: .invalidCloudEvent),
        Case("the prefix ce-", data, [Header("ce-id", "e1"), Header("ce-source", "/crm")], fault: .invalidCloudEvent),
        Case(
            "attributes in capitals", data,
            attributes.map { Header(String(decoding: $0.name, as: UTF8.self).uppercased(), "1.0") },
            fault: .invalidCloudEvent),
        Case(
            "two content types", structured(""), [structuredType, Header("content-type", "application/json")],
            fault: .invalidCloudEvent),
        // 3: attributes
        Case(
            "an empty id", #"{"specversion":"1.0","type":"t","source":"/crm","id":"","data":{}}"#,
            fault: .invalidCloudEvent),
        Case(
            "an id that is a number", #"{"specversion":"1.0","type":"t","source":"/crm","id":7,"data":{}}"#,
            fault: .invalidCloudEvent),
        Case(
            "a null id counts as missing", #"{"specversion":"1.0","type":"t","source":"/crm","id":null,"data":{}}"#,
            fault: .invalidCloudEvent),
        Case(
            "version 0.3", #"{"specversion":"0.3","type":"t","source":"/crm","id":"e1","data":{}}"#,
            fault: .invalidCloudEvent),
        Case(
            "the same attribute twice, different", data, attributes + [Header("ce_id", "e2")], fault: .invalidCloudEvent
        ),
        Case(
            "data that is not JSON by its type", structured(#","datacontenttype":"text/xml""#), key: ceKey,
            fault: .invalidCloudEvent),
        Case("data and data_base64", structured(#","data_base64":"e30=""#), key: ceKey, fault: .invalidCloudEvent),
        Case(
            "data_base64 that is none", structured(#","data_base64":"e30""#, data: ""), key: ceKey,
            fault: .invalidCloudEvent),
        Case("no data", structured("", data: ""), key: ceKey, fault: .invalidData),
        Case(
            "a string under a JSON type is a string",
            structured("", data: #","data":"{\"streamId\":\"st-1\",\"campaignId\":\"cd-1\"}""#), key: ceKey,
            fault: .invalidData),
        // 4: prefix
        Case("nothing behind the prefix", "\0\0\0\u{1}\u{7}", fault: .invalidEncoding),
        Case("less than a prefix", "\0\0", fault: .invalidEncoding),
        // 5: JSON
        Case("two values", "{} {}", fault: .invalidJSON),
        Case("a name twice, once escaped", #"{"a":1,"\u0061":2}"#, fault: .invalidJSON),
        Case("an array", "[]", fault: .invalidJSON),
        Case("too deep", String(repeating: "[", count: 5000), fault: .invalidJSON),
        // 6: times
        Case(
            "expirytime of the wrong form", structured(#","expirytime":"2026-01-31 09:30:00Z""#),
            fault: .invalidCloudEvent),
        Case(
            "expiresAt of the wrong form",
            structured("", data: #","data":{"streamId":"st-1","campaignId":"cd-1","expiresAt":"tomorrow"}"#),
            key: ceKey, fault: .invalidData),
        Case(
            "expiresAt as a number",
            structured("", data: #","data":{"streamId":"st-1","campaignId":"cd-1","expiresAt":1}"#), key: ceKey,
            fault: .invalidData),
        Case(
            "notBefore at the expiry",
            structured(
                "",
                data:
                    #","data":{"streamId":"st-1","campaignId":"cd-1","expiresAt":"2026-01-01T00:00:00Z","notBefore":"2026-01-01T00:00:00Z"}"#
            ), key: ceKey, fault: .invalidData),
        // identities that no ledger key could hold
        Case(
            "an id too long",
            #"{"specversion":"1.0","type":"t","source":"/crm","id":"\#(String(repeating: "x", count: 2049))","data":{}}"#,
            fault: .invalidCloudEvent),
        Case(
            "an id with a NUL", data, Array(attributes.dropLast()) + [Header("ce_id", "a\0b")],
            fault: .invalidCloudEvent),
        Case("a field that is missing", data, fault: .invalidData, field: "ref"),
        Case(
            "a header that stands twice", data, [Header("x-id", "a"), Header("x-id", "a")], fault: .invalidData,
            header: "x-id"),
        // data
        Case("no stream", structured("", data: #","data":{"campaignId":"cd-1"}"#), key: ceKey, fault: .invalidData),
        Case(
            "a campaign that could leave its place",
            structured("", data: #","data":{"streamId":"st-1","campaignId":"../x"}"#), key: ceKey, fault: .invalidData),
        Case(
            "metadata that is no object",
            structured("", data: #","data":{"streamId":"st-1","campaignId":"cd-1","metadata":[]}"#), key: ceKey,
            fault: .invalidData),
    ]

    @Test(
        "What is not quite an event is a fault of its kind and keeps its identity", arguments: faultRows)
    func faults(row: Case) {
        let decoded = RequestDecoder(identityField: row.identityField, identityHeader: row.identityHeader)
            .decode(row.record)
        guard case .failure(let fault) = decoded.content else {
            Issue.record("it was taken")
            return
        }
        #expect(fault.reason == row.fault)
        #expect(!fault.message.isEmpty)
        #expect(
            decoded.identity.key == (row.key.map { Array($0.utf8) } ?? EventIdentity.position(of: row.record).key))
    }

    @Test("A record without a value and one with an empty one are different events")
    func nullAndEmpty() {
        #expect(EventIdentity.position(of: record(nil)).key != EventIdentity.position(of: record("")).key)
    }

    @Test("Header names and values are bytes: what is not read may be anything, also null or repeated")
    func strayHeaders() throws {
        var record = Self.formRows[4].record
        record.headers += [
            Header(name: [0xFF, 0xFE], value: [0xC3]), Header(name: Array("ce_other".utf8), value: [0xFF]),
            Header(name: Array("x".utf8), value: nil), Header(name: Array("x".utf8), value: []),
            Header(name: Array("content-type".utf8), value: nil), Header("ce_id", "e1"),
        ]
        _ = try RequestDecoder().decode(record).content.get()
        record.headers.append(Header(name: Array("ce_expirytime".utf8), value: [0xFF]))
        #expect(throws: RecordFault.self) { try RequestDecoder().decode(record).content.get() }
    }

    @Test("Invalid UTF-8 anywhere in the value is refused, also in a field that is not read")
    func invalidUTF8() {
        var record = record(nil)
        record.value = Array(#"{"streamId":"st-1","campaignId":"cd-1","x":""#.utf8) + [0xC3] + Array("\"}".utf8)
        guard case .failure(let fault) = RequestDecoder().decode(record).content else {
            Issue.record("it was taken")
            return
        }
        #expect(fault.reason == .invalidJSON)
    }

    @Test("The fields of an event are read; unknown ones, and numbers of any length in them, pass")
    func fields() throws {
        let long = String(repeating: "9", count: 400)
        let event = event(
            "e1", offset: 0,
            extra: #","accountId":"acc-1","expiresAt":"2026-01-02T00:00:00Z","notBefore":"2025-12-31T00:00:00.5z","#
                + #""correlationId":"c","requestedBy":"r","metadata":{"a":1},"more":\#(long)"#,
            attributes: #","expirytime":"2026-01-01T00:00:00Z","time":"2020-01-01T00:00:00Z","correlationid":"outer","#
                + #""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#)
        let request = try event.content.get()
        #expect(request.accountID == "acc-1")
        #expect(request.expiresAt == 1_767_225_600_000, "the earlier of both; CloudEvents' time is no expiry")
        #expect(request.notBefore == 1_767_139_200_500)
        #expect(request.correlationID == "c" && request.requestedBy == "r")
        #expect(request.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    @Test("data_base64 is read after JSON unescaping, and null attributes count as not set")
    func base64() throws {
        let text = Self.structured(
            #","expirytime":null,"datacontenttype":"application/json","data":null,"#
                + #""data_base64":"\u0065yJzdHJlYW1JZCI6InN0LTEiLCJjYW1wYWlnbklkIjoiY2QtMSJ9""#, data: "")
        let request = try RequestDecoder().decode(record(text)).content.get()
        #expect(request.campaignID == "cd-1" && request.expiresAt == nil)
    }

    @Test(
        "Base64 is read strictly",
        arguments: [
            ("", [] as [UInt8]?), ("Zg==", [102]), ("Zm8=", [102, 111]), ("Zm9v", [102, 111, 111]),
            ("Zm9vYg==", [102, 111, 111, 98]), ("Z", nil), ("Zg=", nil), ("Z===", nil), ("====", nil),
            ("Zg==Zg==", nil),
            ("Zm9-", nil), ("Zm 9", nil),
        ])
    func base64Table(text: String, bytes: [UInt8]?) {
        #expect(Base64.decode(text) == bytes)
    }
}
