internal import Bridge
internal import BridgeCore
internal import Checks
internal import Configuration
internal import JSON
internal import KoreAPI
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `validate`: what would be called for an event, or why nothing would.
struct ValidateCommand {
    let command: ParsedCommand

    init(_ command: ParsedCommand) { self.command = command }

    func run() async -> Int32 {
        guard let settings = Process.settings(command) else { return ExitCode.usage.rawValue }
        let record: Record
        do {
            record = try Record(
                topic: settings.topics.source, partition: 0, offset: 0, timestamp: wallMilliseconds(),
                key: command.text("key").map { Array($0.utf8) },
                // What is larger is no fault of this command: it becomes a dead letter.
                value: Input.bytes(of: command.text("file") ?? "-", limit: 256 << 20), headers: headers())
        } catch {
            Process.complain("campaign-bridge validate: \(error)")
            return ExitCode.usage.rawValue
        }
        do {
            let client = try settings.campaignClient(version: Process.version)
            let check = EventCheck(record, settings: settings, at: currentMoment())
            let report = Report(check: check, settings: settings, client: client)
            let code = Process.quietly { () throws(OutputError) in
                let isJSON = command.text("output") == OutputFormat.json.rawValue
                try Output.standardOutput.write(isJSON ? report.json : Array(report.text.utf8))
            }
            await client.close()
            if case .deadLetter = check.verdict { return ExitCode.found.rawValue }
            return code
        } catch {
            Process.complain("campaign-bridge validate: \(error)")
            return ExitCode.usage.rawValue
        }
    }

    private struct HeaderFault: Error, CustomStringConvertible {
        var description: String
    }

    private func headers() throws(HeaderFault) -> [Header] {
        var headers: [Header] = []
        for text in command.texts("header") {
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw HeaderFault(description: "--header takes name=value, such as ce_id=order-1")
            }
            headers.append(Header(String(text[..<equals]), String(text[text.index(after: equals)...])))
        }
        return headers
    }
}

/// The verdict as text and as JSON.
private struct Report {
    let check: EventCheck
    let settings: BridgeSettings
    let client: CampaignClient

    private var identity: EventIdentity { check.event.identity }

    /// What works and is probably not meant.
    private var warnings: [String] {
        var warnings: [String] = []
        if check.event.record.key == nil {
            warnings.append(
                "no key (--key): the same event sent twice can reach two partitions, where a repeat is not recognised")
        }
        if identity.kind == .position {
            warnings.append(
                "no identity: a repeat of this record would be called again. Send a CloudEvent, or set "
                    + "source.identityField or source.identityHeader")
        }
        return warnings
    }

    var text: String {
        var lines: [String] = []
        func line(_ name: String, _ value: String) {
            lines.append(name + String(repeating: " ", count: max(1, 14 - name.count)) + VisibleText.of(value))
        }
        switch check.verdict {
        case .call(let call, let time):
            lines.append("This event would be called.")
            if let description = client.describe(call) {
                lines.append("")
                lines.append("\(description.method) \(VisibleText.of(description.url))")
                for field in description.headers {
                    lines.append("\(VisibleText.of(field.name)): \(VisibleText.of(field.value))")
                }
                lines.append("")
                lines.append(VisibleText.of(description.body))
            }
            lines.append("")
            line("connection", "\(call.connection), account \(call.accountID)")
            if time > (check.event.record.timestamp ?? time) + 1000 { line("not before", RFC3339.format(time)) }
            line("not after", RFC3339.format(check.expiry))
        case .deadLetter(let reason, let message):
            lines.append("This event would become a dead letter.")
            lines.append("")
            line("reason", reason.rawValue)
            line("class", reason.category)
            line("message", message)
        }
        line("identity", identityText)
        line("request id", identity.requestID)
        for warning in warnings { line("warning", warning) }
        return lines.joined(separator: "\n") + "\n"
    }

    private var identityText: String {
        switch identity.kind {
        case .cloudEvent: "CloudEvent, source \(identity.source ?? ""), id \(identity.eventID)"
        case .field: "field \(settings.source.identityField ?? ""): \(identity.eventID)"
        case .header: "header \(settings.source.identityHeader ?? ""): \(identity.eventID)"
        case .position: "none but the record's place"
        }
    }

    var json: [UInt8] {
        var out = JSONWriter()
        out.object { out in
            switch check.verdict {
            case .call(let call, let time):
                out.member("wouldCall", true)
                if let description = client.describe(call) {
                    out.member("method", description.method)
                    out.member("url", description.url)
                    out.key("headers")
                    out.object { out in for field in description.headers { out.member(field.name, field.value) } }
                    out.member("body", description.body)
                }
                out.member("connection", call.connection)
                out.member("accountId", call.accountID)
                out.member("streamId", call.streamID)
                out.member("campaignId", call.campaignID)
                out.member("notBefore", RFC3339.format(time))
                out.member("notAfter", RFC3339.format(check.expiry))
            case .deadLetter(let reason, let message):
                out.member("wouldCall", false)
                out.member("reason", reason.rawValue)
                out.member("class", reason.category)
                out.member("message", message)
            }
            out.key("identity")
            out.object { out in
                out.member("kind", identity.kind.rawValue)
                out.member("id", identity.eventID)
                if let source = identity.source { out.member("source", source) }
            }
            out.member("requestId", identity.requestID)
            out.key("warnings")
            out.array { out in for warning in warnings { out.string(warning) } }
        }
        return out.bytes + [10]
    }
}
