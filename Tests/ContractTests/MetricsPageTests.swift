import Bridge
import Telemetry
import Testing

@Suite("The page of metrics", .timeLimit(.minutes(5)))
struct MetricsPageTests {
    private static let head = """
        # Metrics

        `/metrics` answers in the Prometheus text format. A counter or gauge whose labels have a fixed set of values shows
        all of them, at 0, from the first scrape on. A histogram `x` has the series `x_bucket`, `x_sum` and `x_count`. A gauge
        of the replica's state is not there before the replica has one. Each replica tells of itself: add up over
        replicas, but for gauges of age, where the largest counts.

        This page is made from the declarations in the code.


        """

    @Test("The committed page is what the declarations give")
    func page() throws {
        let registry = MetricRegistry(prefix: "campaign_bridge")
        _ = BridgeMetrics(registry: registry, mostConnections: 100)
        let own = registry.declarations
        let process = ProcessMetrics.declarations(
            prefix: "campaign_bridge", build: [("version", ""), ("librdkafka", "")])
        #expect(own.count > 20)
        #expect((own + process).flatMap { $0.faults() } == [])
        let page = Self.head + metricReferencePage(own + process)
        #expect(
            try committed("docs/metrics.md", generated: page) == page,
            "run the tests with UPDATE_DOCS=1 and commit docs/metrics.md")
    }
}
