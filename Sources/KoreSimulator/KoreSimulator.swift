internal import HTTPServer
internal import Synchronization

/// The campaign API of Kore.ai, simulated over real HTTP, with deliberate faults and a journal of what it really did.
///
/// Facts: `kore-api.md` of the project, from Kore.ai's public documents; where these are silent, a setting decides. It listens
/// from `init` on; `run` must be running for calls that take time (latency, most faults). Call from any thread.
package final class KoreSimulator: Sendable {
    private struct Lifecycle {
        var server: HTTPServer?
        var stopped = false
        var changed: [CheckedContinuation<Void, Never>] = []
    }

    /// The port, the same for as long as the simulator lives, windows in which it refuses connections included.
    package let port: UInt16
    private let host: String
    private let secure: Bool
    private let serverSettings: HTTPServerSettings
    private let handling: Handling
    private let lifecycle: Mutex<Lifecycle>

    /// Listens.
    ///
    /// - Parameters:
    ///   - now: the real time in milliseconds since 1970; `clockOffset` is added to it. Tests give their own.
    /// - Throws: `SimulatorError` or `HTTPServerError`, whose texts say what to change.
    package init(settings: SimulatorSettings, now: (@Sendable () -> Int64)? = nil) throws {
        for app in settings.apps where app.algorithm == .rs256 || app.algorithm == .rs512 {
            guard PublicKeys.isKey(app.key) else {
                throw SimulatorError("the key of app \(app.clientId) is no public key in PEM form")
            }
        }
        handling = try Handling(settings: settings, now: now ?? { Timestamp.now() })
        var server = settings.server
        let first = try handling.listen(server)
        port = first.port
        server.port = first.port
        serverSettings = server
        host = ["", "*", "::", "[::]"].contains(server.host) ? "127.0.0.1" : server.host
        secure = server.certificateFile != nil
        lifecycle = Mutex(Lifecycle(server: first))
    }

    /// Scheme, host and port, without a slash at the end.
    package var baseURL: String {
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        return "\(secure ? "https" : "http")://\(name):\(port)"
    }

    /// What was counted.
    package var counts: SimulatorCounts { handling.platform.withLock { $0.counts } }

    /// What was done, oldest first; see `SimulatorSettings.journalLimit`.
    package var journal: [JournalEntry] { handling.platform.withLock { $0.journal.entries } }

    /// The settings in force. Setting them changes the running platform; the fault rules' counters begin anew.
    package var settings: SimulatorSettings {
        get { handling.platform.withLock { $0.settings } }
        set {
            handling.platform.withLock {
                $0.settings = newValue
                $0.setFaults(newValue.faults)
            }
        }
    }

    /// Sets the fault rules; their counters begin anew.
    package func setFaults(_ rules: [FaultRule]) {
        handling.platform.withLock { $0.setFaults(rules) }
    }

    /// Puts a campaign into a status; false where it does not exist.
    @discardableResult
    package func setStatus(_ campaignId: String, to status: String) -> Bool {
        let now = handling.platformTime
        return handling.platform.withLock { $0.setStatus(campaignId, status, now: now) }
    }

    /// Forgets campaigns, tokens, rates, counts and the journal in memory; settings and faults stay.
    package func reset() {
        let now = handling.platformTime
        handling.platform.withLock { $0.reset(now: now) }
    }

    /// Serves until `stop`, or until the task is cancelled. Call it once.
    package func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { [self] in
                    for await duration in handling.downRequests {
                        do {
                            try await goDown(for: duration)
                        } catch {
                            // Cancelled, or the port is gone: the simulator stays down, as `goDown` says.
                            return
                        }
                    }
                }
                while true {
                    let (server, stopped) = lifecycle.withLock { ($0.server, $0.stopped) }
                    if stopped { break }
                    if let server {
                        await server.run()
                        lifecycle.withLock { if $0.server === server { $0.server = nil } }
                    } else {
                        await waitForChange()
                    }
                }
                handling.endDownRequests()
                group.cancelAll()
            }
        } onCancel: {
            wake { $0.stopped = true }
        }
    }

    /// Refuses connections for so long, and cuts those that are open, as a platform that is down would; then it listens
    /// again on the same port.
    ///
    /// - Throws: where the port cannot be had again within a minute; `CancellationError` where the task was cancelled
    ///   meanwhile. The simulator then stays down.
    package func goDown(for duration: Duration) async throws {
        let server = lifecycle.withLock { state in
            defer { state.server = nil }
            return state.server
        }
        guard let server else { return }
        await server.stop(deadline: .zero)
        try await Task.sleep(for: duration)
        let next = try await listenAgain()
        let kept = lifecycle.withLock { state in
            guard !state.stopped else { return false }
            state.server = next
            return true
        }
        guard kept else { return await next.stop(deadline: .zero) }
        wake { _ in }
    }

    /// Listens on the same port. Another program may have been given it meanwhile, mostly for a connection of its own that
    /// soon ends: it is asked for again for up to a minute.
    private func listenAgain() async throws -> HTTPServer {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do throws(HTTPServerError) {
                return try handling.listen(serverSettings)
            } catch {
                guard error.code == .addressInUse, ContinuousClock.now < end else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Ends calls that are under way, at most until the deadline, and lets `run` return.
    package func stop(deadline: Duration = .zero) async {
        let server = lifecycle.withLock { $0.server }
        wake { $0.stopped = true }
        await server?.stop(deadline: deadline)
        lifecycle.withLock { $0.server = nil }
    }

    private func waitForChange() async {
        await withCheckedContinuation { continuation in
            let now = lifecycle.withLock { state in
                if state.stopped || state.server != nil { return true }
                state.changed.append(continuation)
                return false
            }
            if now { continuation.resume() }
        }
    }

    private func wake(_ change: (inout sending Lifecycle) -> Void) {
        let waiting = lifecycle.withLock { state in
            change(&state)
            defer { state.changed = [] }
            return state.changed
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Runs a simulator for as long as `body` does.
///
/// - Returns: what `body` returns.
package func withKoreSimulator<Success: Sendable>(
    _ settings: SimulatorSettings = SimulatorSettings(), now: (@Sendable () -> Int64)? = nil,
    _ body: (KoreSimulator) async throws -> Success
) async throws -> Success {
    let simulator = try KoreSimulator(settings: settings, now: now)
    let result = await withDiscardingTaskGroup { group in
        group.addTask { await simulator.run() }
        let result: Result<Success, any Error>
        do {
            result = .success(try await body(simulator))
        } catch {
            result = .failure(error)
        }
        await simulator.stop()
        return result
    }
    return try result.get()
}

/// Runs a simulator until `stop` returns or the task is cancelled: what `campaign-bridge simulate` does.
///
/// - Parameters:
///   - ready: called once it listens, with the base URL.
///   - stop: returns when it shall end; then calls under way have five seconds.
/// - Throws: where it cannot begin, with a text for the operator.
package func runSimulator(
    _ settings: SimulatorSettings, ready: @Sendable (_ baseURL: String) -> Void,
    until stop: @escaping @Sendable () async -> Void
) async throws {
    let simulator = try KoreSimulator(settings: settings)
    ready(simulator.baseURL)
    await withDiscardingTaskGroup { group in
        group.addTask { await simulator.run() }
        await stop()
        await simulator.stop(deadline: .seconds(5))
    }
}
