internal import JSON

/// What a token was found to say.
struct TokenClaims: Equatable {
    var appId = ""
    var tokenId: String?
    var expiresAt: Int64?
}

/// A refused token: the message of the 401, and what was read before it was refused.
struct TokenRefusal: Error, Equatable {
    var message: String
    var claims: TokenClaims
}

/// The platform's check of the `auth` header, in this order: form, app, algorithm, signature, claims, times, one-time use.
/// The two texts about `jti` are documented ("SDK security" page); the others are ours.
struct TokenCheck {
    /// Ids that were used, until the expiry of their tokens, in seconds; a token that has expired is refused anyway.
    private var used: [String: Int64] = [:]
    private var cleanAt = 1024

    mutating func reset() { used = [:] }

    /// Checks, and marks the token's id as used.
    ///
    /// - Parameters:
    ///   - now: the platform's time in seconds, at the moment in which the call is accepted.
    mutating func check(
        _ token: String?, accountId: String, now: Double, settings: SimulatorSettings, keys: PublicKeys
    ) throws(TokenRefusal) -> TokenClaims {
        var claims = TokenClaims()
        guard let token, !token.isEmpty else {
            throw TokenRefusal(message: "auth header is missing", claims: claims)
        }
        guard settings.checkTokens else { return Self.parse(token)?.claims ?? claims }
        guard let parsed = Self.parse(token) else {
            throw TokenRefusal(message: "error verifying the jwt: jwt malformed", claims: claims)
        }
        claims = parsed.claims
        func refuse(_ message: String) -> TokenRefusal {
            TokenRefusal(message: "error verifying the jwt: \(message)", claims: claims)
        }
        guard let app = settings.apps.first(where: { $0.clientId.utf8.elementsEqual(claims.appId.utf8) }) else {
            throw refuse("unknown appId")
        }
        guard parsed.algorithm == app.algorithm.rawValue else { throw refuse("invalid algorithm") }
        guard Signature.verify(parsed.signature, over: parsed.input, app: app, keys: keys) else {
            throw refuse("invalid signature")
        }
        guard parsed.hasSubject else { throw refuse("sub is missing") }
        if let owner = app.accountId, owner != accountId { throw refuse("the app belongs to another account") }
        let leeway = settings.tokenLeeway.inSeconds
        guard !parsed.badTimes else { throw refuse("iat and exp must be integer seconds") }
        if let expiry = claims.expiresAt, now >= Double(expiry) + leeway { throw refuse("jwt expired") }
        if let issued = parsed.issuedAt, Double(issued) > now + leeway { throw refuse("jwt issued in the future") }
        guard let id = claims.tokenId, !id.isEmpty else {
            if settings.requireTokenId { throw refuse("\"jti\" claim is missing") }
            return claims
        }
        guard let expiry = claims.expiresAt, Double(expiry) <= now + 3600 + leeway,
            parsed.issuedAt.map({ expiry &- $0 <= 3600 }) ?? true
        else { throw refuse("if \"jti\" claim \"exp\" must be <= 1 hour(s)") }
        let key = "\(app.clientId) \(id)"
        guard used[key] == nil else { throw refuse("possibly a replay") }
        used[key] = expiry
        if used.count >= cleanAt {
            used = used.filter { now < Double($0.value) + leeway }
            cleanAt = max(1024, used.count * 2)
        }
        return claims
    }

    private struct Parsed {
        var algorithm: String
        var claims: TokenClaims
        var hasSubject: Bool
        var issuedAt: Int64?
        var badTimes: Bool
        var input: [UInt8]
        var signature: [UInt8]
    }

    private static func parse(_ token: String) -> Parsed? {
        let bytes = Array(token.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = object(parts[0]), let payload = object(parts[1]),
            let signature = Base64URL.decode(parts[2]), let algorithm = header["alg"]?.string
        else { return nil }
        let subject = payload["sub"]
        let times = ["iat", "exp"].map { payload[$0] }
        return Parsed(
            algorithm: algorithm,
            claims: TokenClaims(
                appId: payload["appId"]?.string ?? "", tokenId: payload["jti"]?.string,
                expiresAt: payload["exp"]?.int64),
            hasSubject: subject != nil && subject?.isNull == false, issuedAt: payload["iat"]?.int64,
            badTimes: times.contains { $0 != nil && $0?.int64 == nil },
            input: Array(bytes[..<(parts[1].endIndex)]), signature: signature)
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSONValue? {
        guard let bytes = Base64URL.decode(part) else { return nil }
        do {
            let value = try JSONReader.parse(bytes)
            return value.object == nil ? nil : value
        } catch {
            // What is wrong with it does not matter: a malformed token is refused as such.
            return nil
        }
    }
}

/// Makes tokens as a client of the platform would, for people and tests that call the simulator by hand.
package enum SimulatorToken {
    /// A token signed with the app's shared secret.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970; becomes `iat`.
    ///   - lifetime: until `exp`.
    ///   - tokenId: becomes `jti`; nil leaves it out.
    package static func make(
        app: SimulatorApp = SimulatorSettings.demoApp, now: Int64, lifetime: Duration = .seconds(60), tokenId: String?,
        subject: String? = "campaign-bridge"
    ) -> String {
        var header = JSONWriter()
        header.object {
            $0.member("alg", app.algorithm.rawValue)
            $0.member("typ", "JWT")
        }
        var payload = JSONWriter()
        payload.object {
            $0.member("appId", app.clientId)
            if let subject { $0.member("sub", subject) }
            $0.member("iat", now)
            $0.member("exp", now + lifetime.components.seconds)
            if let tokenId { $0.member("jti", tokenId) }
        }
        let input = Base64URL.encode(header.bytes) + "." + Base64URL.encode(payload.bytes)
        let signature = Signature.hmac(Array(input.utf8), key: app.key, algorithm: app.algorithm)
        return input + "." + Base64URL.encode(signature)
    }
}

extension Duration {
    /// As seconds with a fraction.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    /// As whole milliseconds.
    var inMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
