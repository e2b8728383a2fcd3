import RawSockets
import Testing

@testable import HTTPClient

@Suite("Connections, limits and cancelling", .timeLimit(.minutes(5)))
struct ConnectionTests {
    @Test("Nobody listens: not sent")
    func refused() async throws {
        let nobody = UnusedPort()
        let result = try await makeClient().perform(post(nobody.url))
        #expect(result.notSent?.kind == .connectRefused)
        withExtendedLifetime(nobody) {}
    }

    @Test("A name without an address: not sent")
    func unknownName() async throws {
        let exchange = HTTPExchange(
            method: .post, url: "https://no-such-host.invalid/", deadline: .seconds(5), connectTimeout: .seconds(5))
        let fault = try #require(try await makeClient().perform(exchange).notSent)
        #expect(fault.kind == .dns || fault.kind == .connectTimeout)
    }

    @Test(
        "URLs that lead elsewhere than they seem are refused",
        arguments: [
            "http://example.com/", "http://localhost@example.com/", "ftp://localhost/", "https://a b/", "http://127.1/",
            "http://127.0.0.1:/", "http://[::1/", "https:///x", "http://127.0.0.1:99999/", "HTTPS://x/",
            "https://h\\x/",
        ])
    func urls(url: String) async throws {
        let exchange = HTTPExchange(method: .get, url: url, deadline: .seconds(1), connectTimeout: .seconds(1))
        #expect(try await makeClient().perform(exchange).notSent?.kind == .invalidRequest)
    }

    @Test("A header cannot bring a second one", arguments: ["a\r\nX: y", "a\nb", "a\0b"])
    func headers(value: String) async throws {
        var exchange = post("http://127.0.0.1:1")
        exchange.headers.append(("iid", value))
        #expect(try await makeClient().perform(exchange).notSent?.kind == .invalidRequest)
    }

    @Test("By default every exchange has a connection of its own")
    func fresh() async throws {
        let server = RawServer { _ in [.readRequest, .write(answer200), .stall] }
        let client = try makeClient()
        for _ in 0..<3 { #expect(await client.perform(post(server.url)).answer != nil) }
        await server.stop()
        #expect(server.received.count == 3)
    }

    @Test("With reuse one connection carries several")
    func reuse() async throws {
        let server = RawServer { _ in Array(repeating: [.readRequest, .write(answer200)], count: 3).flatMap { $0 } }
        let client = try makeClient()
        for _ in 0..<3 { #expect(await client.perform(post(server.url, reuse: true)).answer != nil) }
        await server.stop()
        #expect(server.received.count == 1)
    }

    @Test("A kept connection that holds a stray answer is not used, and nothing is sent")
    func stray() async throws {
        let (next, written) = (Gate(), Gate())
        let stray = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
        let server = RawServer { number in
            number == 0
                ? [.readRequest, .write(answer200), .wait(next), .write(stray), .open(written), .stall]
                : [.readRequest, .write(answer200)]
        }
        let client = try makeClient()
        #expect(await client.perform(post(server.url, reuse: true)).answer?.status == 200)
        next.open()
        await written.passed()
        // libcurl may notice by itself and open another connection; what must not happen is the stray answer.
        let second = await client.perform(post(server.url, reuse: true))
        #expect(second.answer?.status == 200 || second.notSent?.kind == .staleConnection)
        await client.close()
        await server.stop()
        #expect(server.requestCount == (second.answer == nil ? 1 : 2))
    }

    @Test("After closing the kept connections the old one carries nothing")
    func closeKept() async throws {
        let server = RawServer { _ in [.readRequest, .write(answer200), .readRequest, .write(answer200)] }
        let client = try makeClient()
        #expect(await client.perform(post(server.url, reuse: true)).answer != nil)
        client.closeKeptConnections()
        #expect(await client.perform(post(server.url, reuse: true)).notSent?.kind == .staleConnection)
        await client.close()
        await server.stop()
        #expect(server.requestCount == 1)
    }

    @Test("A proxy's refusal is before the request", arguments: [407, 502, 403])
    func proxy(status: Int) async throws {
        let proxy = RawServer { _ in
            [.readRequest, .write("HTTP/1.1 \(status) No\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")]
        }
        let client = try makeClient(proxy: proxy.url)
        #expect(await client.perform(post("http://127.0.0.1:9")).notSent?.kind == .proxy)
        await proxy.stop()
        let text = String(decoding: proxy.received[0], as: UTF8.self)
        #expect(text.hasPrefix("CONNECT 127.0.0.1:9 "))
        #expect(!text.contains("secret-token"))
    }

    @Test("Through a proxy's tunnel the answer is the server's own")
    func tunnel() async throws {
        let proxy = RawServer { _ in
            [.readRequest, .write("HTTP/1.1 200 Go\r\nRetry-After: 9\r\n\r\n"), .readRequest, .write(answer200)]
        }
        let client = try makeClient(proxy: proxy.url)
        let answer = await client.perform(post("http://127.0.0.1:9")).answer
        await proxy.stop()
        #expect(answer?.status == 200)
        #expect(answer?.field("retry-after") == nil)
    }

    @Test("Exchanges above the limit wait, and those that cannot wait are not sent")
    func limits() async throws {
        let (reached, go) = (Gate(), Gate())
        let server = RawServer { number in
            number == 0
                ? [.readRequest, .open(reached), .wait(go), .write(answer200)] : [.readRequest, .write(answer200)]
        }
        let client = try makeClient(maximumConnections: 1, maximumWaiting: 1)
        async let first = client.perform(post(server.url))
        await reached.passed()
        // Two come while one is under way and one place is free to wait: one of them is turned away at once.
        let results = await withTaskGroup(of: ExchangeResult.self) { group in
            for _ in 0..<2 { group.addTask { await client.perform(post(server.url)) } }
            var results: [ExchangeResult] = []
            for await result in group {
                results.append(result)
                go.open()
            }
            return results
        }
        #expect(await first.answer != nil)
        #expect(results.filter { $0.notSent?.kind == .overloaded }.count == 1)
        #expect(results.filter { $0.answer != nil }.count == 1)
        await server.stop()
        #expect(server.requestCount == 2)
    }

    @Test("Waiting counts against the deadline")
    func waitingDeadline() async throws {
        let (reached, go) = (Gate(), Gate())
        let server = RawServer { _ in [.readRequest, .open(reached), .wait(go), .write(answer200)] }
        let client = try makeClient(maximumConnections: 1)
        async let first = client.perform(post(server.url))
        await reached.passed()
        #expect(await client.perform(post(server.url, deadline: .milliseconds(50))).notSent?.kind == .overloaded)
        go.open()
        #expect(await first.answer != nil)
        await server.stop()
        #expect(server.requestCount == 1)
    }

    @Test("A cancelled exchange that was sent runs on to its answer")
    func cancelAfterSending() async throws {
        let (reached, go) = (Gate(), Gate())
        let server = RawServer { _ in [.readRequest, .open(reached), .wait(go), .write(answer200)] }
        let client = try makeClient()
        let task = Task { await client.perform(post(server.url)) }
        await reached.passed()
        task.cancel()
        go.open()
        #expect(await task.value.answer?.status == 200)
        await server.stop()
    }

    @Test("An exchange cancelled while it waits or connects is not sent")
    func cancelBeforeSending() async throws {
        let (reached, go) = (Gate(), Gate())
        let server = RawServer { _ in [.readRequest, .open(reached), .wait(go), .write(answer200)] }
        let client = try makeClient(maximumConnections: 1)
        async let first = client.perform(post(server.url))
        await reached.passed()
        let second = Task { await client.perform(post(server.url)) }
        second.cancel()
        #expect(await second.value.notSent?.kind == .cancelled)
        go.open()
        #expect(await first.answer != nil)
        await server.stop()
        #expect(server.requestCount == 1)
    }

    @Test("A closed client refuses, and closing waits for what is under way")
    func close() async throws {
        let (reached, go) = (Gate(), Gate())
        let server = RawServer { _ in [.readRequest, .open(reached), .wait(go), .write(answer200)] }
        let client = try makeClient()
        async let first = client.perform(post(server.url))
        await reached.passed()
        async let closed: Void = client.close()
        go.open()
        #expect(await first.answer != nil)
        await closed
        #expect(await client.perform(post(server.url)).notSent?.kind == .clientClosed)
        await server.stop()
    }
}
