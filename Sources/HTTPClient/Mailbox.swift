internal import Synchronization

/// An exchange on its way to the loop.
struct Submission: Sendable {
    var id: UInt64
    var exchange: HTTPExchange
    var begun: ContinuousClock.Instant
    var continuation: CheckedContinuation<ExchangeResult, Never>
}

/// What any thread may tell the loop.
enum LoopCommand: Sendable {
    case begin(Submission)
    case cancel(UInt64)
    case closeKept
    case close(CheckedContinuation<Void, Never>)
}

/// The only way from other threads into the loop.
final class Mailbox: Sendable {
    private struct State {
        var commands: [LoopCommand] = []
        var isClosed = false
        var occupancy = HTTPClientOccupancy()
    }

    private let state = Mutex(State())
    private let lastID = Atomic<UInt64>(0)
    private let queue: EventQueue

    init(queue: EventQueue) {
        self.queue = queue
    }

    func nextID() -> UInt64 {
        lastID.wrappingAdd(1, ordering: .relaxed).newValue
    }

    func begin(_ submission: Submission) {
        let fault: TransportFault? = state.withLock { state in
            if state.isClosed {
                return TransportFault(.clientClosed, "the client has been closed")
            }
            // Asked under the lock: a cancellation that comes later finds its exchange here already.
            if Task.isCancelled {
                return TransportFault(.cancelled, "the call was cancelled before it began")
            }
            state.commands.append(.begin(submission))
            return nil
        }
        if let fault {
            submission.continuation.resume(returning: .notSent(fault))
        } else {
            queue.wake()
        }
    }

    func cancel(_ id: UInt64) {
        state.withLock { $0.commands.append(.cancel(id)) }
        queue.wake()
    }

    func closeKept() {
        state.withLock { $0.commands.append(.closeKept) }
        queue.wake()
    }

    func close(_ continuation: CheckedContinuation<Void, Never>) {
        state.withLock { state in
            state.isClosed = true
            state.commands.append(.close(continuation))
        }
        queue.wake()
    }

    var occupancy: HTTPClientOccupancy {
        get { state.withLock { $0.occupancy } }
        set { state.withLock { $0.occupancy = newValue } }
    }

    func takeAll() -> [LoopCommand] {
        state.withLock { state in
            let commands = state.commands
            state.commands = []
            return commands
        }
    }
}
