import Foundation
import RawSockets
import Testing

@testable import HTTPClient

let answer200 = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}"

func makeClient(
    maximumConnections: Int = 64, maximumWaiting: Int = 16_384, proxy: String = "", caFile: String = "",
    certificate: String = "", key: String = ""
) throws -> HTTPClient {
    try HTTPClient(
        settings: HTTPClientSettings(
            caFile: caFile, clientCertificateFile: certificate, clientKeyFile: key, proxy: proxy,
            maximumConnections: maximumConnections, maximumWaiting: maximumWaiting, reuseMaximumAge: .seconds(300)))
}

func post(
    _ url: String, deadline: Duration = .seconds(60), reuse: Bool = false, maximumBodyBytes: Int = 1 << 20,
    maximumHeadBytes: Int = 64 << 10
) -> HTTPExchange {
    HTTPExchange(
        method: .post, url: url + "/start?a=b",
        headers: [("auth", "secret-token"), ("Content-Type", "application/json")], body: Array("{}".utf8),
        deadline: deadline, connectTimeout: deadline, maximumBodyBytes: maximumBodyBytes,
        maximumHeadBytes: maximumHeadBytes, reuse: reuse)
}

extension ExchangeResult {
    var answer: HTTPAnswer? { if case .answer(let answer) = self { answer } else { nil } }
    var notSent: TransportFault? { if case .notSent(let fault) = self { fault } else { nil } }
    var maybeSent: TransportFault? { if case .maybeSent(let fault, _) = self { fault } else { nil } }
}

/// Runs the body for each element, so many at once.
func inParallel<Element: Sendable>(
    _ elements: [Element], width: Int, _ body: @escaping @Sendable (Element) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, element) in elements.enumerated() {
            if index >= width { try await group.next() }
            group.addTask { try await body(element) }
        }
        try await group.waitForAll()
    }
}
