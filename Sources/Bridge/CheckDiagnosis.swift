package import Configuration
internal import Kafka
internal import Synchronization

/// What the Kafka library said while it tried to connect. Its answers only say that there was none.
final class KafkaLines: Sendable {
    private let lines = Mutex<[String]>([])

    func take(_ event: ClientEvent) {
        let text: String
        switch event {
        // Lines on properties are told when the client is made, and do not tell why it cannot connect.
        case .log(let level, let facility, let line) where level <= 6 && facility != "CONFWARN": text = line
        case .error(let error): text = error.message
        default: return
        }
        lines.withLock { if $0.count < 200 { $0.append(text) } }
    }

    var all: [String] { lines.withLock { $0 } }
}

/// From what the library said to what a person should do. Pure.
package struct KafkaDiagnosis: Sendable {
    package var text: String
    package var advice: String
    /// false: brokers answer, and something on one of the two sides is set wrong.
    package var isUnreachable: Bool

    /// - Parameters:
    ///   - lines: the library's own.
    ///   - libraryVersion: as `LibraryVersion.number`.
    package init(lines: [String], fallback: String, settings: BridgeSettings, libraryVersion: Int32) {
        let shortened = lines.map(Self.short)
        func first(_ parts: String...) -> String? {
            shortened.first { line in parts.contains { Self.withoutAddress(line).lowercased().contains($0) } }
        }
        let security = settings.kafka.security
        let isScram = security.mechanism == .scramSHA256 || security.mechanism == .scramSHA512
        isUnreachable = true
        if let line = first("certificate verify failed", "self-signed", "self signed", "unable to get local issuer") {
            isUnreachable = false
            text = "the broker's certificate is not trusted: \(line)"
            advice = "set kafka.security.caFile to the PEM file of the authority that signed it"
        } else if let line = first("hostname mismatch", "ip address mismatch", "does not match") {
            isUnreachable = false
            text = "the broker's certificate is for another name: \(line)"
            advice = "use a name of the certificate in kafka.bootstrapServers and in the brokers' advertised.listeners"
        } else if let line = first("security.protocol", "ssl handshake failed", "ssl routines", "wrong version number")
        {
            isUnreachable = false
            text = "TLS could not be agreed on: \(line)"
            advice =
                security.securityProtocol.usesTLS
                ? "check that the port speaks TLS, and kafka.security.protocol, caFile, certificateFile and keyFile"
                : "the port may speak TLS: set kafka.security.protocol to ssl or sasl_ssl"
        } else if let line = first("unsupported sasl mechanism", "unsupported mechanism", "no worthy mechs") {
            isUnreachable = false
            text = "the brokers do not offer this way to log in: \(line)"
            advice = "set kafka.security.mechanism to one that sasl.enabled.mechanisms of the brokers names"
        } else if let line = first("sasl", "authentication failed", "authentication error") {
            isUnreachable = false
            text = "the login was refused: \(line)"
            advice = "check kafka.security.username, the password and kafka.security.mechanism"
            if isScram, libraryVersion < 0x0206_01ff {
                advice +=
                    ". With a Kafka 4 broker SCRAM needs librdkafka 2.6.1 or later: until then use PLAIN over TLS or "
                    + "a client certificate"
            }
        } else if let line = first("failed to resolve") {
            text = "a broker's name has no address: \(line)"
            advice = "check kafka.bootstrapServers, the brokers' advertised.listeners and the name servers"
        } else if let line = first("connection refused") {
            text = "nobody listens at a broker's port: \(line)"
            advice = "start the broker, or correct kafka.bootstrapServers or the brokers' advertised.listeners"
        } else if let line = first("disconnected", "connection reset") {
            text = "the broker closes the connection: \(line)"
            advice = "the port may expect TLS or a login: check kafka.security.protocol"
        } else {
            text = "no broker answers: \(shortened.first ?? fallback)"
            advice =
                security.mechanism == .oauthBearer
                ? "check sasl.oauthbearer.* in kafka.properties, kafka.bootstrapServers, network and firewall"
                : "check kafka.bootstrapServers, network and firewall"
        }
    }

    /// Without the address in front, whose scheme names SASL and SSL.
    private static func withoutAddress(_ line: String) -> String {
        guard let end = line.range(of: ": ") else { return line }
        return String(line[end.upperBound...])
    }

    /// Without the library's own prefixes and times, and not longer than a line or two.
    private static func short(_ line: String) -> String {
        var text = line
        if text.hasPrefix("[thrd:"), let end = text.range(of: "]: ") { text = String(text[end.upperBound...]) }
        if let end = text.range(of: " (after ") { text = String(text[..<end.lowerBound]) }
        return String(text.prefix(240))
    }
}

extension String {
    /// The first place of a text, found by bytes.
    fileprivate func range(of part: String) -> Range<String.Index>? {
        let all = Array(utf8)
        let wanted = Array(part.utf8)
        guard all.count >= wanted.count else { return nil }
        for start in 0...(all.count - wanted.count) where all[start..<(start + wanted.count)].elementsEqual(wanted) {
            let lower = utf8.index(utf8.startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}
