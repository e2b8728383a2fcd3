package import Configuration
internal import Kafka
package import Telemetry

/// Asks for the partitions of the topic that the ledger belongs to, until the brokers tell.
package struct SourcePartitions: Sendable {
    private let settings: BridgeSettings
    private let outages: OutageLog
    private let waitsFor: @Sendable (String) -> Void

    /// - Parameter waitsFor: told what is in the way and what to do about it, whenever that is known.
    package init(settings: BridgeSettings, outages: OutageLog, waitsFor: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.outages = outages
        self.waitsFor = waitsFor
    }

    /// nil: cancelled.
    ///
    /// - Throws: a property that the Kafka library does not take.
    package func count() async throws -> Int? {
        let lines = KafkaLines()
        let admin = try Admin(settings: settings.commonKafka, timeout: .seconds(10)) { lines.take($0) }
        let topic = settings.ledgerSource
        var count: Int?
        while count == nil, !Task.isCancelled {
            do throws(KafkaError) {
                let found = try await admin.topics([topic])[topic]?.partitions.count ?? 0
                count = found > 0 ? found : nil
                if count == nil {
                    failed(
                        "topic \(topic) does not exist, or this user has no right to see it",
                        "make it with `campaign-bridge topics --create`, or "
                            + Right.read(topic: topic).grant(settings))
                }
            } catch {
                let told = lines.take()
                // A library that says nothing more has the same trouble as before.
                if !told.isEmpty {
                    let diagnosis = KafkaDiagnosis(
                        lines: told, fallback: error.message, settings: settings,
                        libraryVersion: LibraryVersion.number)
                    failed(diagnosis.text, diagnosis.advice)
                } else {
                    outages.failed("kafka-source", [.error: .error(error)])
                }
            }
            if count == nil { await pause() }
        }
        if count != nil { outages.recovered("kafka-source") }
        _ = await admin.close(deadline: .seconds(5))
        return count
    }

    private func failed(_ text: String, _ advice: String) {
        waitsFor("\(text); \(advice)")
        outages.failed("kafka-source", [.error: .string(text), .detail: .string(advice)])
    }

    private func pause() async {
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
    }
}
