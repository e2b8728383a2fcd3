internal import CMicrohttpd
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// One request and its answer, from the request line to the end of the exchange.
///
/// Unchecked: `connection` is a C pointer, used on the connection's own thread or while the exchange holds it suspended;
/// `request`, `excess` and `phase` are touched only on that thread until the request is handed on; what both
/// threads need is under the mutex.
final class Exchange: @unchecked Sendable {
    enum Phase { case head, body, handled, answered }
    enum Outcome { case answer(HTTPResponse), abandon }

    private struct State {
        var suspended = false
        var outcome: Outcome?
        var channel: BodyChannel?
        var wireSent = false
        var ended: (@Sendable (Bool) -> Void)?
    }

    let target: String
    let connection: OpaquePointer
    var phase = Phase.head
    var request: HTTPRequest?
    /// Bytes of the body beyond the limit; they are dropped.
    var excess = 0
    private let state = Mutex(State())

    init(target: String, connection: OpaquePointer) {
        self.target = target
        self.connection = connection
    }

    /// Suspends the connection; on the connection's thread. What follows is `resolve`, exactly once.
    func suspend() {
        state.withLock {
            $0.suspended = true
            MHD_suspend_connection(connection)
        }
    }

    /// Sets the outcome and lets the connection go on; the first call counts.
    ///
    /// - Returns: false where there is an outcome already: an answer is then not sent.
    @discardableResult
    func resolve(
        _ outcome: Outcome, channel: BodyChannel? = nil, ended: (@Sendable (Bool) -> Void)? = nil
    ) -> Bool {
        let first = state.withLock { s in
            guard s.outcome == nil else { return false }
            s.outcome = outcome
            s.channel = channel
            s.ended = ended
            if case .answer(let response) = outcome { s.ended = response.ended }
            defer { s.suspended = false }
            return s.suspended
        }
        // Outside the lock: libmicrohttpd's thread may at once ask for the outcome. It is still suspended until here.
        if first { MHD_resume_connection(connection) }
        return first
    }

    /// Sets the outcome of an exchange that was never suspended.
    func settle(_ response: HTTPResponse) {
        state.withLock {
            $0.outcome = .answer(response)
            $0.ended = response.ended
        }
    }

    /// The outcome and the channel of a streamed body; nil while there is none.
    var outcome: (Outcome, BodyChannel?)? {
        state.withLock { s in s.outcome.map { ($0, s.channel) } }
    }

    /// Ends what still runs, for a stop: an unanswered exchange is closed, a streamed body is cut.
    func abandon() {
        resolve(.abandon)
        state.withLock { $0.channel }?.close()
    }

    /// The connection is done with this exchange.
    func end(completed: Bool) {
        let (channel, ended, sent) = state.withLock { s in
            defer { s.ended = nil }
            return (s.channel, s.ended, completed || s.wireSent)
        }
        channel?.close()
        ended?(sent)
    }

    /// Carries out a script on the socket while the exchange is suspended.
    ///
    /// - Returns: whether the answer follows; otherwise the connection is to be closed.
    func perform(_ script: WireScript) async -> Bool {
        for step in script.steps {
            switch step {
            case .send(let bytes):
                guard await send(bytes) else { return false }
            case .wait(let duration):
                guard await Self.pause(duration) else { return false }
            }
        }
        switch script.end {
        case .answer: return true
        case .close: return false
        case .reset:
            _ = withSocket { cb_reset($0) }
            return false
        case .hold(let limit):
            let clock = ContinuousClock()
            let end = clock.now + limit
            while clock.now < end, withSocket({ cb_peer_gone($0) == 0 }) ?? false {
                guard await Self.pause(min(.milliseconds(20), end - clock.now)) else { break }
            }
            return false
        }
    }

    /// False where the task was cancelled, which ends a script.
    private static func pause(_ duration: Duration) async -> Bool {
        do {
            try await Task.sleep(for: duration)
            return true
        } catch {
            return false
        }
    }

    private func send(_ bytes: [UInt8]) async -> Bool {
        var rest = bytes[...]
        let clock = ContinuousClock()
        let end = clock.now + .seconds(10)
        while !rest.isEmpty {
            let sent = withSocket { socket in
                rest.withUnsafeBytes {
                    cb_send(socket, $0.baseAddress, $0.count)
                }
            }
            guard let sent else { return false }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else {
                guard errno == EAGAIN || errno == EINTR, clock.now < end, await Self.pause(.milliseconds(5))
                else { return false }
            }
        }
        state.withLock { $0.wireSent = true }
        return true
    }

    /// Runs `body` with the socket, or nothing once the exchange has its outcome: the descriptor may then belong to
    /// another connection. `body` must not wait.
    private func withSocket<T>(_ body: (Int32) -> T) -> T? {
        state.withLock { s in
            guard s.outcome == nil, s.suspended else { return nil }
            return body(cb_mhd_socket(connection))
        }
    }
}
