internal import Bridge
internal import HTTPServer
internal import JSON
internal import Synchronization
internal import Telemetry

/// The HTTP side while the service is being built: live, and not ready with one reason.
final class StartingState: Sendable {
    private let health = Mutex<Health?>(nil)
    private let reason = Mutex("the broker has not answered yet")

    func set(_ health: Health) { self.health.withLock { $0 = health } }

    /// What is in the way, for people.
    func waits(for reason: String) { self.reason.withLock { $0 = reason } }

    func router(_ registry: MetricRegistry) -> Router {
        if let health = health.withLock({ $0 }) { return Endpoints(health: health, registry: registry).router }
        var router = Router()
        router.reply("GET", "/health/live") { _ in .now(.text("{\"live\":true}\n")) }
        let reason = self.reason.withLock { $0 }
        router.reply("GET", "/health/ready") { _ in
            var out = JSONWriter()
            out.object { out in
                out.member("ready", false)
                out.key("reasons")
                out.array { out in out.object { $0.member("reason", reason) } }
            }
            return .now(
                HTTPResponse(
                    status: 503, headers: ["content-type": "application/json"], body: out.bytes + [10]))
        }
        router.reply("GET", "/metrics") { _ in
            .now(HTTPResponse(headers: ["content-type": MetricText.contentType], body: Array(registry.text().utf8)))
        }
        return router
    }
}
