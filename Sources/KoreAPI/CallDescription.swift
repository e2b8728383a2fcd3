package import BridgeCore
internal import HTTPClient

/// A start call as it would be sent, for people: everything but the token.
package struct CallDescription: Sendable, Equatable {
    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package var method: String
    package var url: String
    /// In the order in which they are sent; the token's value is `<token>`.
    package var headers: [Field]
    package var body: String
}

extension CampaignClient {
    /// What `start` would send for this call; nil where it would not begin it. Sends nothing and mints no token.
    package nonisolated func describe(_ call: StartCall) -> CallDescription? {
        guard let connection = connections[call.connection],
            connection.refusal(streamID: call.streamID, accountID: call.accountID, campaignID: call.campaignID) == nil
        else { return nil }
        let exchange = connection.startExchange(call, token: "<token>")
        return CallDescription(
            method: exchange.method.rawValue, url: exchange.url,
            headers: exchange.headers.map { CallDescription.Field(name: $0.0, value: $0.1) },
            body: String(decoding: exchange.body, as: UTF8.self))
    }
}
