import RawSockets
import Testing

@testable import HTTPClient

extension ConnectionTests {
    @Suite("What is left behind", .timeLimit(.minutes(5)))
    struct LeakTests {
        @Test("Ten thousand cancelled exchanges leave no descriptor and no continuation, and each has one result")
        func cancelled() async throws {
            let server = RawServer { _ in [.readRequest, .write(answer200)] }
            let client = try makeClient(maximumConnections: 32)
            let url = server.url
            var counts = (answers: 0, notSent: 0, maybe: 0)
            await withTaskGroup(of: ExchangeResult.self) { group in
                for index in 0..<10_000 {
                    if index >= 500, let result = await group.next() { count(result, &counts) }
                    group.addTask {
                        await withTaskGroup(of: ExchangeResult.self) { inner in
                            inner.addTask { await client.perform(post(url)) }
                            for _ in 0..<(index % 7) { await Task.yield() }
                            inner.cancelAll()
                            return await inner.next() ?? .notSent(TransportFault(.internalError, ""))
                        }
                    }
                }
                for await result in group { count(result, &counts) }
            }
            #expect(counts.answers + counts.notSent + counts.maybe == 10_000)
            #expect(counts.notSent > 0)
            await client.close()
            await server.stop()
            // Every answer was a request, and nothing that is called unsent was one.
            #expect(server.requestCount >= counts.answers)
            #expect(server.requestCount <= counts.answers + counts.maybe)
            #expect(client.occupancy == HTTPClientOccupancy())
        }

        private func count(_ result: ExchangeResult, _ counts: inout (answers: Int, notSent: Int, maybe: Int)) {
            switch result {
            case .answer: counts.answers += 1
            case .notSent: counts.notSent += 1
            case .maybeSent: counts.maybe += 1
            }
        }
    }
}
