import JSON
import Records
import Testing

@testable import BridgeCore

@Suite("Requests: the decoder and the schemas agree", .timeLimit(.minutes(5)))
struct RequestCaseTests {
    /// The same cases are put to the schemas by `test_contracts.py`.
    @Test("Each case of requests.json is decoded as it says")
    func cases() throws {
        let cases = try #require(try json(try text(of: "Tests/ContractTests/requests.json")).array)
        #expect(cases.count > 30)
        for one in cases {
            let name = one["name"]?.string ?? ""
            let value = try #require(one["value"], "\(name)").bytes
            var headers: [Header] = []
            switch one["form"]?.string {
            case "structured": headers = [Header("content-type", "application/cloudevents+json")]
            case "data":
                headers = ["specversion": "1.0", "id": "1", "source": "/crm", "type": "x"].map {
                    Header("ce_" + $0.key, $0.value)
                }
            default: Issue.record("\(name): form is structured or data")
            }
            let record = Record(
                topic: "t", partition: 0, offset: 0, timestamp: 1, key: nil, value: value, headers: headers)
            switch (RequestDecoder().decode(record).content, one["reason"]?.string) {
            case (.success, nil): break
            case (.success, let reason?): Issue.record("\(name): decoded, but should be \(reason)")
            case (.failure(let fault), let reason):
                #expect(fault.reason.rawValue == reason, "\(name): \(fault.message)")
            }
        }
    }
}
