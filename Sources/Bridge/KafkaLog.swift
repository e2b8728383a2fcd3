internal import Kafka
internal import Telemetry

/// Lines of the Kafka library, at our levels; a broker that is away is one outage and not a line a second.
struct KafkaLog: Sendable {
    let logger: Logger
    let outages: OutageLog

    func take(_ event: ClientEvent) {
        switch event {
        case .log(let level, let facility, let text):
            if level <= 4 {
                outages.failed("librdkafka-\(facility)", [.detail: .string(text)])
            } else {
                logger.debug("librdkafka", [.facility: .string(facility), .detail: .string(text)])
            }
        case .error(let error): outages.failed("kafka-\(error.label)", [.error: .error(error)])
        case .statistics: break
        }
    }
}
