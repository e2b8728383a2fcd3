internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Where finished log lines go.
package protocol LogSink: Sendable {
    /// Takes one line with its line feed. False: the line is lost. Called from any thread; must not wait for long.
    func write(_ line: [UInt8]) -> Bool
}

/// Writes lines to a file descriptor, each with one `write(2)`, while the caller waits.
///
/// The process never stops for its log: before a line is written, the descriptor must say within `patience` that it
/// can take it; else the line is lost, and as long as that lasts further lines do not wait at all. A pipe that says so
/// takes 4096 bytes, the formatter's default bound, without blocking, unless another process that shares the pipe
/// fills it in the same instant. A full disk, or a pipe whose reader is gone, loses lines and nothing else; for the
/// latter call `ignoreBrokenPipes` once. Only a file on a stalled disk can block, as it blocks everything else.
package final class DescriptorLogSink: LogSink {
    private struct State {
        var stalled = false
        /// The last line was written in part: the next one starts on a fresh line.
        var broken = false
    }

    private let descriptor: Int32
    private let patience: Int32
    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: stays the caller's; standard error by default.
    ///   - patience: milliseconds that one line may wait.
    package init(descriptor: Int32 = 2, patience: Int32 = 50) {
        self.descriptor = descriptor
        self.patience = max(0, patience)
    }

    package func write(_ line: [UInt8]) -> Bool {
        state.withLock { state in
            guard isReady(patience: state.stalled ? 0 : patience) else {
                state.stalled = true
                return false
            }
            state.stalled = false
            let bytes = state.broken ? [UInt8(ascii: "\n")] + line : line
            let written = writeOnce(bytes)
            if written > 0 { state.broken = written < bytes.count }
            return written == bytes.count
        }
    }

    private func isReady(patience: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // A signal may end the wait early; a second one during the same line loses it.
        for _ in 0..<2 {
            let answer = poll(&request, 1, patience)
            if answer < 0 && errno == EINTR { continue }
            return answer > 0
        }
        return false
    }

    private func writeOnce(_ bytes: [UInt8]) -> Int {
        for _ in 0..<2 {
            let written = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            return max(written, 0)
        }
        return 0
    }
}

/// The system's `write`, which the sink's own method of that name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// Writing into a pipe whose reader is gone becomes an error of `write`, where by default it ends the process without
/// a word. Holds for the whole process; call it once, before the first output.
package func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
}

/// Keeps the last lines in memory, for tests and for the console.
package final class MemoryLogSink: LogSink {
    private let limit: Int
    private let kept = Mutex<[String]>([])

    /// - Parameter limit: how many lines are kept; the oldest go first.
    package init(limit: Int = 1000) {
        self.limit = max(1, limit)
    }

    /// The lines, oldest first, without their line feeds.
    package var lines: [String] { kept.withLock { $0 } }

    package func write(_ line: [UInt8]) -> Bool {
        kept.withLock { kept in
            if kept.count == limit { kept.removeFirst() }
            kept.append(String(decoding: line.dropLast(), as: UTF8.self))
        }
        return true
    }
}
