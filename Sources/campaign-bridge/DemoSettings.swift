internal import Configuration
internal import KoreSimulator

/// How bridge and simulator are set for a demonstration: times are short, so that a doubt is decided within seconds.
enum DemoSettings {
    static let partitions = 4
    static let account = "000000000000000000000001"

    /// The bridge against the mock cluster and the simulator.
    static func bridge(bootstrapServers: String, baseURL: String) -> BridgeSettings {
        var settings = BridgeSettings()
        settings.kafka.bootstrapServers = [bootstrapServers]
        settings.kafka.operationTimeout = .seconds(10)
        settings.kafka.statisticsInterval = .seconds(1)
        settings.replica.name = "demo"
        // The mock cluster's groups know no static members.
        settings.replica.isStatic = false
        settings.topics.replicationFactor = 1
        settings.topics.minInsyncReplicas = 1
        settings.topics.partitions = partitions
        // It keeps no offsets of a transaction either, so records would be moved again after a restart.
        settings.source.isRekeyed = false
        settings.retry.initialDelay = .milliseconds(200)
        settings.circuit.openFor = .seconds(1)
        settings.server.listen.port = 0
        settings.shutdown.drainDeadline = .seconds(8)
        settings.connections = DemoEvent.streams.map { stream in
            var connection = ConnectionSettings()
            connection.name = String(stream.dropFirst("st-demo-".count))
            connection.baseURL = baseURL
            connection.streams = [stream]
            connection.accountId = account
            connection.clientId = SimulatorSettings.demoApp.clientId
            connection.clientSecret = Secret(SimulatorSettings.demoApp.key)
            connection.requestsPerMinute = 0
            connection.deadline = .seconds(2)
            connection.connectTimeout = .seconds(1)
            connection.tokenMargin = .seconds(1)
            connection.clockLeeway = .seconds(1)
            connection.doubtGrace = .zero
            connection.throttlePause = .milliseconds(300)
            return connection
        }
        return settings
    }

    /// The platform, with a fault for each kind of event that is named after it.
    static var simulator: SimulatorSettings {
        var settings = SimulatorSettings()
        settings.ratePerMinute = 0
        settings.latency = .uniform(.milliseconds(20), .milliseconds(120))
        settings.faults = [
            rule(.throttled, count: 1, total: 20, .rateLimited(retryAfter: "1")),
            rule(.unavailable, count: 1, total: 20, .unavailable()),
            rule(.rejected, count: nil, total: nil, .status(404, act: false)),
            rule(.lost, count: nil, total: nil, .reset(act: true)),
        ]
        return settings
    }

    private static func rule(_ kind: DemoKind, count: Int?, total: Int?, _ fault: SimulatorFault) -> FaultRule {
        FaultRule(
            name: kind.rawValue, operations: ["start"], campaign: "cd-demo-\(kind.rawValue)-*", count: count,
            total: total, fault: fault)
    }
}
