internal import BridgeCore
package import Configuration
package import HTTPServer
internal import JSON
package import Telemetry

/// The service's HTTP side: liveness, readiness, metrics.
package struct Endpoints: Sendable {
    let health: Health
    let registry: MetricRegistry
    let clock: @Sendable () -> Moment

    package init(health: Health, registry: MetricRegistry) {
        self.health = health
        self.registry = registry
        clock = currentMoment
    }

    package var router: Router {
        var router = Router()
        router.on("GET", "/health/live") { _ in await live() }
        router.on("GET", "/health/ready") { _ in await ready() }
        router.on("GET", "/metrics") { _ in
            HTTPResponse(
                headers: ["content-type": MetricText.contentType], body: Array(registry.text().utf8))
        }
        return router
    }

    private func live() async -> HTTPResponse {
        let reason = await health.notLive()
        return json(status: reason == nil ? 200 : 503) { out in
            out.member("live", reason == nil)
            if let reason { out.member("reason", reason) }
        }
    }

    private func ready() async -> HTTPResponse {
        let reasons = await health.reasons(at: clock().wall)
        return json(status: reasons.isEmpty ? 200 : 503) { out in
            out.member("ready", reasons.isEmpty)
            out.key("reasons")
            out.array { out in
                for (reason, since) in reasons {
                    out.object { out in
                        out.member("reason", reason)
                        out.member("since", BridgeCore.RFC3339.format(since))
                    }
                }
            }
        }
    }

    private func json(status: Int, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
        var out = JSONWriter()
        out.object { body(&$0) }
        return HTTPResponse(
            status: status, headers: ["content-type": "application/json"], body: out.bytes + [10])
    }
}

extension ServerSettings {
    /// The listener as the HTTP server takes it.
    package func http(log: @escaping @Sendable (String) -> Void) -> HTTPServerSettings {
        var settings = HTTPServerSettings()
        settings.host = listen.host
        settings.port = UInt16(listen.port)
        settings.connectionLimit = maximumConnections
        settings.connectionLimitPerAddress = maximumConnectionsPerAddress
        settings.bodyLimit = maximumBodyBytes
        settings.idleTimeout = timeout
        settings.certificateFile = certificateFile
        settings.keyFile = keyFile
        settings.log = log
        return settings
    }
}
