import BridgeCore
import HTTPClient
import Testing

@testable import KoreAPI

/// One answer and the class that it must get.
struct Line: Sendable, CustomStringConvertible {
    var status: Int
    var body: String
    var type = "application/json"
    var expected: String

    init(_ status: Int, _ body: String, _ expected: String, type: String = "application/json") {
        (self.status, self.body, self.expected, self.type) = (status, body, expected, type)
    }

    var description: String { "\(status) \(body.prefix(60)) -> \(expected)" }
}

func name(_ result: AttemptResult) -> String {
    switch result {
    case .started(let answer): "started \(answer.instanceID ?? "-") \(answer.status ?? "-")"
    case .notSent(let cause): "notSent \(cause)"
    case .refused(let refusal): "refused \(refusal.kind.rawValue)"
    case .rejected(let rejection): "rejected \(rejection.apiCode ?? "-")"
    case .unknown(let cause, let status): "unknown \(cause) \(status.map(String.init) ?? "-")"
    }
}

private let started =
    #"{"status":"Active","message":"Campaign Started","totalCallsCompleted":0,"updatedAt":"2025-12-05T11:56:13.241Z","campaignInstanceId":"cid-1"}"#
private let apiError = #"{"errors":[{"msg":"no","code":17}]}"#
private let limit = "You've exceeded the per-minute rate limit. Please wait for sometime before retrying."
private let html = "<html><body>Bad gateway</body></html>"

@Suite("Classes of answers", .timeLimit(.minutes(5)))
struct ClassifyTests {
    static let table: [Line] = [
        Line(200, started, "started cid-1 Active"),
        Line(201, started, "started cid-1 Active"),
        Line(200, #"{"campaignInstanceId":"cid-1"}"#, "started cid-1 -"),
        Line(200, #"{"status":"active"}"#, "started - active"),
        Line(200, #"{"message":"Campaign Started"}"#, "started - -"),
        Line(200, #"{"campaignInstanceId":"cid-1","errors":5,"totalCallsCompleted":{"a":[]}}"#, "started cid-1 -"),
        Line(200, #"{"campaignInstanceId":""}"#, "unknown answer_unclear 200"),
        Line(200, #"{"campaignInstanceId":null,"status":"Stopped"}"#, "unknown answer_unclear 200"),
        Line(200, #"{"data":{"campaignInstanceId":"x"}}"#, "unknown answer_unclear 200"),
        Line(200, "{}", "unknown answer_unclear 200"),
        Line(200, "", "unknown answer_unclear 200"),
        Line(200, html, "unknown answer_unclear 200", type: "text/html"),
        Line(200, String(started.dropLast()), "unknown answer_unclear 200"),
        Line(200, "[\(started)]", "unknown answer_unclear 200"),
        Line(200, started + started, "unknown answer_unclear 200"),
        Line(200, apiError, "rejected 17"),
        Line(200, #"{"status":"failure"}"#, "rejected -"),
        Line(200, #"{"errors":[]}"#, "unknown answer_unclear 200"),
        Line(200, #"{"errors":[{"msg":"\#(limit)"}]}"#, "refused throttled"),
        Line(200, #"{"errors":[{"msg":"upstream timed out","code":504}]}"#, "unknown answer_unclear 200"),
        Line(200, #"{"errors":[{"msg":"no","code":"408"}]}"#, "unknown answer_unclear 200"),
        Line(200, #"{"error":{"message":"no","code":500}}"#, "unknown answer_unclear 200"),
        Line(200, #"{"success":false,"statusCode":502}"#, "unknown answer_unclear 200"),
        Line(200, #"{"errors":[{"msg":"\#(limit)","code":500}]}"#, "refused throttled"),
        Line(200, #"{"campaignInstanceId":"cid-1","status":"Failure"}"#, "unknown answer_unclear 200"),
        Line(200, #"{"campaignInstanceId":"cid-1","status":"Stopped"}"#, "started cid-1 Stopped"),
        Line(307, started, "unknown answer_unclear 307"),
        Line(400, started, "unknown answer_unclear 400"),
        Line(401, started, "unknown answer_unclear 401"),
        Line(404, #"{"errors":[{"msg":"no","code":500}]}"#, "unknown answer_unclear 404"),
        Line(403, #"{"errors":[{"msg":"no","code":503}]}"#, "unknown answer_unclear 403"),
        Line(409, #"{"campaignInstanceId":"cid-1"}"#, "unknown answer_unclear 409"),
        Line(429, started, "unknown answer_unclear 429"),
        Line(202, started, "unknown status_2xx 202"),
        Line(204, "", "unknown status_2xx 204"),
        Line(206, started, "unknown status_2xx 206"),
        Line(300, "", "unknown status_3xx 300"),
        Line(301, "", "rejected -"),
        Line(302, "", "unknown status_3xx 302"),
        Line(303, "", "unknown status_3xx 303"),
        Line(304, "", "unknown status_3xx 304"),
        Line(307, "", "rejected -"),
        Line(308, "", "rejected -"),
        Line(400, apiError, "rejected 17"),
        Line(401, apiError, "refused credentials"),
        Line(403, apiError, "refused credentials"),
        Line(403, html, "refused foreignAnswer", type: "text/html"),
        Line(404, apiError, "rejected 17"),
        Line(404, "not here", "rejected -", type: "text/plain"),
        Line(404, html, "refused foreignAnswer", type: "application/json"),
        Line(404, "nothing", "refused foreignAnswer", type: "text/html; charset=utf-8"),
        Line(408, html, "unknown status_408 408", type: "text/html"),
        Line(409, apiError, "rejected 17"),
        Line(422, apiError, "rejected 17"),
        Line(418, apiError, "rejected 17"),
        Line(400, #"{"message":"\#(limit)"}"#, "refused throttled"),
        Line(403, #"{"errors":[{"msg":"\#(limit)","code":403}]}"#, "refused throttled"),
        Line(421, "", "refused throttled"),
        Line(425, "", "refused throttled"),
        Line(429, "", "refused throttled"),
        Line(429, html, "refused throttled", type: "text/html"),
        Line(500, apiError, "unknown status_5xx 500"),
        Line(502, html, "unknown status_5xx 502", type: "text/html"),
        Line(503, apiError, "refused unavailable"),
        Line(503, html, "unknown status_5xx 503", type: "text/html"),
        Line(503, #"{"message":"Service Unavailable"}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[]}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":["upstream timed out"]}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[{"message":"upstream timed out"}]}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[{"msg":"upstream timed out"}]}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[{"msg":"no","code":503},{"message":"upstream"}]}"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[{"msg":"no","code":503}]"#, "unknown status_5xx 503"),
        Line(503, #"{"errors":[{"msg":"no","code":504}]}"#, "unknown status_5xx 503"),
        Line(503, "", "unknown status_5xx 503"),
        Line(504, apiError, "unknown status_5xx 504"),
        Line(599, apiError, "unknown status_5xx 599"),
        Line(99, started, "unknown status_invalid 99"),
        Line(101, started, "unknown status_invalid 101"),
        Line(600, started, "unknown status_invalid 600"),
    ]

    private func classify(_ status: Int, _ body: [UInt8], type: String = "application/json") -> AttemptResult {
        Classify.answer(
            HTTPAnswer(status: status, fields: [("content-type", type)], body: body), retryAfter: .seconds(9),
            redactor: Redactor(token: "aaaaaaaaaa.bbbbbbbbbb.cccccccccc"))
    }

    @Test("Each line of the table has its class", arguments: table)
    func line(_ line: Line) {
        #expect(name(classify(line.status, Array(line.body.utf8), type: line.type)) == line.expected)
    }

    @Test("Every status has a class, and only 200 and 201 start")
    func everyStatus() {
        for status in -1...1100 {
            let result = classify(status, Array(started.utf8))
            if case .started = result { #expect(status == 200 || status == 201) }
            if case .notSent = result { Issue.record("an answer cannot be unsent: \(status)") }
        }
    }

    @Test("Faults keep the side of the counter")
    func faults() {
        let fault = TransportFault(.reset, "")
        #expect(Classify.fault(.notSent(fault)) == .notSent(cause: "reset"))
        #expect(Classify.fault(.maybeSent(fault, status: 200)) == .unknown(cause: "reset", status: 200))
    }

    @Test("A refusal keeps the wait and a message without the token")
    func refusal() {
        let body = #"{"errors":[{"msg":"bad aaaaaaaaaa.bbbbbbbbbb.cccccccccc \u0007 token"}]}"#
        guard case .refused(let refusal) = classify(401, Array(body.utf8)) else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.retryAfter == .seconds(9))
        #expect(refusal.message == "bad [removed] token")
    }

    static let odd: [[UInt8]] = [
        [0xEF, 0xBB, 0xBF] + Array(started.utf8),
        Array(#"{"message":"Gest"#.utf8) + [0xFC, 0xDF]
            + Array(#"","campaignInstanceId":"cid-1","status":"Active"}"#.utf8),
        Array(#"{"message":"\ud800","campaignInstanceId":"cid-1","status":"Active"}"#.utf8),
        Array(#"{"a":1,"a":2,"campaignInstanceId":"cid-1","status":"Active"}"#.utf8),
        Array("{\"message\":\"a\nb\u{0}\",\"campaignInstanceId\":\"cid-1\",\"status\":\"Active\"}".utf8),
        Array(
            #"{"totalCallsCompleted":"7","updatedAt":1764935773241,"campaignInstanceId":"cid-1","status":"Active"}"#
                .utf8),
        Array(
            (#"{"deep":"# + String(repeating: "[", count: 400) + String(repeating: "]", count: 400)
                + #","campaignInstanceId":"cid-1","status":"Active"}"#).utf8),
        Array(
            (#"{"deep":"# + String(repeating: "[", count: 4000) + String(repeating: "]", count: 4000)
                + #","campaignInstanceId":"cid-1","status":"Active"}"#).utf8),
        [0xFF, 0xFE] + started.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] },
        [0xFE, 0xFF] + started.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] },
    ]

    @Test("An answer in odd clothes still counts", arguments: odd)
    func oddClothes(body: [UInt8]) {
        #expect(name(classify(200, body)) == "started cid-1 Active")
    }

    @Test("Numbers as texts and times as numbers are read")
    func looseTypes() {
        guard case .started(let answer) = classify(200, Self.odd[5]) else { return #expect(Bool(false)) }
        #expect(answer.totalCallsCompleted == 7)
        #expect(answer.updatedAt == "2025-12-05T11:56:13.241Z")
    }

    @Test("An answer that says two ids says none, and a cut one says nothing")
    func ambiguous() {
        #expect(
            name(classify(200, Array(#"{"campaignInstanceId":"a","campaignInstanceId":"b"}"#.utf8)))
                == "unknown answer_unclear 200")
        let bytes = Self.odd[1]
        for count in 0..<bytes.count {
            if case .started = classify(200, Array(bytes[..<count])) { Issue.record("started after \(count) bytes") }
        }
    }
}
