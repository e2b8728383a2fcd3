import Foundation
import Testing

@testable import Telemetry

private enum Outcome: String, MetricLabelValue {
    case started, rejected, unknown
}

@Suite("Metrics", .timeLimit(.minutes(5)))
struct MetricTests {
    private let registry = MetricRegistry(prefix: "test")
    private let calls = MetricDeclaration(
        "test_calls_total", .counter,
        labels: [MetricLabel("connection", .bounded(2)), MetricLabel("outcome", Outcome.self)],
        help: "Calls.")

    private func lines(_ prefix: String) -> [String] {
        registry.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
    }

    @Test("Each value of a closed label is exported at 0 from the first scrape")
    func closedLabels() {
        let declaration = MetricDeclaration(
            "test_outcomes_total", .counter, labels: [MetricLabel("outcome", Outcome.self)], help: "Outcomes.")
        let outcomes = registry.counters(declaration, by: Outcome.self)
        let before = [
            #"test_outcomes_total{outcome="rejected"} 0"#, #"test_outcomes_total{outcome="started"} 0"#,
            #"test_outcomes_total{outcome="unknown"} 0"#,
        ]
        #expect(lines("test_outcomes") == before)
        outcomes[.unknown].add()
        outcomes[.unknown].add(2)
        #expect(lines("test_outcomes").last == #"test_outcomes_total{outcome="unknown"} 3"#)
        #expect(
            registry.text().hasPrefix("# HELP test_outcomes_total Outcomes.\n# TYPE test_outcomes_total counter\n"))
    }

    @Test("A new value of a bounded label brings all closed values with it at 0")
    func mixedLabels() {
        let family = registry.counters(calls)
        #expect(lines("test_calls") == [])
        family.labels("eu", "started").add()
        #expect(
            lines("test_calls") == [
                #"test_calls_total{connection="eu",outcome="rejected"} 0"#,
                #"test_calls_total{connection="eu",outcome="started"} 1"#,
                #"test_calls_total{connection="eu",outcome="unknown"} 0"#,
            ])
    }

    @Test("Past its bound a label counts under other, and each look-up that was not admitted is counted")
    func bounded() {
        let family = registry.counters(calls)
        let overflow = #"test_metric_label_overflow_total{metric="test_calls_total"} "#
        #expect(lines("test_metric_label") == [overflow + "0"])
        for name in ["a", "b", "c", "d", "c", "other", "a"] { family.labels(name, "started").add() }
        #expect(
            lines("test_calls").filter { !$0.hasSuffix(" 0") } == [
                #"test_calls_total{connection="a",outcome="started"} 2"#,
                #"test_calls_total{connection="b",outcome="started"} 1"#,
                #"test_calls_total{connection="other",outcome="started"} 4"#,
            ])
        #expect(lines("test_metric_label") == [overflow + "3"])
    }

    @Test("Concurrent look-ups and increments lose nothing")
    func concurrent() async {
        let family = registry.counters(calls)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for turn in 0..<1000 { family.labels("c\((task + turn) % 5)", "started").add() }
                }
            }
        }
        let total = lines("test_calls").compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        #expect(total == 8000)
    }

    @Test("A gauge's series can be removed, and the place is free for another value")
    func removal() {
        let gauges = registry.gauges(
            MetricDeclaration("test_lag", .gauge, labels: [MetricLabel("partition", .bounded(1))], help: "Lag."))
        gauges.labels("7").set(3)
        gauges.labels("8").set(4)
        #expect(lines("test_lag") == [#"test_lag{partition="7"} 3"#, #"test_lag{partition="other"} 4"#])
        gauges.remove("partition", "7")
        gauges.labels("8").set(5)
        #expect(lines("test_lag") == [#"test_lag{partition="8"} 5"#, #"test_lag{partition="other"} 4"#])
    }

    @Test("A gauge goes up and down by whole and broken numbers")
    func gauge() {
        let gauge = registry.gauge(MetricDeclaration("test_ratio", .gauge, unit: .ratio, help: "Ratio."))
        gauge.set(1)
        gauge.add(-0.75)
        #expect(lines("test_ratio") == ["test_ratio 0.25"])
        gauge.set(-.infinity)
        #expect(lines("test_ratio") == ["test_ratio -Inf"])
    }

    @Test("A histogram's buckets are cumulative, its bounds inclusive, and the last has no bound")
    func histogram() {
        let histogram = registry.histogram(
            MetricDeclaration("test_call_seconds", .histogram(buckets: [0.5, 1, 2.5]), unit: .seconds, help: "Time."))
        for value in [0.5, 0.75, 1, 2.5, 2.75, -1, .nan, .infinity] { histogram.observe(value) }
        #expect(
            lines("test_call") == [
                #"test_call_seconds_bucket{le="0.5"} 2"#, #"test_call_seconds_bucket{le="1"} 4"#,
                #"test_call_seconds_bucket{le="2.5"} 5"#, #"test_call_seconds_bucket{le="+Inf"} 6"#,
                "test_call_seconds_sum 6.5", "test_call_seconds_count 6",
            ])
    }

    @Test("Label values and help texts are escaped as the format asks, and values are cut to their bound")
    func escaping() {
        let gauges = registry.gauges(
            MetricDeclaration(
                "test_odd", .gauge, labels: [MetricLabel("name", .bounded(5))], help: "A \\ and\na \"quote\"."))
        gauges.labels("a\\b\"c\nd").set(1)
        gauges.labels(String(repeating: "ä", count: 100)).set(2)
        #expect(
            registry.text().hasSuffix(
                "# HELP test_odd A \\\\ and\\na \"quote\".\n# TYPE test_odd gauge\n"
                    + "test_odd{name=\"a\\\\b\\\"c\\nd\"} 1\n"
                    + "test_odd{name=\"\(String(repeating: "ä", count: 64))\"} 2\n"))
    }

    @Test("The same declaration gives the same instrument, so that a restarted part counts on")
    func same() {
        let declaration = MetricDeclaration("test_again_total", .counter, help: "Again.")
        registry.counter(declaration).add()
        registry.counter(declaration).add()
        #expect(lines("test_again") == ["test_again_total 2"])
    }

    @Test("What is read at the scrape is absent when it is not known")
    func collected() {
        let declaration = MetricDeclaration(
            "test_state", .gauge, labels: [MetricLabel("name", .bounded(2))], help: "State.")
        registry.collect([declaration]) { readings in
            readings.set("test_state", 1, labels: ["a"])
            readings.set("test_state", nil, labels: ["b"])
        }
        registry.gauge(MetricDeclaration("test_absent", .gauge, help: "Absent.")) { nil }
        #expect(lines("test_state") == [#"test_state{name="a"} 1"#])
        #expect(!registry.text().contains("test_absent"))
    }

    @Test(
        "Faulty declarations are found",
        arguments: [
            MetricDeclaration("calls", .counter, help: "No _total."),
            MetricDeclaration("calls_total", .gauge, help: "A gauge with _total."),
            MetricDeclaration("callsTotal_total", .counter, help: "Upper case."),
            MetricDeclaration("9_total", .counter, help: "A digit first."),
            MetricDeclaration("wait", .gauge, unit: .seconds, help: "No unit in the name."),
            MetricDeclaration("wait_seconds", .gauge, unit: .seconds, help: ""),
            MetricDeclaration("wait_count", .gauge, help: "A histogram's suffix."),
            MetricDeclaration("wait", .histogram(buckets: []), help: "No bucket."),
            MetricDeclaration("wait", .histogram(buckets: [2, 1]), help: "Buckets descend."),
            MetricDeclaration("wait", .histogram(buckets: [.infinity]), help: "An infinite bucket."),
            MetricDeclaration("wait", .histogram(buckets: [1]), labels: [MetricLabel("le", .bounded(1))], help: "le."),
            MetricDeclaration("wait", .gauge, labels: [MetricLabel("a", .closed([]))], help: "No value."),
            MetricDeclaration("wait", .gauge, labels: [MetricLabel("a", .closed(["x", "x"]))], help: "Value twice."),
            MetricDeclaration("wait", .gauge, labels: [MetricLabel("a", .bounded(0))], help: "Bound 0."),
            MetricDeclaration("wait", .gauge, labels: [MetricLabel("__a", .bounded(1))], help: "Reserved."),
            MetricDeclaration(
                "wait", .gauge, labels: [MetricLabel("a", .bounded(1)), MetricLabel("a", .bounded(1))], help: "Twice."),
        ])
    func faults(declaration: MetricDeclaration) {
        #expect(declaration.faults().count == 1, "\(declaration.faults())")
    }

    @Test("The reference page names type, unit, labels and meaning")
    func reference() {
        let page = metricReferencePage([
            calls,
            MetricDeclaration("test_wait_seconds", .histogram(buckets: [0.1, 2]), unit: .seconds, help: "A | B."),
        ])
        #expect(
            page == """
                | Metric | Type | Unit | Labels | Meaning |
                |---|---|---|---|---|
                | `test_calls_total` | counter |  | `connection`: up to 2 values, then `other`; \
                `outcome`: `started`, `rejected`, `unknown` | Calls. |
                | `test_wait_seconds` | histogram, up to 0.1, 2 | seconds |  | A \\| B. |

                """)
    }
}

@Suite("Process metrics and the text format", .timeLimit(.minutes(5)))
struct ProcessMetricTests {
    private static func filled() -> MetricRegistry {
        let registry = MetricRegistry(prefix: "test")
        ProcessMetrics.install(
            in: registry, prefix: "test", build: [("version", "1.0"), ("librdkafka", "2.8.0")], startedAt: 1500)
        registry.counters(
            MetricDeclaration("test_calls_total", .counter, labels: [MetricLabel("name", .bounded(3))], help: "Calls.")
        )
        .labels("a \"b\" \\ ä\n").add()
        registry.histogram(
            MetricDeclaration(
                "test_wait_seconds", .histogram(buckets: [0.001, 1, 1e7]), unit: .seconds, help: "Waiting.")
        ).observe(0.00002)
        registry.gauge(MetricDeclaration("test_small", .gauge, help: "Small.")).set(1e-9)
        return registry
    }

    @Test("The process's own figures are there and plausible")
    func process() throws {
        let text = Self.filled().text()
        func value(_ name: String) throws -> Double {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            return try #require(Double(line.split(separator: " ")[1]))
        }
        #expect(text.contains(#"test_build_info{version="1.0",librdkafka="2.8.0"} 1"#))
        #expect(try value("process_start_time_seconds") == 1.5)
        #expect(try value("process_cpu_seconds_total") > 0)
        #expect(try value("process_max_fds") >= 3)
        if FileManager.default.fileExists(atPath: "/proc/self/statm") {
            #expect(try value("process_resident_memory_bytes") > 1_000_000)
            #expect(try value("process_open_fds") >= 3)
        }
    }

    @Test("Each declaration of the process is sound")
    func declarations() {
        for declaration in ProcessMetrics.declarations(prefix: "test", build: [("version", "1")]) {
            #expect(declaration.faults() == [])
        }
    }

    @Test(
        "Prometheus's own checker finds nothing to say about the text",
        .enabled(if: promtool() != nil, "promtool (package prometheus) is not on the path"))
    func promtoolCheck() throws {
        let process = Process()
        process.executableURL = URL(filePath: try #require(promtool()))
        process.arguments = ["check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(Self.filled().text().utf8))
        try input.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
        #expect(said.isEmpty, "\(String(decoding: said, as: UTF8.self))")
    }
}

private func promtool() -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").map { "\($0)/promtool" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}
