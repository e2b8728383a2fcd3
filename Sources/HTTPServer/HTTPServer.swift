internal import CMicrohttpd
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// An HTTP/1.1 server on libmicrohttpd.
///
/// It listens from `init` on. `handler` is called on the server's own threads with each complete request, one call at a
/// time per thread, and must be short: it answers at once (`HTTPReply.now`), or returns work (`.later`) that runs as a
/// child task of `run`, with the connection suspended meanwhile. So `run` must be running for `.later`, streamed bodies and
/// wire scripts; there are never more child tasks than connections. Nothing that a client sends ends the process.
package final class HTTPServer: Sendable {
    private struct Daemon: @unchecked Sendable {
        // Unchecked: libmicrohttpd's daemon may be asked and stopped from any thread.
        var pointer: OpaquePointer
        var settings: UnsafeMutablePointer<cb_mhd_settings>
    }

    /// The port that it listens on.
    package let port: UInt16
    private let core: ServerCore
    private let daemon: Mutex<Daemon?>
    private let secrets: PEMFiles?

    /// Listens.
    ///
    /// - Parameters:
    ///   - settings: where and within which bounds.
    ///   - inspectHead: called with the head of each request, before its body is read; may leave something in the
    ///     request's `context` for the handler.
    ///   - handler: makes the answer to a complete request; see the type's description.
    /// - Throws: where the address cannot be had or the certificate cannot be read; the message says what to do.
    package init(
        settings: HTTPServerSettings,
        inspectHead: (@Sendable (inout HTTPRequest) -> HTTPHeadAction)? = nil,
        respond handler: @escaping @Sendable (HTTPRequest) -> HTTPReply
    ) throws(HTTPServerError) {
        guard settings.threads >= 1, settings.connectionLimit >= settings.threads, settings.bodyLimit >= 0,
            settings.connectionMemoryLimit >= 2048, settings.connectionLimitPerAddress >= 0
        else {
            throw HTTPServerError(
                code: .settings,
                message:
                    "an HTTP server needs at least 1 thread, as many connections, and 2048 bytes of memory for each")
        }
        secrets = try PEMFiles.read(settings)
        let socket = try ListenSocket.open(host: settings.host, port: settings.port, backlog: settings.backlog)
        port = socket.port
        core = ServerCore(settings: settings, inspectHead: inspectHead, handler: handler)
        let seconds = settings.idleTimeout.components
        var native = cb_mhd_settings()
        native.listen_socket = socket.descriptor
        native.connection_limit = UInt32(clamping: settings.connectionLimit)
        native.per_address_limit = UInt32(clamping: settings.connectionLimitPerAddress)
        native.timeout_seconds = UInt32(clamping: seconds.seconds + (seconds.attoseconds > 0 ? 1 : 0))
        native.threads = UInt32(clamping: settings.threads)
        native.connection_memory = settings.connectionMemoryLimit
        native.context = Unmanaged.passUnretained(core).toOpaque()
        native.handle = handleCallback
        native.begin = beginCallback
        native.completed = completedCallback
        native.log = logCallback
        let started = secrets.withPointers(priorities: settings.tlsPriorities) { certificate, key, priorities in
            native.certificate = certificate
            native.key = key
            native.priorities = priorities
            let settings = UnsafeMutablePointer<cb_mhd_settings>.allocate(capacity: 1)
            settings.initialize(to: native)
            guard let pointer = cb_mhd_start(settings) else {
                settings.deallocate()
                return Daemon?.none
            }
            return Daemon(pointer: pointer, settings: settings)
        }
        guard let started else {
            close(socket.descriptor)
            throw HTTPServerError(
                code: secrets == nil ? .library : .certificate,
                message: secrets == nil
                    ? "libmicrohttpd did not start: see its report, and the limits on threads and open files"
                    : "TLS did not start: certificate and key must be PEM, belong together and need no password")
        }
        daemon = Mutex(started)
    }

    /// Listens with a handler that is always asynchronous; see the other initialiser.
    package convenience init(
        settings: HTTPServerSettings, handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) throws(HTTPServerError) {
        try self.init(settings: settings, respond: { request in .later { await handler(request) } })
    }

    deinit {
        core.endJobs()
        stopDaemon()
    }

    /// Runs the asynchronous handlers until `stop` is called or the task is cancelled, and returns when the last has
    /// returned. Call it once. After it, requests that would need it are answered with 503.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await job in core.jobs {
                group.addTask { await job.perform() }
            }
            core.endJobs()
            group.cancelAll()
        }
        // What was submitted and never begun: without an outcome its connection would stay suspended.
        core.answerUnavailable()
    }

    /// Stops listening, lets exchanges that are under way end, at most until the deadline, and then closes every connection
    /// and lets `run` return; handlers that still run are cancelled and their answers dropped. A second call returns
    /// when the server has stopped, or at once.
    ///
    /// - Parameter deadline: how long to wait for exchanges; zero cuts them off.
    package func stop(deadline: Duration) async {
        if core.beginStop() {
            let listener = daemon.withLock { $0.map { MHD_quiesce_daemon($0.pointer) } ?? -1 }
            if listener >= 0 { close(listener) }
            if deadline > .zero {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { [core] in await core.waitIdle() }
                    // Cancelled, it only ends sooner.
                    group.addTask { try? await Task.sleep(for: deadline) }
                    await group.next()
                    group.cancelAll()
                }
            }
            core.endJobs()
            stopDaemon()
        }
    }

    /// Connections that are open now.
    package var connections: Int {
        daemon.withLock { $0.map { Int(cb_mhd_connections($0.pointer)) } ?? 0 }
    }

    /// Requests whose first line has arrived since the start.
    package var requests: UInt64 { core.requests }

    private func stopDaemon() {
        core.abandonAll()
        let owned = daemon.withLock { daemon in
            defer { daemon = nil }
            return daemon
        }
        guard let owned else { return }
        MHD_stop_daemon(owned.pointer)
        owned.settings.deallocate()
    }
}

/// Runs a server for as long as `body` does, then stops it within the deadline; at once where `body` fails.
///
/// - Returns: what `body` returns.
package func withHTTPServer<Success: Sendable>(
    _ server: HTTPServer, stopDeadline: Duration = .seconds(5),
    _ body: (HTTPServer) async throws -> Success
) async throws -> Success {
    let result = await withDiscardingTaskGroup { group in
        group.addTask { await server.run() }
        do {
            let success = try await body(server)
            await server.stop(deadline: stopDeadline)
            return Result<Success, any Error>.success(success)
        } catch {
            await server.stop(deadline: .zero)
            return .failure(error)
        }
    }
    return try result.get()
}
