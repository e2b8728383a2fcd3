import Bridge
import Foundation
import Telemetry
import Testing

@Suite("The page of metrics", .timeLimit(.minutes(1)))
struct MetricsPageTests {
    @Test("The committed page is what the declarations give")
    func committed() throws {
        let registry = MetricRegistry(prefix: "campaign_bridge")
        let metrics = BridgeMetrics(registry: registry, mostConnections: 100)
        #expect(registry.declarations.count > 0)
    }
}
