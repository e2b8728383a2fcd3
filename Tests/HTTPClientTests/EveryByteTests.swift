import RawSockets
import Testing

@testable import HTTPClient

/// How the server ends a connection in the middle.
enum Ending: String, CaseIterable, Sendable {
    case reset, close, stall

    var step: Step {
        switch self {
        case .reset: .reset
        case .close: .close
        case .stall: .stall
        }
    }

    /// A stall costs the client its deadline; the others must not depend on it.
    var deadline: Duration { self == .stall ? .milliseconds(400) : .seconds(60) }
}

@Suite("Connections that end at every byte", .timeLimit(.minutes(5)))
struct EveryByteTests {
    /// One exchange against one server. On a kept connection another exchange goes before.
    private func check(_ ending: Ending, kept: Bool, cut: [Step], wholeAnswer: Bool, place: String) async throws {
        let server = RawServer { number in
            let normal: [Step] = [.readRequest, .write(answer200)]
            if number == 0 { return (kept ? normal : []) + cut + [ending.step] }
            // A second connection is served as it should be: a request that is sent again would be accepted.
            return normal + [.stall]
        }
        let client = try makeClient(maximumConnections: 1)
        if kept {
            let first = await client.perform(post(server.url, reuse: true))
            #expect(first.answer?.status == 200, "\(place)")
        }
        let before = (server.requestCount, server.byteCount)
        let result = await client.perform(
            post(server.url, deadline: wholeAnswer ? .seconds(60) : ending.deadline, reuse: kept))
        await client.close()
        await server.stop()
        let requests = server.requestCount - before.0
        let bytes = server.byteCount - before.1
        #expect(requests <= 1, "a request was sent twice: \(place)")
        switch result {
        case .answer(let answer):
            #expect(answer.status == 200 && answer.body.count == 15, "\(place)")
            #expect(requests == 1, "\(place)")
        case .notSent(let fault):
            #expect(bytes == 0, "bytes arrived of a request that was not sent: \(place) \(fault)")
        case .maybeSent(let fault, _):
            #expect(!wholeAnswer, "\(place) \(fault)")
            #expect(!fault.text.contains("secret"), "\(place)")
        }
        // A stalled exchange may meet its short deadline before it is sent where the machine is busy.
        if !kept && ending != .stall { #expect(result.notSent == nil, "the request was on its way: \(place)") }
    }

    @Test(
        "A request that is read up to any byte is never sent twice, and never called unsent",
        arguments: Ending.allCases, [false, true])
    func requestSide(ending: Ending, kept: Bool) async throws {
        let probe = RawServer { _ in [.readRequest, .write(answer200)] }
        _ = await (try makeClient()).perform(post(probe.url))
        await probe.stop()
        try await inParallel(Array(1...probe.byteCount), width: 48) { count in
            try await check(
                ending, kept: kept, cut: [.read(count)], wholeAnswer: false,
                place: "\(ending) after \(count) bytes of the request, kept \(kept)")
        }
    }

    @Test(
        "An answer that ends at any byte is an answer only when it is whole", arguments: Ending.allCases, [false, true])
    func answerSide(ending: Ending, kept: Bool) async throws {
        let whole = Array(answer200.utf8)
        try await inParallel(Array(0...whole.count), width: 48) { count in
            try await check(
                ending, kept: kept, cut: [.readRequest, .writeBytes(Array(whole[..<count]))],
                // A reset may overtake the last bytes.
                wholeAnswer: count == whole.count && ending != .reset,
                place: "\(ending) after \(count) bytes of the answer, kept \(kept)")
        }
    }
}
