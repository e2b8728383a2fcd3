internal import HTTPServer
internal import Synchronization

/// Turns HTTP requests into calls of the platform and their answers.
final class Handling: Sendable {
    let platform: Mutex<Platform>
    /// Asks, by an admin call, to go down for a while; the newest is kept. `KoreSimulator.run` does it.
    let downRequests: AsyncStream<Duration>
    private let downInput: AsyncStream<Duration>.Continuation
    private let now: @Sendable () -> Int64

    init(settings: SimulatorSettings, now: @escaping @Sendable () -> Int64) throws(SimulatorError) {
        let offset = settings.clockOffset.inMilliseconds
        let journal = try Journal(file: settings.journalFile, limit: settings.journalLimit)
        platform = Mutex(Platform(settings, journal: journal, now: now() + offset))
        self.now = now
        (downRequests, downInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Lets `run` go down for so long.
    func requestDown(_ duration: Duration) { downInput.yield(duration) }

    /// No further admin call is carried out.
    func endDownRequests() { downInput.finish() }

    /// The platform's clock, in milliseconds.
    var platformTime: Int64 {
        now() + platform.withLock { $0.settings.clockOffset.inMilliseconds }
    }

    /// A server on this platform.
    func listen(_ settings: HTTPServerSettings) throws(HTTPServerError) -> HTTPServer {
        try HTTPServer(
            settings: settings, inspectHead: { [self] in inspect(&$0) }, respond: { [self] in respond(to: $0) })
    }

    private func inspect(_ request: inout HTTPRequest) -> HTTPHeadAction {
        if request.segments.first == "simulator" { return .read }
        let call = platform.withLock { $0.receive(request) }
        request.context = call
        guard case .cutBeforeReading(let end) = call.fault?.answer else { return .read }
        let now = self.now()
        platform.withLock { platform in
            let decided = platform.decide(call, request, now: now + platform.settings.clockOffset.inMilliseconds)
            platform.end(decided.sequence, answered: false)
        }
        return end == .reset ? .reset : .close
    }

    private func respond(to request: HTTPRequest) -> HTTPReply {
        guard let call = request.context as? Call else { return AdminAPI.respond(to: request, handling: self) }
        let after = call.fault?.delayAfter ?? .zero
        if call.before == .zero, after == .zero { return .now(answer(call, request)) }
        return .later { [self] in
            do {
                try await Task.sleep(for: call.before)
                let response = answer(call, request)
                try await Task.sleep(for: after)
                return response
            } catch {
                // Stopped: the connection is closed whatever is returned here.
                return HTTPResponse(status: 503)
            }
        }
    }

    /// Decides the call now, and makes its answer.
    private func answer(_ call: Call, _ request: HTTPRequest) -> HTTPResponse {
        let now = self.now()
        let decided = platform.withLock { platform in
            platform.decide(call, request, now: now + platform.settings.clockOffset.inMilliseconds)
        }
        var response = call.fault?.response(decided) ?? decided.answer.response
        response.ended = { [self] sent in platform.withLock { $0.end(decided.sequence, answered: sent) } }
        return response
    }
}
