internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Where all loggers of the process end: one format, one redactor, one sink, one count of lost lines.
package final class LogOutput: Sendable {
    private let formatter: LogFormatter
    private let sink: any LogSink
    private let wallClock: @Sendable () -> Int64
    private let lost = Atomic<UInt64>(0)
    private let unreported = Atomic<UInt64>(0)

    /// - Parameter wallClock: milliseconds since 1970.
    package init(
        formatter: LogFormatter, sink: any LogSink, wallClock: @escaping @Sendable () -> Int64 = wallMilliseconds
    ) {
        self.formatter = formatter
        self.sink = sink
        self.wallClock = wallClock
    }

    /// How many lines were lost because the sink could not take them, since the start.
    package var lostLines: UInt64 { lost.load(ordering: .relaxed) }

    fileprivate func write(_ level: LogLevel, _ message: StaticString, _ fields: LogFields) {
        let time = wallClock()
        guard sink.write(formatter.line(time: time, level: level, message: message, fields: fields)) else {
            lost.add(1, ordering: .relaxed)
            unreported.add(1, ordering: .relaxed)
            return
        }
        let missed = unreported.exchange(0, ordering: .relaxed)
        if missed > 0 { report(missed, time) }
    }

    /// After a gap the reader learns how large it was, once; if that line is lost too, the next one says it.
    private func report(_ missed: UInt64, _ time: Int64) {
        let line = formatter.line(
            time: time, level: .warning, message: "log lines were lost", fields: [.dropped: .int(missed)])
        if !sink.write(line) { unreported.add(missed, ordering: .relaxed) }
    }
}

/// Writes log lines. A value: `with` makes one that puts further fields into each line, such as an event's identity.
///
/// Messages are constants; what varies stands in fields. A line below the level costs one comparison. Safe to use from
/// any thread; see `DescriptorLogSink` for how long a call can take. Payloads must not be logged; secrets are removed
/// by the redactor.
package struct Logger: Sendable {
    /// Lines below this level are not written.
    package var level: LogLevel
    private let output: LogOutput
    private var context: LogFields

    package init(output: LogOutput, level: LogLevel = .info) {
        self.output = output
        self.level = level
        context = [:]
    }

    /// A logger that adds these fields to each line. A field of the line itself wins over one of the same key here.
    package func with(_ fields: LogFields) -> Logger {
        var copy = self
        copy.context = context.merged(with: fields)
        return copy
    }

    /// Whether a line of this level would be written, for fields that are costly to make.
    package func writes(_ level: LogLevel) -> Bool { level >= self.level }

    /// Writes one line. The fields are not evaluated when the level is not written.
    package func log(_ level: LogLevel, _ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        guard writes(level) else { return }
        output.write(level, message, context.merged(with: fields()))
    }

    /// Each record.
    package func trace(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.trace, message, fields())
    }

    /// Each decision.
    package func debug(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.debug, message, fields())
    }

    /// A change in the life of the process.
    package func info(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.info, message, fields())
    }

    /// Something is wrong; once for each condition.
    package func warning(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.warning, message, fields())
    }

    /// A person must act.
    package func error(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.error, message, fields())
    }
}

/// The wall clock in milliseconds since 1970.
package func wallMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
