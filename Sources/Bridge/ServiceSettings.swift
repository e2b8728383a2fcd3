package import BridgeCore
package import Configuration
package import Kafka

#if DELIBERATE_FAULTS
    #if canImport(Glibc)
        internal import Glibc
    #elseif canImport(Musl)
        internal import Musl
    #else
        internal import Darwin
    #endif
#endif

// From the configuration to what each part takes. No part reads the configuration by itself.

extension BridgeSettings {
    /// - Parameters:
    ///   - sourcePartitions: as the broker says.
    ///   - run: random text that no other process's run has.
    package func core(sourcePartitions: Int, run: String) -> CoreSettings {
        var core = CoreSettings(
            connections: connections.map { connection in
                var core = CoreSettings.Connection(
                    name: connection.name, streams: connection.streams, accountID: connection.accountId,
                    requestsPerMinute: connection.requestsPerMinute, burst: connection.burst,
                    maximumInFlight: connection.maximumInFlight,
                    tokenLifetime: ((connection.deadline + connection.tokenMargin).milliseconds + 999) / 1000,
                    clockLeeway: connection.clockLeeway.milliseconds, doubtGrace: connection.doubtGrace.milliseconds)
                core.throttlePause = connection.throttlePause.milliseconds
                core.retryAfterMaximum = connection.retryAfterMaximum.milliseconds
                core.readsBack = connection.readBack
                core.isExclusive = connection.isExclusive
                return core
            },
            sourcePartitions: sourcePartitions, owner: "\(replica.name ?? "replica")/\(run)")
        core.settledPartitions = Int32(clamping: sourcePartitions)
        core.leaseDuration = hold.leaseDuration.milliseconds
        core.confirmInterval = hold.confirmInterval.milliseconds
        core.readBackInterval = doubt.readBackInterval.milliseconds
        core.readBackTimeout = doubt.readBackTimeout.milliseconds
        core.campaignCoolDown = calls.campaignCoolDown.milliseconds
        core.ageMargin = source.ageMargin.milliseconds
        core.maximumAge = source.maximumAge.milliseconds
        core.maximumFutureTime = source.maximumFutureTime.milliseconds
        core.windowRecords = source.windowRecords
        core.windowBytes = source.windowBytes
        core.maximumInFlight = calls.maximumInFlight
        core.maximumReady = calls.maximumReady
        core.maximumTransaction = transactions.maximumEntries
        core.retryInitial = retry.initialDelay.milliseconds
        core.retryJitterPercent = Int64(retry.jitterPercent)
        core.maximumTransactionBytes = transactions.maximumBytes
        core.maximumEntries = ledger.maximumEntries
        core.retryMaximum = retry.maximumDelay.milliseconds
        core.circuitFailures = circuit.failures
        core.circuitForeignAnswers = circuit.foreignAnswers
        core.circuitOpen = circuit.openFor.milliseconds
        #if DELIBERATE_FAULTS
            // The chaos run breaks the whole program in the way that its environment names; no other build reads it.
            core.deliberateFault = getenv("DELIBERATE_FAULT").flatMap { DeliberateFault(rawValue: String(cString: $0)) }
        #endif
        return core
    }

    package var resultTopics: ResultTopics {
        ResultTopics(
            source: ledgerSource, started: topics.started, deadLetters: topics.deadLetters, ledger: topics.ledger,
            failed: topics.failed)
    }

    package func encoder(version: String) -> ResultEncoder {
        ResultEncoder(
            topics: resultTopics, format: results.format == .binary ? .binary : .structured,
            eventSource: results.source, accounts: connections.map(\.accountId), version: version,
            maximumLetterBytes: deadLetters.maximumBytes)
    }

    /// Decodes what the ledger's topic holds: as `decoder`, or the same with the original place in headers.
    package var pipelineDecoder: RequestDecoder {
        var decoder = decoder
        decoder.readsIntake = source.isRekeyed
        return decoder
    }

    /// Decodes records of the source.
    package var decoder: RequestDecoder {
        RequestDecoder(
            identityField: source.identityField, identityHeader: source.identityHeader,
            maximumBytes: source.maximumRecordBytes)
    }

    /// Properties that every Kafka client of the process shares.
    package var commonKafka: ClientSettings {
        var properties: [String: String] = [
            "bootstrap.servers": kafka.bootstrapServers.joined(separator: ","),
            "client.id": kafka.clientId,
            "security.protocol": kafka.security.securityProtocol.rawValue,
            // The library's own 10 s would add that much to every outage.
            "reconnect.backoff.max.ms": "2000",
            // How soon partitions that were added are noticed.
            "topic.metadata.refresh.interval.ms": "30000",
            "statistics.interval.ms": String(kafka.statisticsInterval.milliseconds),
        ]
        let security = kafka.security
        if let mechanism = security.mechanism { properties["sasl.mechanism"] = mechanism.rawValue }
        if let text = security.username { properties["sasl.username"] = text }
        if let secret = security.password { properties["sasl.password"] = secret.reveal() }
        if let file = security.caFile { properties["ssl.ca.location"] = file }
        if let file = security.certificateFile { properties["ssl.certificate.location"] = file }
        if let file = security.keyFile { properties["ssl.key.location"] = file }
        if let secret = security.keyPassword { properties["ssl.key.password"] = secret.reveal() }
        if security.securityProtocol.usesTLS {
            properties["ssl.endpoint.identification.algorithm"] = security.verifyHostName ? "https" : "none"
        }
        for (name, value) in kafka.properties.values { properties[name] = value }
        return ClientSettings(properties: properties)
    }

    /// The group's consumer of the source topic.
    package var consumer: ClientSettings {
        var settings = reader
        settings.properties["group.id"] = group.id
        settings.properties["partition.assignment.strategy"] = group.assignmentStrategy.rawValue
        settings.properties["session.timeout.ms"] = String(group.sessionTimeout.milliseconds)
        settings.properties["heartbeat.interval.ms"] = String(group.heartbeatInterval.milliseconds)
        settings.properties["max.poll.interval.ms"] = String(group.maxPollInterval.milliseconds)
        if let id = ledgerInstanceId { settings.properties["group.instance.id"] = id }
        return settings
    }

    /// A consumer without a group, for the ledger and the control topic.
    package var reader: ClientSettings {
        var settings = commonKafka
        settings.properties["group.id"] = group.id
        settings.properties["isolation.level"] = "read_committed"
        settings.properties["auto.offset.reset"] = "error"
        settings.properties["queued.max.messages.kbytes"] = String(max(1024, source.prefetchBytes / 1024))
        settings.properties["fetch.wait.max.ms"] = "100"
        for (name, value) in kafka.consumerProperties.values { settings.properties[name] = value }
        return settings
    }

    package var producer: ClientSettings {
        var settings = commonKafka
        for (name, value) in kafka.producerProperties.values { settings.properties[name] = value }
        return settings
    }
}
