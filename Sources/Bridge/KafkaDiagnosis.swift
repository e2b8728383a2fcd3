package import Configuration
package import Kafka
internal import Synchronization

/// What the Kafka library said while it tried to connect. Its answers only say that there was none.
package final class KafkaLines: Sendable {
    private let lines = Mutex<[String]>([])

    package init() {}

    /// What a client tells.
    package func take(_ event: ClientEvent) {
        let text: String
        switch event {
        // Lines on properties are told when the client is made, and do not tell why it cannot connect.
        case .log(let level, let facility, let line) where level <= 6 && facility != "CONFWARN": text = line
        case .error(let error): text = error.message
        default: return
        }
        lines.withLock { if $0.count < 200 { $0.append(text) } }
    }

    package var all: [String] { lines.withLock { $0 } }

    /// All so far; from now on only what comes after.
    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }
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
    ///   - isForAnotherName: whether it is known that the certificate is good but for its name, which the library does not
    ///     tell apart.
    package init(
        lines: [String], fallback: String, settings: BridgeSettings, libraryVersion: Int32,
        isForAnotherName: Bool = false
    ) {
        let shortened = lines.map(Self.short)
        func first(_ parts: String...) -> String? {
            shortened.first { line in parts.contains { Self.withoutAddress(line).lowercased().contains($0) } }
        }
        let security = settings.kafka.security
        let isScram = security.mechanism == .scramSHA256 || security.mechanism == .scramSHA512
        let name = "use a name of the certificate in kafka.bootstrapServers and in the brokers' advertised.listeners"
        isUnreachable = true
        if let line = first("hostname mismatch", "ip address mismatch", "does not match")
            ?? (isForAnotherName ? first(Self.untrusted) : nil)
        {
            isUnreachable = false
            text = "the broker's certificate is for another name: \(line)"
            advice = name
        } else if let line = first(Self.untrusted, "self-signed", "self signed", "unable to get local issuer") {
            isUnreachable = false
            text = "the broker's certificate is not trusted, or is for another name: \(line)"
            advice = "set kafka.security.caFile to the PEM file of the authority that signed it, and " + name
        } else if let line = first("broker might require sasl") {
            isUnreachable = false
            text = "the broker wants a login: \(line)"
            advice = "set kafka.security.protocol to sasl_ssl or sasl_plaintext, with mechanism, username and password"
        } else if let line = first("alert bad certificate", "certificate required", "alert unknown ca") {
            isUnreachable = false
            text = "the broker wants a client certificate, or does not take this one: \(line)"
            advice = "set kafka.security.certificateFile and keyFile to one of an authority that the broker trusts"
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
                advice =
                    "with a Kafka 4 broker SCRAM needs librdkafka 2.6.1 or later, whatever the password: until then use "
                    + "PLAIN over TLS or a client certificate. With an older broker " + advice
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

    /// What OpenSSL says of every certificate that it does not take, whatever for.
    package static let untrusted = "certificate verify failed"

    /// What to do where the library does not take what it is given to make a client.
    package static func advice(refused text: String) -> String {
        let settings = [
            ("ssl.key.location", "kafka.security.keyFile and keyPassword"),
            ("ssl.certificate.location", "kafka.security.certificateFile"),
            ("ssl.ca.location", "kafka.security.caFile"),
        ]
        guard let setting = settings.first(where: { text.contains($0.0) }) else {
            return "correct or remove the property"
        }
        return "check \(setting.1): the file cannot be used, or the password is not its own"
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
