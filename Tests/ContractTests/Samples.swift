import JSON
import Records

@testable import BridgeCore

/// One record that the encoder gave, with the names of the schemas that describe it.
struct Sample {
    var name: String
    /// Schema of the value, of the headers, of the key; nil: none describes it.
    var value: String?
    var headers: String?
    var key: String?
    var record: OutgoingRecord
}

/// What the encoder gives for every kind of outcome, in both formats and every length.
enum Samples {
    static let topics = ResultTopics(
        source: "campaign-start-requests", started: "campaign-started", deadLetters: "campaign-start-dead-letters",
        ledger: "campaign-start-ledger", failed: "campaign-start-failed")
    static let now: Int64 = 1_767_225_604_321

    static func encoder(_ format: ResultEncoder.Format) -> ResultEncoder {
        ResultEncoder(
            topics: topics, format: format, eventSource: "/campaign-bridge", accounts: ["65f1c2a4b7e8d90012345678"],
            version: "1.0.0")
    }

    static let data =
        #"{"streamId":"st-0603182c","campaignId":"cd-1234567","requestedBy":"crm","correlationId":"c-1"}"#
    static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    /// Headers that a producer may send and that no result may change: bytes that are no text, null, repeated ones; and
    /// those that an earlier dead letter left.
    static let oddHeaders = [
        Header(name: [0xFF, 0], value: [0xC3, 0x28]), Header(name: Array("empty".utf8), value: nil),
        Header("twice", "1"), Header("twice", "2"),
        Header("campaign-bridge-reason", "old"), Header("kafka_dlt-original-topic", "old"),
        Header("__connect.errors.topic", "old"),
    ]

    static func decoded(
        _ value: String?, headers: [Header] = [], decoder: RequestDecoder = RequestDecoder(), timestamp: Int64? = now
    ) -> DecodedRecord {
        decoder.decode(
            Record(
                topic: topics.source, partition: 3, offset: 1042, timestamp: timestamp, key: Array("cd-1".utf8),
                value: value.map { Array($0.utf8) }, headers: oddHeaders + headers))
    }

    /// Requests in every form and with every kind of identity.
    static let requests: [(name: String, event: DecodedRecord)] = [
        (
            "structured",
            decoded(
                #"{"specversion":"1.0","id":"order-4711","source":"/crm","type":"campaign.start.requested","#
                    + #""traceparent":"\#(traceparent)","data":\#(data)}"#,
                headers: [Header("content-type", "application/cloudevents+json")])
        ),
        (
            "binary",
            decoded(
                data,
                headers: ["specversion": "1.0", "id": "order \"4712\"", "source": "/crm", "type": "x"]
                    .sorted { $0.key < $1.key }.map { Header("ce_" + $0.key, $0.value) })
        ),
        ("field", decoded(data, decoder: RequestDecoder(identityField: "correlationId"))),
        (
            "header",
            decoded(
                data, headers: [Header("event-id", "e-1")], decoder: RequestDecoder(identityHeader: "event-id"))
        ),
        ("position", decoded(#"{"streamId":"st-1","campaignId":"cd-1"}"#)),
    ]

    /// Records that are no requests, and one that is gone from the source.
    static let faulty: [(name: String, event: DecodedRecord)] = [
        ("no-value", decoded(nil)), ("empty-value", decoded("")), ("no-json", decoded("{")),
        ("no-time", decoded(data, timestamp: nil)), ("odd-time", decoded(data, timestamp: -62_200_000_000_000)),
        ("far-time", decoded(data, timestamp: 400_000_000_000_000)), ("gone", gone),
    ]

    static let gone = DecodedRecord(
        record: Record(topic: "", partition: 3, offset: 1042, timestamp: nil, key: nil, value: nil),
        identity: .cloudEvent(source: "/crm", id: "order-4711"),
        content: .failure(RecordFault(.outcomeUnknown, "the source record is gone")))

    static let answers = [
        StartAnswer(
            instanceID: "ci-1", status: "Active", message: "Campaign Started", totalCallsCompleted: 0,
            updatedAt: "2026-01-01T00:00:03.900Z"),
        StartAnswer(),
    ]

    static func write(
        _ event: DecodedRecord, _ outcome: Outcome, attempts: Int32 = 1, shortening: Shortening = .none
    ) -> LedgerWrite {
        let state: LedgerEntry.State =
            switch outcome {
            case .started(let answer, _): .started(instanceID: answer.instanceID)
            case .deadLetter(let reason, _, let nonce): .deadLettered(reason, nonce: nonce)
            }
        var scope: UInt64 = 0
        var isCallable = false
        if case .success(let request) = event.content {
            scope = request.scope
            isCallable = true
        }
        return ledgerWrite(
            event.identity.key, state, scope: scope,
            ResultWrite(
                event: event, outcome: outcome, connection: isCallable ? 0 : nil,
                entryKey: event.identity.key, generation: 0, attempts: attempts,
                shortening: shortening))
    }

    static func ledgerWrite(
        _ key: [UInt8], _ state: LedgerEntry.State, scope: UInt64 = 0, _ result: ResultWrite? = nil
    ) -> LedgerWrite {
        LedgerWrite(
            partition: 3, key: key,
            entry: LedgerEntry(generation: 0, sourceOffset: 1042, scope: scope, state: state), result: result,
            ref: RequestRef(partition: 3, epoch: 1, offset: 1042), hash: KeyHash(key, key: .fixed))
    }

    static func records(_ writes: [LedgerWrite], _ format: ResultEncoder.Format) -> [OutgoingRecord] {
        encoder(format).records(of: TransactionPlan(id: 1, assignment: 1, writes: writes, offsets: [3: 1043]), at: now)
            .records
    }

    /// All of them.
    static func all() -> [Sample] {
        var samples: [Sample] = []
        for format in ResultEncoder.Format.allCases {
            for (name, write) in resultWrites {
                for record in records([write], format) {
                    samples.append(described(record, "\(name) \(format.rawValue)", format))
                }
            }
        }
        for (name, write) in ledgerWrites { samples += records([write], .structured).map { ledger($0, name) } }
        for (name, late) in lates {
            let write = LateWrite(partition: 3, hash: KeyHash([], key: .fixed), answer: late)
            samples.append(ledger(encoder(.structured).record(of: write), name))
        }
        return samples + replays + holds
    }

    private static var resultWrites: [(name: String, write: LedgerWrite)] {
        var writes: [(name: String, write: LedgerWrite)] = []
        let nonce: UInt64 = 0x0123_4567_89ab_cdef
        for (name, event) in requests + faulty {
            for shortening in [Shortening.none, .withoutValue, .withoutHeaders] {
                let isWhole = shortening == .none
                for reason in isWhole ? DeadLetterReason.allCases : [.rejected] {
                    let outcome = Outcome.deadLetter(reason, message: "why \"this\"", nonce: nonce)
                    writes.append(
                        (
                            "\(name) \(reason.rawValue) \(shortening)",
                            write(event, outcome, attempts: 0, shortening: shortening)
                        ))
                }
            }
        }
        for (name, event) in requests + [("gone", gone)] {
            for answer in answers {
                for evidence in Outcome.Evidence.allCases {
                    writes.append(("\(name) started", write(event, .started(answer, evidence: evidence))))
                }
            }
        }
        return writes
    }

    static let attempt = Attempt(
        number: 2, owner: "bridge-0/9f3a6c1b2d4e5f60", startedAt: now, tokenExpiry: now / 1000 + 40, serial: 17)

    private static var ledgerWrites: [(name: String, write: LedgerWrite)] {
        let states: [LedgerEntry.State] =
            [.attempting(attempt)] + ReleaseCause.allCases.map { .released(attempt: 2, cause: $0) }
        return (requests + faulty).flatMap { name, event in
            states.map { ("ledger of \(name)", ledgerWrite(event.identity.key, $0, scope: .max)) }
        }
    }

    private static var lates: [(name: String, late: LateAnswer)] {
        let results: [KnownResult] =
            answers.map { .started($0) } + ReleaseCause.allCases.map { .released($0) } + [
                .rejected(Rejection(status: 400, message: "no", apiCode: "E1")),
                .rejected(Rejection(status: 404, message: "no")),
            ]
        return (requests + faulty).flatMap { name, event in
            results.map { result in
                (
                    "late answer for \(name)",
                    LateAnswer(
                        identityKey: event.identity.key, generation: 0, attempt: 2, owner: attempt.owner,
                        serial: attempt.serial, result: result)
                )
            }
        }
    }

    private static func described(
        _ record: OutgoingRecord, _ name: String, _ format: ResultEncoder.Format
    ) -> Sample {
        let form = format == .structured ? "" : ".data"
        return switch record.topic {
        case topics.started:
            Sample(name: name, value: "campaign-started\(form).schema.json", record: record)
        case topics.failed ?? "":
            Sample(name: name, value: "campaign-start-failed\(form).schema.json", record: record)
        case topics.deadLetters:
            Sample(name: name, headers: "dead-letter.headers.schema.json", record: record)
        default: ledger(record, name)
        }
    }

    private static func ledger(_ record: OutgoingRecord, _ name: String) -> Sample {
        Sample(name: name, value: "ledger-entry.schema.json", key: "ledger-key.schema.json", record: record)
    }
}
