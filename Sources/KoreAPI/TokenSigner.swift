internal import CCrypto
internal import JSON

/// Mints Kore.ai's JSON Web Tokens with OpenSSL (RFC 7515, RFC 7519; claims: Kore.ai's pages on JWT and SDK security).
///
/// Unchecked: the private key is read only, and OpenSSL allows many threads to sign with one key, each with a context
/// of its own.
final class TokenSigner: @unchecked Sendable {
    private enum Key {
        case secret([UInt8])
        case privateKey(OpaquePointer)
    }

    private let key: Key
    private let digest: OpaquePointer
    /// The first segment, which never changes, with its dot.
    private let head: String
    private let clientID: String
    private let subject: String
    private let audience: String?

    init(_ settings: ConnectionSettings) throws(ConnectionFault) {
        let isLong = settings.algorithm == .hs512 || settings.algorithm == .rs512
        guard let digest = isLong ? EVP_sha512() : EVP_sha256() else {
            throw ConnectionFault(connection: settings.name, text: "OpenSSL has no \(settings.algorithm.rawValue)")
        }
        self.digest = digest
        switch settings.algorithm {
        case .hs256, .hs512:
            guard !settings.key.isEmpty else {
                throw ConnectionFault(connection: settings.name, text: "the client secret is empty")
            }
            key = .secret(Array(settings.key.utf8))
        case .rs256, .rs512:
            guard let privateKey = readPrivateKey(settings.key) else {
                throw ConnectionFault(
                    connection: settings.name, text: "the key is no RSA private key in PEM without a password")
            }
            key = .privateKey(privateKey)
        }
        head = base64URL(Array(#"{"alg":"\#(settings.algorithm.rawValue)","typ":"JWT"}"#.utf8)) + "."
        clientID = settings.clientID
        subject = settings.subject
        audience = settings.audience
    }

    deinit {
        if case .privateKey(let pointer) = key { EVP_PKEY_free(pointer) }
    }

    /// A token with these claims; times in seconds since 1970. nil where OpenSSL fails, which means that memory is short.
    func token(issuedAt: Int64, expiry: Int64, id: String) -> String? {
        var claims = JSONWriter()
        claims.beginObject()
        claims.member("sub", subject)
        claims.member("appId", clientID)
        claims.member("iat", issuedAt)
        claims.member("exp", expiry)
        claims.member("jti", id)
        if let audience { claims.member("aud", audience) }
        claims.endObject()
        let signed = head + base64URL(claims.bytes)
        guard let signature = sign(Array(signed.utf8)) else { return nil }
        return signed + "." + base64URL(signature)
    }

    private func sign(_ text: [UInt8]) -> [UInt8]? {
        switch key {
        case .secret(let secret):
            var length: UInt32 = 0
            var code = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
            guard HMAC(digest, secret, Int32(secret.count), text, text.count, &code, &length) != nil else {
                ERR_clear_error()
                return nil
            }
            return Array(code[..<Int(length)])
        case .privateKey(let privateKey):
            return signRSA(text, privateKey)
        }
    }

    private func signRSA(_ text: [UInt8], _ privateKey: OpaquePointer) -> [UInt8]? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        var length = 0
        guard EVP_DigestSignInit(context, nil, digest, nil, privateKey) == 1,
            EVP_DigestSign(context, nil, &length, text, text.count) == 1
        else { return nil }
        var signature = [UInt8](repeating: 0, count: length)
        guard EVP_DigestSign(context, &signature, &length, text, text.count) == 1 else { return nil }
        return Array(signature[..<length])
    }
}

private func readPrivateKey(_ pem: String) -> OpaquePointer? {
    let bytes = Array(pem.utf8)
    guard let source = BIO_new_mem_buf(bytes, Int32(bytes.count)) else { return nil }
    defer {
        BIO_free(source)
        ERR_clear_error()
    }
    // Without an answer to its question OpenSSL would ask for a password at the terminal.
    let noPassword: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
        _, _, _, _ in -1
    }
    guard let key = PEM_read_bio_PrivateKey(source, nil, noPassword, nil) else { return nil }
    guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
        EVP_PKEY_free(key)
        return nil
    }
    return key
}

/// RFC 4648 section 5, without padding.
func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count / 3 * 4 + 4)
    var index = 0
    while index < bytes.count {
        let count = min(3, bytes.count - index)
        var group = 0
        for offset in 0..<3 {
            group = group << 8 | (offset < count ? Int(bytes[index + offset]) : 0)
        }
        for place in 0...count {
            result.append(alphabet[group >> (18 - 6 * place) & 63])
        }
        index += 3
    }
    return String(decoding: result, as: UTF8.self)
}
