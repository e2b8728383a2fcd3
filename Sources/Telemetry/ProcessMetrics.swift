#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Metrics of the process itself, under the names that Prometheus clients share, and of the program's build.
package enum ProcessMetrics {
    private static let memory = MetricDeclaration(
        "process_resident_memory_bytes", .gauge, unit: .bytes, help: "Memory that the process has in RAM.")
    private static let processor = MetricDeclaration(
        "process_cpu_seconds_total", .counter, unit: .seconds, help: "Processor time used, in user and system mode.")
    private static let open = MetricDeclaration(
        "process_open_fds", .gauge, help: "Open file descriptors.")
    private static let mostOpen = MetricDeclaration(
        "process_max_fds", .gauge, help: "The most file descriptors that the process may open.")
    private static let start = MetricDeclaration(
        "process_start_time_seconds", .gauge, unit: .seconds, help: "Start of the process, since 1970.")

    /// What `install` registers, for the reference page.
    package static func declarations(prefix: String, build: [(name: String, value: String)]) -> [MetricDeclaration] {
        [memory, processor, open, mostOpen, start, buildInfo(prefix: prefix, build)]
    }

    /// Registers the metrics. Where `/proc` is missing, those that need it are absent.
    ///
    /// - Parameters:
    ///   - build: labels of the build, such as `version`, `commit`, `swift`, `librdkafka`, `libcurl`.
    ///   - startedAt: the start of the process, in milliseconds since 1970.
    package static func install(
        in registry: MetricRegistry, prefix: String, build: [(name: String, value: String)],
        startedAt: Int64 = wallMilliseconds()
    ) {
        let info = buildInfo(prefix: prefix, build)
        let values = build.map(\.value)
        registry.collect([memory, processor, open, mostOpen, start, info]) { readings in
            readings.set(memory.name, residentBytes())
            readings.set(processor.name, processorSeconds())
            readings.set(open.name, openDescriptors())
            readings.set(mostOpen.name, mostDescriptors())
            readings.set(start.name, Double(startedAt) / 1000)
            readings.set(info.name, 1, labels: values)
        }
    }

    private static func buildInfo(prefix: String, _ build: [(name: String, value: String)]) -> MetricDeclaration {
        MetricDeclaration(
            "\(prefix)_build_info", .gauge, labels: build.map { MetricLabel($0.name, .bounded(1)) },
            help: "Always 1; the labels say what was built and with which libraries it runs.")
    }

    /// The second number of `/proc/self/statm`, in pages.
    private static func residentBytes() -> Double? {
        guard let text = smallFile("/proc/self/statm") else { return nil }
        let numbers = text.split(separator: " ")
        guard numbers.count > 1, let pages = Double(numbers[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func processorSeconds() -> Double? {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }

    private static func openDescriptors() -> Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of this reading itself.
        return Double(max(0, count - 3))
    }

    private static func mostDescriptors() -> Double? {
        let most = sysconf(Int32(_SC_OPEN_MAX))
        return most >= 0 ? Double(most) : nil
    }

    /// The first bytes of a file of the kernel's, nil where it is missing.
    private static func smallFile(_ path: String) -> String? {
        let descriptor = openForReading(path)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}

/// The system's `open`, whose name a metric above has.
private func openForReading(_ path: String) -> Int32 { open(path, O_RDONLY | O_CLOEXEC) }
