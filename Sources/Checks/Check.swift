internal import Bridge
internal import BridgeCore
package import Configuration
internal import Kafka
package import KoreAPI
internal import Records

/// Tries for real what the bridge needs, and says what to do about each fault. Starts no campaign and changes nothing
/// that a consumer sees; one transactional id, `<the replica's>/check`, becomes known to the cluster.
package struct BridgeCheck: Sendable {
    package struct Options: Sendable {
        /// Of everything together, about.
        package var timeout: Duration
        /// Only what needs no network.
        package var isOffline: Bool
        /// Whether rights to write are tried, with records in a transaction that is aborted.
        package var triesWrites: Bool

        package init(timeout: Duration, isOffline: Bool, triesWrites: Bool) {
            self.timeout = timeout
            self.isOffline = isOffline
            self.triesWrites = triesWrites
        }
    }

    let settings: BridgeSettings
    let client: @Sendable () throws -> CampaignClient
    let options: Options

    /// - Parameter client: makes the client of the configured connections.
    package init(
        settings: BridgeSettings, client: @escaping @Sendable () throws -> CampaignClient, options: Options
    ) {
        self.settings = settings
        self.client = client
        self.options = options
    }

    /// Checks everything; `report` gets each line as it is found.
    package func run(_ report: @escaping @Sendable (CheckLine) -> Void) async {
        library(report)
        let end = ContinuousClock.now.advanced(by: options.timeout)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connections(report) }
            group.addTask { await kafka(until: end, report) }
        }
    }

    /// The library's known faults, as far as they touch this configuration.
    private func library(_ report: @Sendable (CheckLine) -> Void) {
        let name = "librdkafka \(LibraryVersion.string)"
        let mechanism = settings.kafka.security.mechanism
        let isScram = mechanism == .scramSHA256 || mechanism == .scramSHA512
        let isCooperative = settings.group.assignmentStrategy == .cooperativeSticky
        let known = LibraryVersion.limitations().filter { text in
            if text.contains("SCRAM") { return isScram }
            if text.contains("cooperative") { return isCooperative }
            return true
        }
        if known.isEmpty { report(CheckLine(.fine, name, "no known fault that matters here")) }
        for text in known {
            let parts = text.split(separator: ";", maxSplits: 1)
            report(
                CheckLine(
                    .warning, name, String(parts[0]),
                    advice: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : nil))
        }
    }

    // MARK: - API

    private func connections(_ report: @escaping @Sendable (CheckLine) -> Void) async {
        do {
            let client = try client()
            if options.isOffline {
                report(CheckLine(.fine, "connections", "keys and certificates can be used"))
            } else {
                await CheckConnections(settings: settings).run(client, report)
            }
            await client.close()
        } catch {
            report(CheckLine(.failed, "connections", "\(error)", advice: "correct the connection's settings"))
        }
    }

    // MARK: - Kafka

    private func kafka(until end: ContinuousClock.Instant, _ report: @escaping @Sendable (CheckLine) -> Void) async {
        let lines = KafkaLines()
        let admin: Admin
        do {
            admin = try Admin(settings: settings.commonKafka, timeout: step(until: end)) { lines.take($0) }
        } catch {
            report(
                CheckLine(.failed, "kafka.properties", "\(error)", advice: KafkaDiagnosis.advice(refused: "\(error)")))
            return
        }
        if options.isOffline {
            report(CheckLine(.fine, "kafka.properties", "librdkafka takes them"))
        } else {
            await cluster(admin, lines, end, report)
        }
        _ = await admin.close(deadline: .seconds(2))
    }

    /// One step has at most a quarter of what is left, so that a step that fails leaves time for the others.
    private func step(until end: ContinuousClock.Instant) -> Duration {
        let left = ContinuousClock.now.duration(to: end)
        return min(settings.kafka.operationTimeout, max(.seconds(1), left / 4))
    }

    private func cluster(
        _ admin: Admin, _ lines: KafkaLines, _ end: ContinuousClock.Instant,
        _ report: @escaping @Sendable (CheckLine) -> Void
    ) async {
        let brokers: [BrokerDescription]
        let found: [String: TopicDescription]
        do throws(KafkaError) {
            brokers = try await admin.brokers()
            found = try await admin.topics(nil)
        } catch {
            let diagnosis = KafkaDiagnosis(
                lines: lines.all, fallback: error.message, settings: settings, libraryVersion: LibraryVersion.number,
                isForAnotherName: await isForAnotherName(lines, timeout: step(until: end)))
            report(
                CheckLine(
                    .failed, "broker", diagnosis.text, advice: diagnosis.advice,
                    isUnreachable: diagnosis.isUnreachable))
            report(CheckLine(.skipped, "topics, rights, records", "they can be looked at once a broker answers"))
            return
        }
        let addresses = brokers.map(\.address).joined(separator: ", ")
        report(
            CheckLine(.fine, "broker", "\(brokers.count) \(brokers.count == 1 ? "broker" : "brokers"): \(addresses)"))
        let hasAll = await topics(admin, found, brokers.count, timeout: step(until: end), report)
        await CheckCluster(settings: settings).run(admin, brokers, found, report)
        await group(settings.group.id, settings.ledgerSource, found, lines, report)
        if settings.source.isRekeyed {
            await group(settings.intakeGroup, settings.topics.source, found, lines, report)
        }
        guard ContinuousClock.now < end else {
            report(
                CheckLine(
                    .skipped, "transactional id, records", "the time was up", advice: "give more with --timeout"))
            return
        }
        await CheckTransaction(settings: settings, transactionalID: settings.checkTransactionalId).run(
            timeout: step(until: end), triesWrites: hasAll && options.triesWrites, report)
        if settings.source.isRekeyed {
            await CheckTransaction(settings: settings, transactionalID: settings.intakeTransactionalId + "/check").run(
                timeout: step(until: end), triesWrites: false, report)
        }
        await CheckRecords(settings: settings).run(admin, found, timeout: step(until: end), report)
    }

    private func group(
        _ id: String, _ topic: String, _ found: [String: TopicDescription], _ lines: KafkaLines,
        _ report: @Sendable (CheckLine) -> Void
    ) async {
        let name = "group \(id)"
        let partitions = (found[topic]?.partitions ?? []).map {
            TopicPartition(topic, $0.id)
        }
        guard !partitions.isEmpty else {
            report(CheckLine(.skipped, name, "\(topic) does not exist"))
            return
        }
        do throws(KafkaError) {
            let client = try CommittedOffsets(
                settings: settings.commonKafka, group: id, timeout: settings.kafka.operationTimeout
            ) { lines.take($0) }
            let offsets: [TopicPartition: GroupOffset?]
            var cut: [String] = []
            do throws(KafkaError) {
                offsets = try await client.fetch(partitions)
                var reached: [TopicPartition: Int64] = [:]
                for (partition, offset) in offsets {
                    guard let end = offset.flatMap(LedgerNote.end),
                        found[settings.topics.ledger]?.partitions.contains(where: { $0.id == partition.partition })
                            == true
                    else { continue }
                    reached[TopicPartition(settings.topics.ledger, partition.partition)] = end
                }
                for (ledger, end) in try await client.stableEnds(Array(reached.keys)) {
                    guard let reached = reached[ledger], end < reached else { continue }
                    cut.append("\(ledger) ends at \(end) and had reached \(reached)")
                }
            } catch {
                _ = await client.close(deadline: .seconds(2))
                throw error
            }
            _ = await client.close(deadline: .seconds(2))
            if !cut.isEmpty {
                report(
                    CheckLine(
                        .failed, "ledger", "\(cut.sorted().joined(separator: ", ")): the topic was made anew or cut",
                        advice: "restore it; docs/operations.md says how to go on without it"))
            }
            let known = offsets.values.count { $0 != nil }
            report(
                CheckLine(.fine, name, "offsets can be read; \(known) of \(partitions.count) partitions have one"))
        } catch {
            report(
                CheckLine(
                    .failed, name, "its offsets cannot be read: \(error)",
                    advice: error.code == .groupAuthorizationFailed
                        ? Right.readGroup(id).grant(settings)
                        : error.isAuthorization ? Right.read(topic: topic).grant(settings) : nil,
                    isUnreachable: error.isRetriable))
        }
    }
}
