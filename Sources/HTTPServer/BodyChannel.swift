internal import CMicrohttpd
internal import Synchronization

/// Where a handler writes a streamed body.
package struct HTTPBodyWriter: Sendable {
    /// The connection has ended; no further byte reaches the client.
    package struct Closed: Error {}

    let channel: BodyChannel

    /// Gives bytes to the client. Waits while more than the stream's buffer limit is still unsent.
    ///
    /// - Throws: `Closed` when the connection has ended; `CancellationError` when the task was cancelled meanwhile.
    package func write(_ bytes: [UInt8]) async throws {
        try await channel.write(bytes)
    }
}

/// The bounded buffer between a handler's task, which writes, and libmicrohttpd's thread, which reads. One writer.
///
/// Unchecked: `connection` is a C pointer, used only under the rules of libmicrohttpd (suspended on its own thread,
/// resumed from any while suspended); everything else is under the mutex.
final class BodyChannel: @unchecked Sendable {
    private struct State {
        var pending: [UInt8] = []
        var offset = 0
        var finished = false
        var closed = false
        var suspended = false
        var waiter: CheckedContinuation<Void, Never>?
        var closeWaiter: CheckedContinuation<Void, Never>?
    }

    private let connection: OpaquePointer
    private let limit: Int
    private let state = Mutex(State())

    init(connection: OpaquePointer, limit: Int) {
        self.connection = connection
        self.limit = max(1, limit)
    }

    func write(_ bytes: [UInt8]) async throws {
        while true {
            try Task.checkCancellation()
            enum Step { case done(resume: Bool), full, closed }
            let step = state.withLock { s -> Step in
                if s.closed { return .closed }
                guard s.pending.count - s.offset < limit else { return .full }
                s.pending.append(contentsOf: bytes)
                defer { s.suspended = false }
                return .done(resume: s.suspended)
            }
            switch step {
            case .closed: throw HTTPBodyWriter.Closed()
            case .done(let resume):
                if resume { MHD_resume_connection(connection) }
                return
            case .full: await waitForSpace()
            }
        }
    }

    private func waitForSpace() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let now = state.withLock { s in
                    if s.closed || s.pending.count - s.offset < limit || Task.isCancelled { return true }
                    precondition(s.waiter == nil, "a streamed body has one writer")
                    s.waiter = continuation
                    return false
                }
                if now { continuation.resume() }
            }
        } onCancel: {
            state.withLock { s in
                defer { s.waiter = nil }
                return s.waiter
            }?.resume()
        }
    }

    /// No more bytes follow.
    func finish() {
        let resume = state.withLock { s in
            s.finished = true
            defer { s.suspended = false }
            return s.suspended
        }
        if resume { MHD_resume_connection(connection) }
    }

    /// The reader's side: copies what there is, or suspends the connection until there is more.
    func read(into buffer: UnsafeMutablePointer<CChar>, capacity: Int) -> Int {
        let (result, waiter) = state.withLock { s -> (Int, CheckedContinuation<Void, Never>?) in
            let available = s.pending.count - s.offset
            if available == 0 {
                if s.finished { return (Int(cb_mhd_end_of_stream), nil) }
                if s.closed { return (Int(cb_mhd_end_with_error), nil) }
                // Under the lock, so that a writer's resume cannot come before it.
                s.suspended = true
                MHD_suspend_connection(connection)
                return (0, nil)
            }
            let count = min(available, capacity)
            s.pending.withUnsafeBytes {
                UnsafeMutableRawPointer(buffer).copyMemory(from: $0.baseAddress! + s.offset, byteCount: count)
            }
            s.offset += count
            if s.offset == s.pending.count {
                s.pending.removeAll(keepingCapacity: s.pending.capacity <= limit)
                s.offset = 0
            } else if s.offset >= limit {
                s.pending.removeFirst(s.offset)
                s.offset = 0
            }
            defer { s.waiter = nil }
            return (count, s.waiter)
        }
        waiter?.resume()
        return result
    }

    /// The connection has ended, or the server gives it up: writers fail from now on, and a suspended connection goes on
    /// to its end.
    func close() {
        let (waiters, resume) = state.withLock { s in
            s.closed = true
            defer {
                s.waiter = nil
                s.closeWaiter = nil
                s.suspended = false
            }
            return ([s.waiter, s.closeWaiter], s.suspended)
        }
        if resume { MHD_resume_connection(connection) }
        for waiter in waiters { waiter?.resume() }
    }

    /// Returns when the channel is closed, or the task is cancelled.
    func waitUntilClosed() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let now = state.withLock { s in
                    if s.closed || Task.isCancelled { return true }
                    s.closeWaiter = continuation
                    return false
                }
                if now { continuation.resume() }
            }
        } onCancel: {
            state.withLock { s in
                defer { s.closeWaiter = nil }
                return s.closeWaiter
            }?.resume()
        }
    }
}
