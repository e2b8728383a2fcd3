internal import Configuration
internal import KoreAPI

extension BridgeSettings {
    func campaignClient(version: String) throws(ConnectionFault) -> CampaignClient {
        try CampaignClient(
            connections: connections.map(\.api),
            settings: CampaignClientSettings(
                maximumWaiting: calls.maximumReady + calls.maximumInFlight, userAgent: "campaign-bridge/\(version)"))
    }
}

extension Configuration.ConnectionSettings {
    /// The same connection as the API client takes it.
    var api: KoreAPI.ConnectionSettings {
        KoreAPI.ConnectionSettings(
            name: name, baseURL: baseURL, streamIDs: streams, accountID: accountId, clientID: clientId,
            key: (algorithm.usesPrivateKey ? privateKey : clientSecret)?.reveal() ?? "",
            algorithm: KoreAPI.ConnectionSettings.Algorithm(rawValue: algorithm.rawValue) ?? .hs256, subject: subject,
            iid: iid, triggerPrefix: triggerPath + "/v2/public", readPrefix: readPath + "/v2/public",
            deadline: deadline, connectTimeout: connectTimeout, maximumBodyBytes: maximumAnswerBytes,
            maximumRetryAfter: retryAfterMaximum, reuse: reuseConnections, reuseMaximumAge: reuseMaximumAge,
            maximumConnections: maximumInFlight, listPageSize: listPageSize, listPages: listPages, proxy: proxy ?? "",
            caFile: caFile ?? "",
            clientCertificateFile: certificateFile ?? "", clientKeyFile: keyFile ?? "")
    }
}
