internal import BridgeCore
internal import HTTPClient
internal import JSON

/// One configured connection, ready to use: its HTTP client, its signer, and the requests that it can write.
final class Connection: Sendable {
    let settings: ConnectionSettings
    let http: HTTPClient
    private let signer: TokenSigner
    private let limits: CampaignClientSettings

    init(_ settings: ConnectionSettings, _ limits: CampaignClientSettings) throws(ConnectionFault) {
        if let text = Connection.fault(in: settings) {
            throw ConnectionFault(connection: settings.name, text: text)
        }
        self.settings = settings
        self.limits = limits
        signer = try TokenSigner(settings)
        do throws(TransportFault) {
            http = try HTTPClient(
                settings: HTTPClientSettings(
                    caFile: settings.caFile, clientCertificateFile: settings.clientCertificateFile,
                    clientKeyFile: settings.clientKeyFile, proxy: settings.proxy,
                    maximumConnections: settings.maximumConnections, maximumWaiting: limits.maximumWaiting,
                    reuseMaximumAge: settings.reuseMaximumAge, userAgent: limits.userAgent))
        } catch {
            throw ConnectionFault(connection: settings.name, text: error.text)
        }
        let probe = HTTPExchange(
            method: .get, url: settings.baseURL + "/", deadline: settings.deadline,
            connectTimeout: settings.connectTimeout)
        if let fault = probe.fault() {
            throw ConnectionFault(connection: settings.name, text: fault.text)
        }
    }

    private static func fault(in settings: ConnectionSettings) -> String? {
        if settings.streamIDs.isEmpty { return "streamIDs is empty; name the streams, or \"*\" for all" }
        if !KoreIdentifier.isValid(settings.accountID) { return "accountID is no identifier of Kore.ai" }
        if settings.clientID.isEmpty { return "clientID is empty" }
        if let iid = settings.iid, !KoreIdentifier.isValid(iid) { return "iid is no identifier of Kore.ai" }
        let authority = settings.baseURL.split(separator: "/", omittingEmptySubsequences: false)
        if authority.count != 3 || settings.baseURL.contains("?") || settings.baseURL.contains("#") {
            return "baseURL must be https://host[:port] without a path or a final slash"
        }
        for prefix in [settings.triggerPrefix, settings.readPrefix] {
            let isPlain = prefix.utf8.allSatisfy { byte in
                KoreIdentifier.isPlain(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")
            }
            if !isPlain || !prefix.hasPrefix("/") || prefix.hasSuffix("/") || prefix.contains("..") {
                return "a path prefix must begin with a slash, end without one, and hold plain characters only"
            }
        }
        return nil
    }

    /// Why this connection does not serve such a call, as a cause, or nil.
    func refusal(streamID: String, accountID: String, campaignID: String?) -> String? {
        guard KoreIdentifier.isValid(streamID), campaignID.map(KoreIdentifier.isValid) ?? true else {
            return "invalid_request"
        }
        guard accountID.utf8.elementsEqual(settings.accountID.utf8),
            settings.streamIDs.contains(where: { $0 == "*" || $0.utf8.elementsEqual(streamID.utf8) })
        else { return "not_configured" }
        return nil
    }

    func token(issuedAt: Int64, expiry: Int64, id: String) -> String? {
        signer.token(issuedAt: issuedAt, expiry: expiry, id: id)
    }

    /// "Start Voice Campaign API-v2". The body is `{}`: some gateways send a POST without a body twice.
    func startExchange(_ call: StartCall, token: String) -> HTTPExchange {
        var exchange = post(
            settings.triggerPrefix + "/" + call.streamID + "/campaign/trigger/" + call.campaignID + "?accountId="
                + settings.accountID + "&campaignType=voice&trigger=play",
            streamID: call.streamID, token: token, body: Array("{}".utf8))
        pass(call.traceparent, with: &exchange)
        return exchange
    }

    /// Adds the trace context where it is well-formed.
    func pass(_ traceparent: String?, with exchange: inout HTTPExchange) {
        guard let traceparent, isTraceparent(traceparent) else { return }
        exchange.headers.append(("traceparent", traceparent))
    }

    func statusExchange(_ call: ReadCall, campaignID: String, token: String) -> HTTPExchange {
        post(
            settings.readPrefix + "/" + call.streamID + "/campaign/" + campaignID + "/status?accountId="
                + settings.accountID + "&view=status",
            streamID: call.streamID, token: token, body: Array("{}".utf8))
    }

    /// - Parameter status: lists only the campaigns in this status; nil lists all.
    func listExchange(
        _ call: ReadCall, page: Int, limit: Int, status: String? = nil, token: String
    ) -> HTTPExchange {
        var body = JSONWriter()
        body.beginObject()
        body.member("type", "voice")
        body.member("limit", limit)
        body.member("page", page)
        if let status {
            body.key("filters")
            body.object { filters in
                filters.key("status")
                filters.array { $0.string(status) }
            }
        }
        body.endObject()
        return post(
            settings.readPrefix + "/" + call.streamID + "/campaign/getAllCampaignDetails?accountId="
                + settings.accountID,
            streamID: call.streamID, token: token, body: body.bytes)
    }

    private func post(_ path: String, streamID: String, token: String, body: [UInt8]) -> HTTPExchange {
        HTTPExchange(
            method: .post, url: settings.baseURL + path,
            headers: [
                ("auth", token), ("iid", settings.iid ?? streamID), ("accountId", settings.accountID),
                ("Content-Type", "application/json"), ("Accept", "application/json"),
            ],
            body: body, deadline: settings.deadline, connectTimeout: settings.connectTimeout,
            maximumBodyBytes: settings.maximumBodyBytes, maximumHeadBytes: limits.maximumHeadBytes,
            reuse: settings.reuse)
    }

    /// W3C Trace Context, version 00.
    private func isTraceparent(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [2, 32, 16, 2]
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D }
    }
}

/// What may stand in a path of the API. The documented samples are inconsistent, so no form is asked for: letters,
/// digits, `-` and `_` cannot leave their place in a path, a query or a header, and need no escaping.
package enum KoreIdentifier {
    package static let maximumLength = 128

    /// True: 1 to 128 of the allowed characters.
    package static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        return !bytes.isEmpty && bytes.count <= maximumLength && bytes.allSatisfy(isPlain)
    }

    static func isPlain(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D
            || byte == 0x5F
    }
}
