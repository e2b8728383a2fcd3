internal import CMicrohttpd
internal import Synchronization

/// Work of one exchange that is done by a child task of `HTTPServer.run`.
struct ExchangeJob: Sendable {
    var exchange: Exchange
    var work: @Sendable () async -> HTTPResponse

    /// Makes the answer, carries out its wire script, hands it over, and writes a streamed body to its end.
    func perform() async {
        let response = await work()
        if let wire = response.wire, await !exchange.perform(wire) {
            var silent = response
            silent.body = .bytes([])
            exchange.resolveSilently(silent)
            return
        }
        guard case .stream(let stream) = response.body else {
            if !exchange.resolve(.answer(response)) { response.ended?(false) }
            return
        }
        let channel = BodyChannel(connection: exchange.connection, limit: stream.bufferLimit)
        guard exchange.resolve(.answer(response), channel: channel) else {
            response.ended?(false)
            return
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await stream.write(HTTPBodyWriter(channel: channel)) }
            group.addTask { await channel.waitUntilClosed() }
            // The writer's return ends the body; a closed connection ends the writer.
            await group.next()
            group.cancelAll()
        }
        channel.finish()
    }
}

/// What libmicrohttpd's threads and the server share. It lives until the daemon has stopped.
final class ServerCore: Sendable {
    struct State {
        var live: [ObjectIdentifier: Exchange] = [:]
        var active = 0
        var requests: UInt64 = 0
        /// No child task will come: what would need one is answered with 503.
        var withoutRunner = false
        var stopping = false
        var ended = false
        var idleWaiter: CheckedContinuation<Void, Never>?
    }

    let settings: HTTPServerSettings
    let inspectHead: (@Sendable (inout HTTPRequest) -> HTTPHeadAction)?
    let handler: @Sendable (HTTPRequest) -> HTTPReply
    let jobs: AsyncStream<ExchangeJob>
    private let jobsInput: AsyncStream<ExchangeJob>.Continuation
    private let state = Mutex(State())

    init(
        settings: HTTPServerSettings, inspectHead: (@Sendable (inout HTTPRequest) -> HTTPHeadAction)?,
        handler: @escaping @Sendable (HTTPRequest) -> HTTPReply
    ) {
        self.settings = settings
        self.inspectHead = inspectHead
        self.handler = handler
        // Bounded by the connection limit: a connection has one exchange at a time.
        (jobs, jobsInput) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    var isStopping: Bool { state.withLock { $0.stopping } }
    var requests: UInt64 { state.withLock { $0.requests } }

    /// A request line has arrived.
    func began() {
        state.withLock {
            $0.active += 1
            $0.requests += 1
        }
    }

    /// An exchange has ended, however.
    func ended(_ exchange: Exchange, completed: Bool) {
        exchange.end(completed: completed)
        let waiter = state.withLock { s -> CheckedContinuation<Void, Never>? in
            s.live[ObjectIdentifier(exchange)] = nil
            s.active -= 1
            guard s.active == 0 else { return nil }
            defer { s.idleWaiter = nil }
            return s.idleWaiter
        }
        waiter?.resume()
    }

    enum Admission { case suspended, noRunner, ended }

    /// Suspends the exchange and gives its work to the runner; on the connection's thread.
    func submit(_ job: ExchangeJob) -> Admission {
        let admission = state.withLock { s -> Admission in
            if s.ended { return .ended }
            if s.withoutRunner { return .noRunner }
            s.live[ObjectIdentifier(job.exchange)] = job.exchange
            job.exchange.suspend()
            return .suspended
        }
        if admission == .suspended, case .terminated = jobsInput.yield(job) {
            job.exchange.resolve(.answer(.unavailable))
        }
        return admission
    }

    /// The runner takes no further work: what still waits is answered with 503.
    func endJobs() {
        state.withLock { $0.withoutRunner = true }
        jobsInput.finish()
    }

    /// Answers what was submitted and never begun; after `endJobs`, when no child runs any more.
    func answerUnavailable() {
        for exchange in state.withLock({ Array($0.live.values) }) {
            exchange.resolve(.answer(.unavailable))
        }
    }

    /// True for the first call.
    func beginStop() -> Bool {
        state.withLock { s in
            defer { s.stopping = true }
            return !s.stopping
        }
    }

    /// Returns when no exchange is under way, or the task is cancelled.
    func waitIdle() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let now = state.withLock { s in
                    if s.active == 0 || Task.isCancelled { return true }
                    s.idleWaiter = continuation
                    return false
                }
                if now { continuation.resume() }
            }
        } onCancel: {
            state.withLock { s in
                defer { s.idleWaiter = nil }
                return s.idleWaiter
            }?.resume()
        }
    }

    /// From now on no exchange is suspended; those that are, go to their end. Required before the daemon stops.
    func abandonAll() {
        let live = state.withLock { s in
            s.ended = true
            return Array(s.live.values)
        }
        for exchange in live { exchange.abandon() }
    }
}

extension Exchange {
    /// The script has ended the exchange without an answer: the connection closes, and the answer's `ended` is told.
    func resolveSilently(_ response: HTTPResponse) {
        if resolve(.abandon, ended: response.ended) { return }
        response.ended?(false)
    }
}

extension HTTPResponse {
    /// The answer while nobody can make a better one.
    static var unavailable: HTTPResponse { .text("The server is stopping.\n", status: 503) }
}
