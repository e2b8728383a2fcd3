// Imports nothing: the declarations of the keys below `connections.<name>`.

extension Key where Root == ConnectionSettings {
    static var all: [Key] { account + calling + guards }

    static var account: [Key] {
        [
            .value(
                "baseUrl", \.baseURL, .baseURL, required: true, example: "https://platform.kore.ai",
                "Where the platform is reached."),
            .list(
                "streams", \.streams, of: .stream, count: 1...1000, required: true,
                example: "[\"st-0603182c-7ffb-53c3-b307-47ca14b00000\"]",
                "Streams whose campaigns are started through this connection. `*` means all that no other connection names."
            ),
            .value(
                "accountId", \.accountId, .platformIdentifier, required: true, example: "\"65f1c2a4b7e8d90012345678\"",
                "The account. An event that names another account is refused."),
            .value(
                "clientId", \.clientId, .line, required: true, example: "cs-2d7d8e1a-0000-5000-8000-000000000000",
                "Client id of the app whose scopes include Campaign Management."),
            .secret("clientSecret", \.clientSecret, "Client secret of the app, for HS256 and HS512."),
            .value("algorithm", \.algorithm, .choice, "How tokens are signed, as chosen when the app was created."),
            .secret("privateKey", \.privateKey, "Private key in PEM form, for RS256 and RS512."),
            .value("subject", \.subject, .line, "The `sub` claim of the tokens."),
            .optional(
                "iid", \.iid, .platformIdentifier, example: "st-0603182c-7ffb-53c3-b307-47ca14b00000",
                "The `iid` header. Without it, the stream id."),
            .value(
                "triggerPath", \.triggerPath, .pathPrefix, "What stands before `/v2/public/...` in the path of a start."
            ),
            .value(
                "readPath", \.readPath, .pathPrefix, "What stands before `/v2/public/...` in the path of a status read."
            ),
        ]
    }

    static var calling: [Key] {
        [
            .value(
                "deadline", \.deadline, .duration(.seconds(1)...(.minutes(10))),
                "Longest time for one call, from connecting to the end of the answer. What has no answer by then is in doubt."
            ),
            .value(
                "connectTimeout", \.connectTimeout, .duration(.milliseconds(100)...(.minutes(2))),
                "Longest time to find, reach and greet the host; nothing has been sent then."),
            .value(
                "tokenMargin", \.tokenMargin, .duration(.seconds(1)...(.minutes(30))),
                "A token lives for `deadline` and this long. A doubt waits for its end, so short is better."),
            .value(
                "doubtGrace", \.doubtGrace, .duration(.zero...(.minutes(30))),
                "After the token's end, how long the platform is given to act on what it has accepted."),
            .value(
                "clockLeeway", \.clockLeeway, .duration(.seconds(1)...(.minutes(5))),
                "Largest difference between our clock and the API's. Above it no calls are made."),
            .value(
                "reuseConnections", \.reuseConnections, .flag,
                "Whether start calls share kept connections. Faster above some hundred calls a minute, and each connection that breaks at the wrong moment leaves an outcome unknown."
            ),
            .value(
                "reuseMaximumAge", \.reuseMaximumAge, .duration(.seconds(1)...(.minutes(10))),
                "A kept connection that has been idle for this long is not used again."),
            .optional(
                "proxy", \.proxy, .proxy, example: "http://proxy.example.com:3128",
                "Proxy for the calls; one that asks for a login cannot be used. Variables such as https_proxy are not looked at."
            ),
            .file(
                "caFile", \.caFile, example: "/etc/campaign-bridge/kore/ca.crt",
                "PEM file with the authorities to trust; the system's own without it."),
            .file(
                "certificateFile", \.certificateFile, example: "/etc/campaign-bridge/kore/tls.crt",
                "PEM file with the client certificate for mutual TLS."),
            .file(
                "keyFile", \.keyFile, example: "/etc/campaign-bridge/kore/tls.key",
                "PEM file with the client certificate's private key."),
            .value(
                "maximumAnswerBytes", \.maximumAnswerBytes, .size((1 << 10)...(64 << 20)),
                "Longest answer that is read. A longer one to a start leaves the outcome unknown."),
        ]
    }

    static var guards: [Key] {
        [
            .value(
                "requestsPerMinute", \.requestsPerMinute, .integer(0...1_000_000),
                "Requests a minute of the whole group for this account, reads included; 0 means no limit of our own."),
            .value(
                "burst", \.burst, .integer(1...10_000),
                "Requests that may follow one another at once after a quiet time."),
            .value(
                "maximumInFlight", \.maximumInFlight, .integer(1...10_000),
                "Most calls of this connection under way at a time."),
            .value(
                "exclusive", \.isExclusive, .flag,
                "Whether nobody but this bridge starts the connection's campaigns and the topic is keyed by campaign. Only then may a status read decide that a doubtful call did start."
            ),
            .value(
                "readBack", \.readBack, .flag,
                "Whether a campaign's status is read when the outcome of a start is in doubt. Costs requests of the rate limit."
            ),
            .value(
                "listPageSize", \.listPageSize, .integer(1...1000),
                "Campaigns that are asked for at once when a status read looks for one in the campaign list."),
            .value(
                "listPages", \.listPages, .integer(1...100),
                "Most pages of the campaign list that one status read looks through, each of them a request of the rate limit. A campaign that is not found leaves the outcome unknown."
            ),
            .value(
                "throttlePause", \.throttlePause, .duration(.milliseconds(100)...(.hours(1))),
                "How long the account pauses when the API says that there were too many requests, and not for how long."
            ),
            .value(
                "retryAfterMaximum", \.retryAfterMaximum, .duration(.seconds(1)...(.hours(24))),
                "Longest pause that an answer may ask for."),
        ]
    }
}
