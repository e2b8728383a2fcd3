// Imports nothing.

/// Properties that the bridge's promises or other keys decide, with what to do instead.
private let reserved: [String: String] = {
    var result: [String: String] = [:]
    func add(_ names: [String], _ advice: String) { for name in names { result[name] = advice } }
    add(["bootstrap.servers", "metadata.broker.list"], "use `kafka.bootstrapServers`")
    add(["client.id"], "use `kafka.clientId`")
    add(["security.protocol"], "use `kafka.security.protocol`")
    add(["sasl.mechanism", "sasl.mechanisms"], "use `kafka.security.mechanism`")
    add(["sasl.username"], "use `kafka.security.username`")
    add(["sasl.password"], "use `kafka.security.passwordFile`")
    add(["ssl.ca.location"], "use `kafka.security.caFile`")
    add(["ssl.certificate.location"], "use `kafka.security.certificateFile`")
    add(["ssl.key.location"], "use `kafka.security.keyFile`")
    add(["ssl.key.password"], "use `kafka.security.keyPasswordFile`")
    add(["ssl.endpoint.identification.algorithm"], "use `kafka.security.verifyHostName`")
    add(["group.id"], "use `group.id`")
    add(["group.instance.id"], "use `replica.name` and `replica.static`")
    add(["transactional.id"], "it is made of `group.id`, `replica.namespace` and `replica.name`")
    add(["session.timeout.ms"], "use `group.sessionTimeout`")
    add(["heartbeat.interval.ms"], "use `group.heartbeatInterval`")
    add(["max.poll.interval.ms"], "use `group.maxPollInterval`")
    add(["partition.assignment.strategy"], "use `group.assignmentStrategy`")
    add(["transaction.timeout.ms"], "use `transactions.timeout`")
    add(
        [
            "acks", "request.required.acks", "enable.idempotence", "enable.auto.commit", "enable.auto.offset.store",
            "auto.offset.reset", "isolation.level", "enable.partition.eof", "group.protocol", "group.remote.assignor",
            "allow.auto.create.topics", "enable.gapless.guarantee",
        ], "the bridge's promises depend on it, and the bridge sets it")
    add(["log.queue", "enabled_events", "plugin.library.paths", "test.mock.num.brokers"], "it may not be set")
    return result
}()

/// Why a property may not be set, or nil.
func propertyFault(_ name: String) -> String? {
    guard isWord(name, 100, "._") else { return "is no name of a property" }
    return reserved[name].map { "this property cannot be set here: \($0)" }
}
