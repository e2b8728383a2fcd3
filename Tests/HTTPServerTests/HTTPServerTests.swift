import Foundation
import RawSockets
import Testing

@testable import HTTPServer

@Suite("HTTP server", .timeLimit(.minutes(5)))
struct HTTPServerTests {
    private func echo(_ request: HTTPRequest) -> HTTPResponse {
        .text(
            "\(request.method) \(request.segments) \(request.query.map { "\($0.name)=\($0.value)" }) \(request.body.count)"
        )
    }

    @Test("An immediate and an asynchronous handler both answer with what the request said", arguments: [true, false])
    func answers(immediate: Bool) async throws {
        let echo = self.echo
        let server = try HTTPServer(settings: .init()) { r in immediate ? .now(echo(r)) : .later { echo(r) } }
        try await withHTTPServer(server) { server async throws in
            let answer = try await RawClient.exchange(
                port: server.port, "POST", "/a%2Fb//c?x=1+2&y&x=%C3%A9", body: "12345")
            #expect(answer.head.hasPrefix("HTTP/1.1 200"))
            #expect(answer.body == "POST [\"a/b\", \"\", \"c\"] [\"x=1 2\", \"y=\", \"x=é\"] 5")
        }
    }

    @Test("A kept connection carries one request after the other")
    func keptConnection() async throws {
        let server = try HTTPServer(settings: .init()) { r in .later { .text("<\(r.path)>") } }
        try await withHTTPServer(server) { server async throws in
            let client = try RawClient(port: server.port)
            for path in ["/one", "/two", "/three"] {
                client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(await client.read { $0.hasSuffix("<\(path)>") }.hasSuffix("<\(path)>"))
            }
            #expect(server.requests == 3)
        }
    }

    /// Numbered, so that a test's name does not hold the text.
    private static let badTexts = [
        "\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET nonsense HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 20000))\r\n",
        "GET /\(String(repeating: "a", count: 200_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n: x\r\n\u{1}: y\r\n\r\n",
    ]

    @Test("Bad input gets an error or a closed connection, and the server goes on", arguments: badTexts.indices)
    func badInput(_ index: Int) async throws {
        var settings = HTTPServerSettings()
        settings.idleTimeout = .seconds(5)
        let server = try HTTPServer(settings: settings) { _ in .now(.text("fine")) }
        try await withHTTPServer(server, stopDeadline: .zero) { server async throws in
            let client = try RawClient(port: server.port)
            client.send(Self.badTexts[index])
            shutdown(client.descriptor, Int32(SHUT_WR))
            #expect(await !client.read().hasPrefix("HTTP/1.1 200"))
            #expect(try await RawClient.exchange(port: server.port, "GET", "/").body == "fine")
        }
    }

    @Test("A body over the limit is answered with 413, with a length, chunked, and with Expect")
    func bodyLimit() async throws {
        var settings = HTTPServerSettings()
        settings.bodyLimit = 10
        let server = try HTTPServer(settings: settings) { r in .now(.text("\(r.body.count)")) }
        try await withHTTPServer(server) { server async throws in
            let port = server.port
            #expect(try await RawClient.exchange(port: port, "POST", "/", body: "0123456789").body == "10")
            #expect(
                try await RawClient.exchange(port: port, "POST", "/", body: "0123456789a").head.hasPrefix(
                    "HTTP/1.1 413"))
            let chunked = try RawClient(port: port)
            chunked.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunked.send("8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n")
            #expect(await chunked.read().hasPrefix("HTTP/1.1 413"))
            let expecting = try RawClient(port: port)
            expecting.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
            #expect(await expecting.read { $0.contains("413") }.hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test("A streamed body reaches the client piece by piece, and its writer ends with the connection")
    func stream() async throws {
        let (ends, end) = AsyncStream<String>.makeStream()
        let server = try HTTPServer(settings: .init()) { _ in
            .now(
                .stream(headers: ["Content-Type": "text/event-stream"], bufferLimit: 1000) { writer in
                    var count = 0
                    do {
                        while true {
                            try await writer.write(Array("data: \(count)\n\n".utf8))
                            count += 1
                        }
                    } catch {
                        end.yield("\(type(of: error))")
                    }
                })
        }
        try await withHTTPServer(server, stopDeadline: .zero) { server async throws in
            var client: RawClient? = try RawClient(port: server.port)
            client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let text = await client?.read { $0.contains("data: 5000\n\n") } ?? ""
            #expect(text.contains("Transfer-Encoding: chunked"))
            #expect(text.contains("data: 0\n\n"))
            client = nil
            var iterator = ends.makeAsyncIterator()
            #expect(["Closed", "CancellationError"].contains(await iterator.next()))
        }
    }

    @Test("A stop waits for work under way, and cuts it off at the deadline", arguments: [true, false])
    func stop(ends: Bool) async throws {
        let (gate, open) = AsyncStream<Void>.makeStream()
        let (started, start) = AsyncStream<Void>.makeStream()
        let server = try HTTPServer(settings: .init()) { _ in
            .later {
                start.yield()
                for await _ in gate { break }
                return .text("late")
            }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await server.run() }
            do {
                let client = try RawClient(port: server.port)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                for await _ in started { break }
                if ends { open.yield() }
                await server.stop(deadline: ends ? .seconds(30) : .zero)
                #expect(await client.read().hasSuffix("late") == ends)
                #expect(throws: (any Error).self) { try RawClient(port: server.port) }
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test("A wire script sends raw bytes, closes, resets, and holds until the client goes")
    func wire() async throws {
        let server = try HTTPServer(settings: .init()) { request in
            var response = HTTPResponse.text("answer")
            switch request.path {
            case "/garbage": response.wire = WireScript([.send(Array("\u{1}nonsense".utf8))], end: .close)
            case "/close": response.wire = WireScript(end: .close)
            case "/reset": response.wire = WireScript(end: .reset)
            case "/early":
                response.wire = WireScript([.send(Array("HTTP/1.1 103 Early Hints\r\n\r\n".utf8))], end: .answer)
            case "/short": response.body = .truncated(Array("part".utf8), announced: 100)
            default: response.wire = WireScript(end: .hold(atMost: .seconds(60)))
            }
            return .now(response)
        }
        try await withHTTPServer(server) { server async throws in
            let port = server.port
            #expect(try await RawClient.exchange(port: port, "GET", "/garbage").head == "\u{1}nonsense")
            #expect(try await RawClient.exchange(port: port, "GET", "/close") == ("", "", .closed))
            #expect(try await RawClient.exchange(port: port, "GET", "/reset") == ("", "", .reset))
            let early = try await RawClient.exchange(port: port, "GET", "/early")
            #expect(early.head.hasPrefix("HTTP/1.1 103") && early.body.hasSuffix("answer"))
            let short = try await RawClient.exchange(port: port, "GET", "/short")
            #expect(short.head.contains("Content-Length: 100") && short.body == "part")
            var held: RawClient? = try RawClient(port: port)
            held?.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            held = nil
        }
        // The stop within its deadline shows that the held exchange ended with its client.
    }

    @Test(
        "Addresses of either family and form can be listened on",
        arguments: [
            "127.0.0.1", "[127.0.0.1]", "localhost", "", "*", "[::]", "::",
        ])
    func addresses(_ host: String) async throws {
        var settings = HTTPServerSettings()
        settings.host = host
        let server = try HTTPServer(settings: settings) { r in .now(.text(r.remoteAddress)) }
        try await withHTTPServer(server) { server async throws in
            #expect(try await RawClient.exchange(port: server.port, "GET", "/").body == "127.0.0.1")
        }
    }

    @Test("What cannot be listened on is an error that says what to do")
    func listenErrors() throws {
        var settings = HTTPServerSettings()
        settings.host = "nowhere"
        #expect(throws: HTTPServerError.self) { try HTTPServer(settings: settings) { _ in .now(.text("")) } }
        settings.host = "127.0.0.1"
        let first = try HTTPServer(settings: settings) { _ in .now(.text("")) }
        settings.port = first.port
        #expect { try HTTPServer(settings: settings) { _ in .now(.text("")) } } throws: {
            ($0 as? HTTPServerError)?.code == .addressInUse
        }
        settings.certificateFile = "/nonexistent"
        #expect(throws: HTTPServerError.self) { try HTTPServer(settings: settings) { _ in .now(.text("")) } }
    }

    @Test("With a certificate the server speaks TLS; with a wrong one it does not start")
    func tls() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (key, certificate) = (folder.path + "/key.pem", folder.path + "/cert.pem")
        let made = try await Tool.run(
            "openssl",
            "req -x509 -newkey rsa:2048 -nodes -keyout \(key) -out \(certificate) -days 1 -subj /CN=localhost")
        try #require(made.status == 0)
        var settings = HTTPServerSettings()
        settings.certificateFile = certificate
        settings.keyFile = key
        let server = try HTTPServer(settings: settings) { _ in .later { .text("over TLS") } }
        try await withHTTPServer(server) { server async throws in
            let answer = try await Tool.run(
                "curl", "-s --max-time 20 --noproxy * --cacert \(certificate) https://localhost:\(server.port)/")
            #expect(answer.output == "over TLS")
            #expect(try await RawClient.exchange(port: server.port, "GET", "/").body != "over TLS")
        }
        settings.keyFile = certificate
        #expect {
            try HTTPServer(settings: settings) { _ in .now(.text("")) }
        } throws: {
            ($0 as? HTTPServerError)?.code == .certificate
        }
    }

    @Test("A head inspection can end a connection before the body is read")
    func inspection() async throws {
        let server = try HTTPServer(
            settings: .init(), inspectHead: { $0.path == "/reset" ? .reset : $0.path == "/close" ? .close : .read },
            respond: { _ in .now(.text("read")) })
        try await withHTTPServer(server) { server async throws in
            #expect(try await RawClient.exchange(port: server.port, "GET", "/reset").end == .reset)
            #expect(try await RawClient.exchange(port: server.port, "GET", "/close").head.isEmpty)
            #expect(try await RawClient.exchange(port: server.port, "GET", "/").body == "read")
        }
    }

    @Test("A field that HTTP does not allow makes a 500 and no second header")
    func badField() async throws {
        let server = try HTTPServer(settings: .init()) { _ in
            .now(HTTPResponse(headers: ["X-A": "b\r\nX-Evil: 1"]))
        }
        try await withHTTPServer(server) { server async throws in
            let head = try await RawClient.exchange(port: server.port, "GET", "/").head
            #expect(head.hasPrefix("HTTP/1.1 500") && !head.contains("X-Evil"))
        }
    }
}

@Suite("Router")
struct RouterTests {
    private func answer(_ method: String, _ target: String) throws -> HTTPResponse {
        var router = Router()
        router.reply("GET", "/a/{id}") { .now(.text("id \($0.parameters["id"] ?? "")")) }
        router.reply("GET", "/a/fixed") { _ in .now(.text("fixed")) }
        router.reply("POST", "/a/{id}") { _ in .now(.text("post")) }
        router.reply("GET", "/files/{rest...}") { .now(.text($0.parameters["rest"] ?? "")) }
        let request = try #require(HTTPRequest(method: method, target: target))
        guard case .now(let response) = router.respond(to: request) else { throw CancellationError() }
        return response
    }

    private func text(_ response: HTTPResponse) -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "Parameters are decoded, literals win, and the rest is taken whole",
        arguments: [
            ("GET", "/a/x%2Fy", "id x/y"), ("GET", "/a/fixed", "fixed"), ("HEAD", "/a/1", "id 1"),
            ("POST", "/a/fixed", "post"),
            ("GET", "/files/b/c.css?v=1", "b/c.css"),
        ])
    func found(method: String, target: String, body: String) throws {
        #expect(text(try answer(method, target)) == body)
    }

    @Test("An unknown path is 404; a known one with another method 405 with Allow")
    func notFound() throws {
        #expect(try answer("GET", "/a").status == 404)
        #expect(try answer("GET", "/a/").status == 404)
        let refused = try answer("DELETE", "/a/1")
        #expect(refused.status == 405)
        #expect(refused.headers["allow"] == "GET, HEAD, POST")
    }
}
