internal import Bridge
internal import BridgeCore
internal import Configuration
internal import JSON
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `dead-letters show`: one dead letter in full.
struct LetterShow: Sendable {
    let command: ParsedCommand
    let settings: BridgeSettings

    init(_ command: ParsedCommand, _ settings: BridgeSettings) {
        self.command = command
        self.settings = settings
    }

    func run() async throws -> Int32 {
        let place = try LetterPlace.of(command.text("place") ?? "")
        let partition = TopicPartition(settings.topics.deadLetters, place.partition)
        let record = try await Reading(settings: settings).record(at: partition, place.offset)
        let isJSON = command.text("output") == OutputFormat.json.rawValue
        guard let record, var letter = DeadLetter(record) else {
            if isJSON { try Output.standardOutput.write(Array("null\n".utf8)) }
            Process.complain("campaign-bridge dead-letters: there is no dead letter at \(place)")
            return ExitCode.found.rawValue
        }
        letter.readRequest(record, decoder: settings.decoder)
        let advice = Remedy(of: letter, sourceTopic: settings.topics.source)
            .advice(for: letter, at: wallMilliseconds())
        let text = isJSON ? json(letter, record, advice) : Array(page(letter, record, advice).utf8)
        return Process.quietly { () throws(OutputError) in try Output.standardOutput.write(text) }
    }

    private func page(_ letter: DeadLetter, _ record: Record, _ advice: String) -> String {
        var text = ""
        func line(_ name: String, _ value: String) {
            text += name + String(repeating: " ", count: max(1, 14 - name.count)) + VisibleText.of(value) + "\n"
        }
        line("dead letter", "\(letter.place), written \(RFC3339.format(letter.time))")
        line("reason", "\(letter.reason) (class \(letter.category))")
        line("message", letter.message)
        line("event", "\(letter.eventID) (identity \(letter.identityKind))")
        line("request id", letter.requestID)
        if let stream = letter.streamID { line("stream", stream) }
        if let campaign = letter.campaignID { line("campaign", campaign) }
        if let source = letter.source {
            let time = source.timestamp.map { ", written " + RFC3339.format($0) } ?? ""
            line("request", "\(source.topic) \(source.partition):\(source.offset)\(time)")
        }
        if let expiry = letter.expiresAt { line("expires", RFC3339.format(expiry)) }
        line("attempts", "\(letter.attempts), generation \(letter.generation.map { String($0) } ?? "unknown")")
        if let omitted = letter.omitted { line("left out", omitted) }
        line("key", record.key.map { VisibleText.of($0) } ?? "none")
        line("value", record.value.map { "\($0.count) bytes" } ?? "none")
        text += "\nheaders of the request:\n"
        let own = record.headers.filter { !AddedHeaders.isAdded($0) }
        for header in own {
            text += "  \(VisibleText.of(header.name)): \(header.value.map { VisibleText.of($0) } ?? "null")\n"
        }
        if own.isEmpty { text += "  none\n" }
        if command.flag("value"), let value = record.value { text += "\nvalue:\n\(VisibleText.of(value))\n" }
        let since = "Whether it was replayed since: `campaign-bridge inspect \(VisibleText.of(letter.eventID))`."
        return text + "\n" + advice + "\n" + since + "\n"
    }

    private func json(_ letter: DeadLetter, _ record: Record, _ advice: String) -> [UInt8] {
        var out = JSONWriter(capacity: 2048)
        func bytes(_ out: inout JSONWriter, _ name: String, _ bytes: [UInt8]?) {
            guard let bytes else {
                out.key(name)
                return out.null()
            }
            if let text = String(validating: bytes, as: UTF8.self) {
                out.member(name, text)
            } else {
                out.member(name + "Hex", bytes.map { Hex.digits($0) }.joined())
            }
        }
        out.object { out in
            letter.members(&out)
            if let nonce = letter.nonce { out.member("nonce", nonce) }
            if let key = letter.identityKey { bytes(&out, "identityKey", key) }
            out.member("version", letter.version)
            if let expiry = letter.expiresAt { out.member("expiresAt", RFC3339.format(expiry)) }
            out.member("advice", advice)
            bytes(&out, "key", record.key)
            out.key("headers")
            out.array { out in
                for header in record.headers {
                    out.object { out in
                        bytes(&out, "name", header.name)
                        bytes(&out, "value", header.value)
                    }
                }
            }
            out.key("valueSize")
            if let value = record.value { out.int(value.count) } else { out.null() }
            if command.flag("value") { bytes(&out, "value", record.value) }
        }
        return out.bytes + [10]
    }
}

extension LetterPlace {
    /// As the command line names it.
    static func of(_ text: String) throws(UsageFault) -> LetterPlace {
        guard let place = LetterPlace(text) else {
            throw UsageFault(
                "'\(VisibleText.of(text))' is no place of a dead letter; expected: PARTITION:OFFSET, such as 3:1042, as "
                    + "`dead-letters list` prints it")
        }
        return place
    }
}
