internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Signals as a stream.
///
/// The handler writes the signal's number into a pipe, the one thing that a handler may do; a thread of its own reads
/// it and feeds the streams. Unlike `signalfd` or `sigwait` this needs no signal mask, which each thread that already
/// runs, and each child process, would have to share.
package enum Signals {
    /// From now on these signals do not do what they do by default but arrive here, as often as they come; of several
    /// at the same moment some may be lost, never all. When the last stream for a signal ends, or its task is
    /// cancelled, the signal does again what it did before.
    ///
    /// - Parameter signals: such as SIGINT and SIGTERM; those that cannot be caught trap.
    package static func stream(_ signals: [Int32]) -> AsyncStream<Int32> {
        AsyncStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
            let id = hub.add(signals, continuation)
            continuation.onTermination = { _ in hub.remove(id) }
        }
    }

    private static let hub = SignalHub()
}

/// Where the handler finds the pipe. A handler must not initialise anything: the hub touches this before it installs
/// one, and from then on reading it is a plain load.
private let handlerPipe = Atomic<Int32>(-1)

private func handleSignal(_ signal: Int32) {
    let before = errno
    var byte = UInt8(truncatingIfNeeded: signal)
    // A full pipe loses this one; the reader then has others to tell of.
    _ = write(handlerPipe.load(ordering: .relaxed), &byte, 1)
    errno = before
}

/// The process's one reader of the pipe, which lives from the first stream to the end of the process: a signal may be
/// on its way at any time, so the pipe is never closed.
private final class SignalHub: Sendable {
    private typealias Handler = @convention(c) (Int32) -> Void

    private struct State {
        var streams: [Int: (signals: Set<Int32>, continuation: AsyncStream<Int32>.Continuation)] = [:]
        /// What each signal did before, as a number: SIG_IGN is the pointer 1, which an optional of an optional function
        /// takes for no value.
        var previous: [Int32: Int] = [:]
        var nextID = 0
        var reads = false
    }

    private let state = Mutex(State())

    func add(_ signals: [Int32], _ continuation: AsyncStream<Int32>.Continuation) -> Int {
        state.withLock { state in
            if !state.reads {
                startReader()
                state.reads = true
            }
            let id = state.nextID
            state.nextID += 1
            state.streams[id] = (Set(signals), continuation)
            for number in Set(signals) where state.previous[number] == nil {
                precondition(number > 0 && number < 64 && number != SIGKILL && number != SIGSTOP, "no such signal")
                state.previous[number] = unsafeBitCast(signal(number, handleSignal), to: Int.self)
            }
            return id
        }
    }

    func remove(_ id: Int) {
        state.withLock { state in
            guard let ended = state.streams.removeValue(forKey: id) else { return }
            for number in ended.signals where !state.streams.values.contains(where: { $0.signals.contains(number) }) {
                guard let previous = state.previous.removeValue(forKey: number) else { continue }
                signal(number, unsafeBitCast(previous, to: Handler?.self))
            }
        }
    }

    private func startReader() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no file descriptor is left for signals")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // The handler must never wait.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        handlerPipe.store(ends[1], ordering: .relaxed)
        let reader = ends[0]
        let work = Unmanaged.passRetained(ReaderWork { [self] in read(from: reader) })
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let result = pthread_create(&thread, nil, runReader, work.toOpaque())
        precondition(result == 0, "the system gives no thread for signals")
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    private func read(from descriptor: Int32) {
        var byte: UInt8 = 0
        while true {
            let count = systemRead(descriptor, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            guard count == 1 else { return }
            let number = Int32(byte)
            let receivers = state.withLock { state in
                state.streams.values.filter { $0.signals.contains(number) }.map(\.continuation)
            }
            for receiver in receivers { receiver.yield(number) }
        }
    }
}

private final class ReaderWork: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

#if canImport(Darwin)
    private func runReader(_ work: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<ReaderWork>.fromOpaque(work).takeRetainedValue().run()
        return nil
    }
#else
    private func runReader(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let work else { return nil }
        Unmanaged<ReaderWork>.fromOpaque(work).takeRetainedValue().run()
        return nil
    }
#endif

/// The system's `read`, which the hub's own method hides.
private func systemRead(_ descriptor: Int32, _ byte: inout UInt8, _ count: Int) -> Int {
    read(descriptor, &byte, count)
}
