import Testing

@testable import KoreSimulator

/// Tokens made by the openssl command, so that the check is not tested with its own signing. All are issued at
/// 1000000000 and expire at 1000003000.
private enum Given {
    static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq5jmggB2di53eZvSOjlZ
        k0Ini5U7RGUUiik2+lZLW4g6FDsJ7IsLaWcVSy/9aCUxjchCMzuqdpW1SSwBaKtw
        ebCtNz15qC+C4HbI1p/5NgHs9hubuYxrinxxHZpbwYRTFwfPhhdUicvQou0hV0Da
        rU3gtFJW5dS15K8D2s4uG9ePJt/mLbsMeLd2IMsnYgVQQPdWQaQAK37j0kTn6apI
        lYc6svXixzQ1U/rzi4Eot7+6zIyhS9yl/oTyTAan2g+Xd9eoRwr3JjtxdeiZj2Nw
        pas5eYYcUpVOIwi7NjJ/Pc4I8Z96/B9DFAKfTXdcO2sCabn9PHDOteBRTGfiNKdV
        jwIDAQAB
        -----END PUBLIC KEY-----
        """
    static let tokens: [(app: SimulatorApp, token: String)] = [
        (
            SimulatorApp(clientId: "cs-hs256", key: "secret256"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBJZCI6ImNzLWhzMjU2Iiwic3ViIjoieCIsImlhdCI6MTAwMDAwMDAwMCwiZXhwIjoxMDAwMDAzMDAwLCJqdGkiOiJqMSJ9.ZV2xz8zxEsNfS_-fw_Ob23-vzKjHATqtQ2Qn9KtSx3c"
        ),
        (
            SimulatorApp(clientId: "cs-hs512", key: "secret512", algorithm: .hs512),
            "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJhcHBJZCI6ImNzLWhzNTEyIiwic3ViIjoieCIsImlhdCI6MTAwMDAwMDAwMCwiZXhwIjoxMDAwMDAzMDAwLCJqdGkiOiJqMSJ9.41vhXR4Ca4cKEUUnZ1ho1MWanEKDcm21uYMXXHzrtHG9kNvrjudskyBfQOyGPA7tZS4Ck7dBlYzmetfpwbPeyQ"
        ),
        (
            SimulatorApp(clientId: "cs-rsa-256", key: publicKey, algorithm: .rs256),
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBJZCI6ImNzLXJzYS0yNTYiLCJzdWIiOiJ4IiwiaWF0IjoxMDAwMDAwMDAwLCJleHAiOjEwMDAwMDMwMDB9.pIqCBQQvxdx7bV2eHBFWgTw1YkzoWMmQsisXqqriN3Yn98FwAuGk2jCDLoAzAL_uRFrJjEiLgp4FlorGIq-kK9Z6OuuBjOXFb36XkyB6OJVnAwACkbFLls6YudLxNGzcKHU5f9fu84DR4JYe2P9NcAXI9jexUj1NnPocZBy-Z36KWqHVAwtVzugbZVtdrSGIH9TenPgNSFF0jZJRoqSlJrucnxAgfZeYh-DIopLJaojxpTxRLLVkZOtRIaZUMYt93eG9rB1Svktmw6z7HOUfl_RWozuVzMM4CnRzT1dRT_zleUrmI-XQrOY5NW54deOEgXAMXkwU-e2FwDN0OgHGGg"
        ),
        (
            SimulatorApp(clientId: "cs-rsa-512", key: publicKey, algorithm: .rs512),
            "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJhcHBJZCI6ImNzLXJzYS01MTIiLCJzdWIiOiJ4IiwiaWF0IjoxMDAwMDAwMDAwLCJleHAiOjEwMDAwMDMwMDB9.PC8eyNltJYI6WzI5G0tPKjoQNrcd2MQNBIhSGafvELPUYu9xPqHi6d9pD4gagTJauEK9UCvqIYAi0HMfUOmJUWX5AAoNGRfSANPzltC5OtgC0NARo_ZEMUmtwVB1_qWSubGW_9q-Nav4crh1XjNOcsZQ9jxjv1K_5kXDXcZwvHv5CRMXPrhtGUjF6btZ2waNpIrnZyLz4mzSRl8svJ723rB6vX2VwEtY-njqXhrlsF_jNRRtghgT56CVH5Jez-eDbCOiQ2qC7yRYOKFWPyYzpZB6ERpkXo17j_AQ-Pr2zhk2Nu3Wu9QMCxq-HWj9-mUFmYoOdATa2qyogthRVYWwtw"
        ),
    ]
}

@Suite("Token check")
struct TokenCheckTests {
    private func check(_ token: String?, settings: SimulatorSettings, now: Double, account: String = "a") -> String? {
        var check = TokenCheck()
        do throws(TokenRefusal) {
            _ = try check.check(
                token, accountId: account, now: now, settings: settings, keys: PublicKeys(settings.apps))
            return nil
        } catch {
            return error.message
        }
    }

    private func settings(_ apps: [SimulatorApp]) -> SimulatorSettings {
        var settings = SimulatorSettings()
        settings.apps = apps
        return settings
    }

    @Test(
        "A token of another maker is taken under each algorithm, and refused when a byte of it differs",
        arguments: 0..<4)
    func algorithms(index: Int) {
        let (app, token) = Given.tokens[index]
        let settings = settings(Given.tokens.map(\.app))
        #expect(check(token, settings: settings, now: 1_000_000_100) == nil)
        for position in [token.utf8.count / 2, token.utf8.count - 10] {
            var bytes = Array(token.utf8)
            bytes[position] = bytes[position] == 65 ? 66 : 65
            #expect(check(String(decoding: bytes, as: UTF8.self), settings: settings, now: 1_000_000_100) != nil)
        }
        var other = app
        other.algorithm = app.algorithm == .hs256 ? .hs512 : .hs256
        #expect(
            check(token, settings: self.settings([other]), now: 1_000_000_100)
                == "error verifying the jwt: invalid algorithm")
    }

    @Test(
        "A token is good from its issue to its expiry, and within the leeway around both",
        arguments: [
            (999_999_999.0, 0, false), (1_000_000_000, 0, true), (1_000_002_999.9, 0, true), (1_000_003_000, 0, false),
            (999_999_995, 5, true), (1_000_003_004, 5, true), (1_000_003_005, 5, false),
        ])
    func times(now: Double, leeway: Int, good: Bool) {
        var settings = settings(Given.tokens.map(\.app))
        settings.tokenLeeway = .seconds(leeway)
        #expect((check(Given.tokens[2].token, settings: settings, now: now) == nil) == good)
    }

    @Test("A token id is taken once")
    func replay() throws {
        let settings = settings(Given.tokens.map(\.app))
        let keys = PublicKeys(settings.apps)
        var check = TokenCheck()
        let claims = try check.check(
            Given.tokens[0].token, accountId: "a", now: 1_000_000_001, settings: settings, keys: keys)
        #expect(claims == TokenClaims(appId: "cs-hs256", tokenId: "j1", expiresAt: 1_000_003_000))
        #expect {
            try check.check(Given.tokens[0].token, accountId: "a", now: 1_000_000_002, settings: settings, keys: keys)
        } throws: {
            ($0 as? TokenRefusal)?.message == "error verifying the jwt: possibly a replay"
        }
        // The same id in another app is another token.
        _ = try check.check(Given.tokens[1].token, accountId: "a", now: 1_000_000_002, settings: settings, keys: keys)
    }

    @Test("What a token lacks is said")
    func claims() {
        var settings = SimulatorSettings()
        let demo = SimulatorSettings.demoApp
        let now: Int64 = 1_000_000_000
        func message(_ token: String?) -> String? { check(token, settings: settings, now: Double(now)) }
        #expect(message(nil) == "auth header is missing")
        #expect(message("a.b") == "error verifying the jwt: jwt malformed")
        #expect(message("....") == "error verifying the jwt: jwt malformed")
        #expect(message(SimulatorToken.make(now: now, tokenId: nil)) == nil)
        #expect(
            message(SimulatorToken.make(now: now, tokenId: nil, subject: nil))
                == "error verifying the jwt: sub is missing")
        #expect(
            message(SimulatorToken.make(now: now, lifetime: .seconds(3601), tokenId: "x"))
                == "error verifying the jwt: if \"jti\" claim \"exp\" must be <= 1 hour(s)")
        #expect(message(SimulatorToken.make(now: now, lifetime: .seconds(3600), tokenId: "x")) == nil)
        let stranger = SimulatorApp(clientId: "CS-00000000-0000-0000-0000-000000000001", key: demo.key)
        #expect(
            message(SimulatorToken.make(app: stranger, now: now, tokenId: "x"))
                == "error verifying the jwt: unknown appId")
        settings.requireTokenId = true
        #expect(
            message(SimulatorToken.make(now: now, tokenId: nil)) == "error verifying the jwt: \"jti\" claim is missing")
        settings.apps[0].accountId = "b"
        #expect(message(SimulatorToken.make(now: now, tokenId: "x"))?.contains("another account") == true)
        settings.checkTokens = false
        #expect(message("anything") == nil)
    }

    @Test("Base64 with the URL alphabet goes both ways and refuses what is none")
    func base64() {
        for length in 0..<50 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(Base64URL.decode(Base64URL.encode(bytes).utf8) == bytes)
        }
        for text in ["A", "AA=", "A+", "A/", "ABCDE", "é"] { #expect(Base64URL.decode(text.utf8) == nil) }
    }
}
