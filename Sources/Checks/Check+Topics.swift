internal import Bridge
internal import Configuration
internal import Kafka
internal import Records

// What check asks of the topics, and of a certificate that is not taken.

extension BridgeCheck {
    /// True: all are there and may be written to.
    func topics(
        _ admin: Admin, _ found: [String: TopicDescription], _ brokers: Int, timeout: Duration,
        _ report: @Sendable (CheckLine) -> Void
    ) async -> Bool {
        let unwritable = await unwritable(timeout: timeout)
        let ledgerPartitions = found[settings.ledgerSource]?.partitions.count
        let rules = CheckTopics(settings: settings, ledgerPartitions: ledgerPartitions, brokers: brokers)
        var hasAll = true
        for topic in TopicPlan(settings, existing: found.mapValues(\.partitions.count)).topics {
            var configuration: [String: String]?
            // What a user may not see is told like what does not exist.
            var mayExist = unwritable[topic.name] != nil
            do throws(KafkaError) {
                configuration = try await admin.configuration(ofTopic: topic.name)
            } catch {
                if error.isAuthorization {
                    if !settings.writtenTopics.contains(topic.name) { mayExist = true }
                } else if error.code != .unknownTopicOrPartition {
                    report(CheckLine(.warning, "topic \(topic.name)", "its configuration cannot be read: \(error)"))
                }
            }
            if let description = found[topic.name] {
                let facts = TopicFacts(description: description, configuration: configuration)
                for line in rules.lines(topic.name, facts) { report(line) }
                if let error = unwritable[topic.name] {
                    hasAll = false
                    report(
                        CheckLine(
                            .failed, "topic \(topic.name)", "it cannot be written to: \(error)",
                            advice: Right.write(topic: topic.name).grant(settings)))
                }
                continue
            }
            hasAll = false
            let create = "make it with `campaign-bridge topics --create`"
            let grants = settings.rights(on: topic.name).map { $0.grant(settings) }.joined(separator: "; ")
            report(
                CheckLine(
                    .failed, "topic \(topic.name)",
                    mayExist ? "this user has no right to it, or it does not exist" : "it does not exist",
                    advice: mayExist ? "\(grants). If it does not exist, \(create)" : create))
        }
        return hasAll
    }

    /// The topics that the brokers do not let this user write to.
    private func unwritable(timeout: Duration) async -> [String: KafkaError] {
        var errors: [String: KafkaError] = [:]
        do throws(KafkaError) {
            let probe = try WriteProbe(settings: settings.commonKafka, timeout: timeout) { _ in }
            for topic in settings.writtenTopics {
                if let error = await probe.refusal(settings.probe(of: topic)), error.isAuthorization {
                    errors[topic] = error
                }
            }
            _ = await probe.close(deadline: .seconds(2))
        } catch {
            // The other clients are made of the same properties, and have their lines.
            return [:]
        }
        return errors
    }

    /// Whether the brokers' certificate is good but for its name. The library does not say so; it is tried without that
    /// rule, and without the login, which only the right broker may see.
    func isForAnotherName(_ lines: KafkaLines, timeout: Duration) async -> Bool {
        func tells(_ lines: KafkaLines) -> Bool { lines.all.contains { $0.contains(KafkaDiagnosis.untrusted) } }
        guard settings.kafka.security.verifyHostName, tells(lines) else { return false }
        var kafka = settings.commonKafka
        for name in kafka.properties.keys where name.hasPrefix("sasl.") { kafka.properties[name] = nil }
        kafka.properties["security.protocol"] = "ssl"
        kafka.properties["ssl.endpoint.identification.algorithm"] = "none"
        let again = KafkaLines()
        do throws(KafkaError) {
            let admin = try Admin(settings: kafka, timeout: timeout) { again.take($0) }
            do throws(KafkaError) {
                _ = try await admin.brokers()
            } catch {
                _ = await admin.close(deadline: .seconds(2))
                throw error
            }
            _ = await admin.close(deadline: .seconds(2))
            return true
        } catch {
            // Whatever comes after the handshake, it was agreed on.
            return !again.all.isEmpty && !tells(again)
        }
    }
}
