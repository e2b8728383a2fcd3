import Foundation
import RawSockets
import Testing

@testable import HTTPClient

@Suite("Answers of a server", .timeLimit(.minutes(5)))
struct AnswerTests {
    private func result(_ text: String, deadline: Duration = .seconds(60), ending: Step = .close) async throws
        -> ExchangeResult
    {
        let server = RawServer { _ in [.readRequest, .write(text), ending] }
        let client = try makeClient()
        let result = await client.perform(
            post(server.url, deadline: deadline, maximumBodyBytes: 1000, maximumHeadBytes: 4000))
        await client.close()
        await server.stop()
        #expect(server.requestCount == 1)
        return result
    }

    @Test("The request is HTTP/1.1 with the given fields and body, and asks for no compression")
    func request() async throws {
        let server = RawServer { _ in [.readRequest, .write(answer200)] }
        let client = try makeClient()
        _ = await client.perform(post(server.url))
        await server.stop()
        let text = String(decoding: server.received[0], as: UTF8.self)
        #expect(text.hasPrefix("POST /start?a=b HTTP/1.1\r\n"))
        #expect(text.contains("\r\nauth: secret-token\r\n"))
        #expect(text.contains("\r\nAccept-Encoding: identity\r\n"))
        #expect(text.contains("\r\nContent-Length: 2\r\n"))
        #expect(text.hasSuffix("\r\n\r\n{}"))
        #expect(!text.contains("Expect"))
    }

    @Test(
        "Interim heads are passed over, and their fields do not stay",
        arguments: ["100 Continue", "102 Processing", "103 Early Hints"])
    func interim(line: String) async throws {
        let result = try await result("HTTP/1.1 \(line)\r\nRetry-After: 77\r\n\r\n" + answer200)
        let answer = try #require(result.answer)
        #expect(answer.status == 200)
        #expect(answer.field("retry-after") == nil)
    }

    @Test(
        "An interim head alone is no answer", arguments: ["100 Continue", "101 Switching Protocols", "103 Early Hints"])
    func interimAlone(line: String) async throws {
        guard case .maybeSent(_, let status) = try await result("HTTP/1.1 \(line)\r\n\r\n") else {
            Issue.record("an interim head became a result")
            return
        }
        #expect(status == nil)
    }

    @Test("A flood of interim heads ends the exchange")
    func flood() async throws {
        let interim = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 17)
        #expect(try await result(interim + answer200).maybeSent?.kind == .interimFlood)
    }

    @Test("Fields come in lower case, folded lines joined, in order")
    func fields() async throws {
        let answer = try await result(
            "HTTP/1.1 503 No\r\nRetry-AFTER:  12 \r\nX-A: one\r\n two\r\nX-B:\r\nContent-Length: 0\r\n\r\n"
        ).answer
        #expect(answer?.status == 503)
        #expect(answer?.field("retry-after") == "12")
        #expect(answer?.field("x-a") == "one two")
        #expect(answer?.field("x-b") == "")
    }

    @Test(
        "Bodies of unknown length end with the connection, also with HTTP/1.0",
        arguments: [
            "HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.0 200 OK\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
        ])
    func lengths(text: String) async throws {
        #expect(try await result(text).answer?.body == Array("hello".utf8))
    }

    @Test("A status that has not three digits is no answer", arguments: ["1000", "20", "abc", "2000", ""])
    func malformedStatus(status: String) async throws {
        let result = try await result("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
        #expect(result.answer == nil && result.notSent == nil)
    }

    @Test("A status outside the classes is never a class", arguments: ["099", "000", "600", "999"])
    func oddStatus(status: String) async throws {
        let result = try await result("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
        #expect(result.notSent == nil)
        if let answer = result.answer { #expect(answer.status == Int(status)) }
    }

    @Test("Bodies and heads above their bounds end the exchange")
    func bounds() async throws {
        let long = String(repeating: "x", count: 5000)
        #expect(
            try await result("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n\(long)").maybeSent?.kind == .bodyTooLarge)
        #expect(try await result("HTTP/1.1 200 OK\r\nX: \(long)\r\n\r\n").maybeSent?.kind == .headTooLarge)
    }

    @Test("The deadline covers the body: one that hangs has no answer, and its status is told")
    func hangingBody() async throws {
        let result = try await result(
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", deadline: .seconds(5), ending: .stall)
        guard case .maybeSent(let fault, let status) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(fault.kind == .timeout && status == 200)
    }

    @Test("An answer that is there when the client's thread goes on after the deadline is an answer")
    func standstill() async throws {
        let (asked, answers, answered) = (Gate(), Gate(), Gate())
        let server = RawServer { number in
            number == 0
                ? [.readRequest, .open(asked), .wait(answers), .write(answer200), .open(answered), .stall]
                : [.readRequest, .write(answer200)]
        }
        let client = try makeClient()
        async let late = client.perform(post(server.url, deadline: .seconds(8)))
        await asked.passed()
        let over = ContinuousClock.now + .seconds(8)
        var blocking = post(server.url)
        blocking.maySend = {
            answers.open()
            while !answered.isOpen || ContinuousClock.now < over { usleep(1000) }
            return true
        }
        #expect(await client.perform(blocking).answer != nil)
        #expect(await late.answer?.status == 200)
        await client.close()
        await server.stop()
    }

    @Test("Redirects are answers, never followed", arguments: [301, 302, 303, 307, 308])
    func redirects(status: Int) async throws {
        let result = try await result("HTTP/1.1 \(status) Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        #expect(result.answer?.status == status)
    }

    @Test("A malformed answer is no answer", arguments: ["SMTP hello\r\n\r\n", "\r\n\r\n", "<html></html>"])
    func garbage(text: String) async throws {
        let result = try await result(text)
        #expect(result.answer == nil && result.notSent == nil)
    }
}
