internal import Synchronization

/// A wish to end that any number of tasks may wait for. A stream of signals could not be shared: it ends for everyone
/// when one reader is cancelled.
package final class StopRequest: Sendable {
    private struct State {
        var isRequested = false
        var waiters: [AsyncStream<Void>.Continuation] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Ends every wait, now and later.
    package func request() {
        let waiters = state.withLock { state in
            state.isRequested = true
            let waiters = state.waiters
            state.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    package var isRequested: Bool { state.withLock { $0.isRequested } }

    /// Returns once the end is requested, or the task is cancelled. Its waiters are as many as there are drivers.
    package func wait() async {
        let (stream, sink) = AsyncStream<Void>.makeStream()
        let isRequested = state.withLock { state in
            if !state.isRequested { state.waiters.append(sink) }
            return state.isRequested
        }
        if isRequested { return }
        for await _ in stream {}
    }
}
