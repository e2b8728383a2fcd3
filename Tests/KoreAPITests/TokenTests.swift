import Foundation
import Testing

@testable import KoreAPI

@Suite("Tokens", .timeLimit(.minutes(5)))
struct TokenTests {
    private func connection(_ algorithm: ConnectionSettings.Algorithm, _ key: String) -> ConnectionSettings {
        ConnectionSettings(
            name: "test", baseURL: "https://example.com", streamIDs: ["*"], accountID: "acc", clientID: "cs-\"1\"",
            key: key, algorithm: algorithm, subject: "sub", audience: "aud")
    }

    /// OpenSSL's command line is the verifier: it shares no code of ours.
    private func openssl(_ arguments: [String], input: Data = Data()) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = FileHandle.nullDevice
        try process.run()
        stdin.fileHandleForWriting.write(input)
        try stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private func decode(_ segment: Substring) throws -> Data {
        var text = segment.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return try #require(Data(base64Encoded: text))
    }

    @Test("The claims are those of the call and the connection")
    func claims() throws {
        let token = try #require(try TokenSigner(connection(.hs256, "secret")).token(issuedAt: 10, expiry: 40, id: "j"))
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        #expect(parts.count == 3)
        #expect(
            try String(decoding: decode(parts[1]), as: UTF8.self)
                == #"{"sub":"sub","appId":"cs-\"1\"","iat":10,"exp":40,"jti":"j","aud":"aud"}"#)
        #expect(try String(decoding: decode(parts[0]), as: UTF8.self) == #"{"alg":"HS256","typ":"JWT"}"#)
    }

    @Test(
        "HMAC signatures verify with another implementation", arguments: [ConnectionSettings.Algorithm.hs256, .hs512])
    func hmac(algorithm: ConnectionSettings.Algorithm) throws {
        let secret = "Gest\u{FC} 0123456789 =+/"
        let token = try #require(try TokenSigner(connection(algorithm, secret)).token(issuedAt: 1, expiry: 2, id: "x"))
        let parts = token.split(separator: ".")
        let signed = Data("\(parts[0]).\(parts[1])".utf8)
        let hex = secret.utf8.map { String(format: "%02x", $0) }.joined()
        let result = try openssl(
            ["dgst", algorithm == .hs256 ? "-sha256" : "-sha512", "-mac", "HMAC", "-macopt", "hexkey:\(hex)"],
            input: signed)
        let expected = result.output.split(separator: " ").last.map {
            $0.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #expect(try decode(parts[2]).map { String(format: "%02x", $0) }.joined() == expected)
    }

    @Test("RSA signatures verify with another implementation", arguments: [ConnectionSettings.Algorithm.rs256, .rs512])
    func rsa(algorithm: ConnectionSettings.Algorithm) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (keyFile, publicFile, signature) = (
            folder.appendingPathComponent("key").path, folder.appendingPathComponent("pub").path,
            folder.appendingPathComponent("sig")
        )
        #expect(
            try openssl(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", keyFile]).status
                == 0)
        #expect(try openssl(["pkey", "-in", keyFile, "-pubout", "-out", publicFile]).status == 0)
        let pem = try String(contentsOfFile: keyFile, encoding: .utf8)
        let token = try #require(try TokenSigner(connection(algorithm, pem)).token(issuedAt: 1, expiry: 2, id: "x"))
        let parts = token.split(separator: ".")
        try decode(parts[2]).write(to: signature)
        let arguments = [
            "dgst", algorithm == .rs256 ? "-sha256" : "-sha512", "-verify", publicFile, "-signature", signature.path,
        ]
        #expect(try openssl(arguments, input: Data("\(parts[0]).\(parts[1])".utf8)).status == 0)
        #expect(try openssl(arguments, input: Data("\(parts[0]).x".utf8)).status != 0)
    }

    @Test(
        "A key that cannot sign is told with the connection's name and without the key",
        arguments: ["", "hello secret", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"])
    func badKey(key: String) throws {
        do {
            _ = try TokenSigner(connection(.rs256, key))
            Issue.record("the key was taken")
        } catch {
            #expect(error.connection == "test")
            #expect(!error.description.contains("secret") && !error.description.contains("MIIB"))
        }
    }

    @Test(
        "Base64 for URLs has no padding and no special characters",
        arguments: [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("\u{3FF}?>", "z78_Pg")])
    func base64(text: String, expected: String) {
        #expect(base64URL(Array(text.utf8)) == expected)
    }
}
