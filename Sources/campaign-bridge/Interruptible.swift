internal import Terminal

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

extension Process {
    /// Runs `body`; the first SIGINT or SIGTERM cancels its task, so that it can say what was done and give the terminal
    /// back. A second one ends the process at once, as a shell expects it: 128 and the signal's number.
    static func cancelledBySignal(_ body: @escaping @Sendable () async -> Int32) async -> Int32 {
        let signals = Signals.stream([SIGINT, SIGTERM])
        let work = Task { await body() }
        let watch = Task {
            var isFirst = true
            for await signal in signals {
                if !isFirst { _exit(128 + signal) }
                isFirst = false
                work.cancel()
            }
        }
        let code = await work.value
        watch.cancel()
        return code
    }

    /// The name of the user that runs the process.
    static var userName: String {
        if let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name { return String(cString: name) }
        return "uid \(geteuid())"
    }
}
