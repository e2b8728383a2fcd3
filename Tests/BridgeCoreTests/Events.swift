import Records

@testable import BridgeCore

/// The wall clock at which each harness starts.
let startOfTime: Int64 = 1_760_000_000_000

/// A CloudEvents record in structured form, decoded as the service does.
func event(
    _ id: String, offset: Int64, partition: Int32 = 0, stream: String = "st-1", campaign: String = "cd-1",
    timestamp: Int64? = startOfTime, extra: String = "", attributes: String = ""
) -> DecodedRecord {
    let text =
        #"{"specversion":"1.0","type":"campaign.start","source":"/crm","id":"\#(id)"\#(attributes),"#
        + #""data":{"streamId":"\#(stream)","campaignId":"\#(campaign)"\#(extra)}}"#
    return RequestDecoder().decode(
        record(text, offset: offset, partition: partition, timestamp: timestamp))
}

func record(
    _ value: String?, offset: Int64 = 0, partition: Int32 = 0, timestamp: Int64? = startOfTime,
    headers: [Header] = []
) -> Record {
    Record(
        topic: "campaign-start", partition: partition, offset: offset, timestamp: timestamp, key: Array("k".utf8),
        value: value.map { Array($0.utf8) }, headers: headers)
}

let active = AttemptResult.started(StartAnswer(instanceID: "in-1", status: "Active"))
let timeout = AttemptResult.unknown(cause: "timeout", status: nil)
let refusedConnection = AttemptResult.notSent(cause: "connect")

func refusal(_ kind: Refusal.Kind, _ status: Int, after: Duration? = nil) -> AttemptResult {
    .refused(Refusal(kind: kind, status: status, retryAfter: after, message: "no"))
}

extension TransactionPlan {
    /// Names of the states that it writes, in order.
    var kinds: [String] { writes.map { $0.entry.state.name } }
}

extension LedgerEntry.State {
    var name: String {
        switch self {
        case .attempting(let attempt): "attempting \(attempt.number)"
        case .released(let attempt, let cause): "released \(attempt) \(cause.rawValue)"
        case .started(let instance): "started \(instance ?? "-")"
        case .deadLettered(let reason, _): "dead \(reason.rawValue)"
        }
    }
}

extension ResultWrite {
    /// What became of the event, for comparing.
    var summary: String {
        switch outcome {
        case .started(let answer, let evidence): "started \(answer.instanceID ?? "-") \(evidence.rawValue)"
        case .deadLetter(let reason, _, _): "dead \(reason.rawValue)"
        }
    }
}
