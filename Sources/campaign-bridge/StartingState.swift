internal import Bridge
internal import HTTPServer
internal import Synchronization
internal import Telemetry

/// The HTTP side while the service is being built: live, and not ready with one reason.
final class StartingState: Sendable {
    private let health = Mutex<Health?>(nil)

    func set(_ health: Health) { self.health.withLock { $0 = health } }

    func router(_ registry: MetricRegistry) -> Router {
        if let health = health.withLock({ $0 }) { return Endpoints(health: health, registry: registry).router }
        var router = Router()
        router.reply("GET", "/health/live") { _ in .now(.text("{\"live\":true}\n")) }
        router.reply("GET", "/health/ready") { _ in
            .now(
                HTTPResponse(
                    status: 503, headers: ["content-type": "application/json"],
                    body: Array(
                        "{\"ready\":false,\"reasons\":[{\"reason\":\"the broker has not answered yet\"}]}\n".utf8)))
        }
        router.reply("GET", "/metrics") { _ in
            .now(HTTPResponse(headers: ["content-type": MetricText.contentType], body: Array(registry.text().utf8)))
        }
        return router
    }
}
