internal import CCrypto

/// Checks and makes the signatures of compact JSON Web Signatures (RFC 7515) with OpenSSL.
enum Signature {
    /// Whether the signature over the signing input is the app's.
    static func verify(_ signature: [UInt8], over input: [UInt8], app: SimulatorApp, keys: PublicKeys) -> Bool {
        switch app.algorithm {
        case .hs256, .hs512:
            let expected = hmac(input, key: app.key, algorithm: app.algorithm)
            return expected.count == signature.count && CRYPTO_memcmp(expected, signature, expected.count) == 0
        case .rs256, .rs512:
            guard let key = keys.key(app.key) else { return false }
            return key.verify(signature, over: input, digest: app.algorithm == .rs256 ? EVP_sha256() : EVP_sha512())
        }
    }

    static func hmac(_ input: [UInt8], key: String, algorithm: SimulatorApp.Algorithm) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let key = Array(key.utf8)
        let digest = algorithm == .hs256 ? EVP_sha256() : EVP_sha512()
        // Its only failure is a lack of memory; an empty result fits no signature.
        guard HMAC(digest, key, Int32(key.count), input, input.count, &out, &length) != nil else { return [] }
        return Array(out.prefix(Int(length)))
    }
}

/// A public key of OpenSSL. Unchecked: the key is only read after it was made, which OpenSSL allows from any thread.
private final class PublicKey: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(pem: String) {
        let bytes = Array(pem.utf8)
        guard let memory = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { return nil }
        defer { BIO_free(memory) }
        guard let key = PEM_read_bio_PUBKEY(memory, nil, nil, nil) else {
            ERR_clear_error()
            return nil
        }
        pointer = key
    }

    deinit { EVP_PKEY_free(pointer) }

    func verify(_ signature: [UInt8], over input: [UInt8], digest: OpaquePointer?) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        return EVP_DigestVerifyInit(context, nil, digest, nil, pointer) == 1
            && EVP_DigestVerify(context, signature, signature.count, input, input.count) == 1
    }
}

/// The public keys of the apps, read once each.
struct PublicKeys: Sendable {
    private var keys: [String: PublicKey] = [:]

    init(_ apps: [SimulatorApp]) {
        for app in apps where app.algorithm == .rs256 || app.algorithm == .rs512 {
            keys[app.key] = PublicKey(pem: app.key)
        }
    }

    /// Whether the text is a public key.
    static func isKey(_ pem: String) -> Bool { PublicKey(pem: pem) != nil }

    fileprivate func key(_ pem: String) -> PublicKey? { keys[pem] }
}

/// Base64 with the URL alphabet and without padding (RFC 7515, appendix C).
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt8(value) }
        return table
    }()

    /// Nil where a character is outside the alphabet or the length is impossible.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count * 3 / 4)
        var buffer: UInt32 = 0
        var bits = 0
        for letter in text {
            let value = values[Int(letter)]
            guard value != 255 else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        return bits < 6 ? out : nil
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                out.append(alphabet[Int(buffer >> UInt32(bits) & 63)])
            }
        }
        if bits > 0 { out.append(alphabet[Int(buffer << UInt32(6 - bits) & 63)]) }
        return String(decoding: out, as: UTF8.self)
    }
}
