import Foundation
import Testing

@testable import HTTPClient

/// Files of two authorities, a server and a client, and OpenSSL's own test server on a port of the system's choice.
final class TLSServer: Sendable {
    let folder: URL
    let port: Int
    private let process: Process

    init(options: [String] = [], name: String = "localhost") throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func openssl(_ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["openssl"] + arguments
            process.currentDirectoryURL = folder
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "openssl \(arguments)")
        }
        let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for authority in ["ca", "other"] {
            try openssl(
                ["req", "-x509"] + newKey + [
                    "-keyout", "\(authority).key", "-out", "\(authority).pem", "-subj", "/CN=\(authority)", "-days",
                    "2",
                ])
        }
        for (file, subject) in [("server", name), ("client", "client")] {
            try openssl(
                ["req"] + newKey + [
                    "-keyout", "\(file).key", "-out", "\(file).csr", "-subj", "/CN=\(subject)", "-addext",
                    "subjectAltName=DNS:\(subject)",
                ])
            try openssl([
                "x509", "-req", "-in", "\(file).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                "\(file).pem", "-days", "2", "-copy_extensions", "copy",
            ])
        }
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", "server.pem", "-key", "server.key",
                "-CAfile", "ca.pem",
            ] + options
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = Pipe()
        try process.run()
        // It writes "ACCEPT 127.0.0.1:<port>" when it listens.
        var text = ""
        var found: Int?
        while found == nil {
            let data = output.fileHandleForReading.availableData
            try #require(!data.isEmpty, "openssl s_server has ended")
            text += String(decoding: data, as: UTF8.self)
            if let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first(where: { $0.hasPrefix("ACCEPT ") })
            {
                found = line.split(separator: ":").last.flatMap { Int($0) }
            }
        }
        port = found ?? 0
    }

    func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func stop() throws {
        // A child inherits the signal mask of the thread that starts it, which may block the gentler signals.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try FileManager.default.removeItem(at: folder)
    }

    func get(_ client: HTTPClient) async -> ExchangeResult {
        await client.perform(
            HTTPExchange(
                method: .get, url: "https://localhost:\(port)/", deadline: .seconds(60), connectTimeout: .seconds(60)))
    }
}

@Suite("TLS", .timeLimit(.minutes(5)))
struct TLSTests {
    @Test("A server of the given authority is answered, one of another is not sent to")
    func authority() async throws {
        let server = try TLSServer()
        #expect(await server.get(try makeClient(caFile: server.file("ca.pem"))).answer?.status == 200)
        #expect(await server.get(try makeClient(caFile: server.file("other.pem"))).notSent?.kind == .tls)
        #expect(await server.get(try makeClient()).notSent?.kind == .tls)
        #expect(await server.get(try makeClient(caFile: server.file("none.pem"))).notSent?.kind == .tls)
        try server.stop()
    }

    @Test("A certificate for another name is not sent to")
    func otherName() async throws {
        let server = try TLSServer(name: "elsewhere.example")
        #expect(await server.get(try makeClient(caFile: server.file("ca.pem"))).notSent?.kind == .tls)
        try server.stop()
    }

    @Test("TLS older than 1.2 is not sent to")
    func oldVersion() async throws {
        let server = try TLSServer(options: ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        #expect(await server.get(try makeClient(caFile: server.file("ca.pem"))).notSent?.kind == .tls)
        try server.stop()
    }

    @Test(
        "A server that asks for a client certificate gets it, and answers nobody without",
        arguments: ["-tls1_2", "-tls1_3"])
    func clientCertificate(version: String) async throws {
        let server = try TLSServer(options: ["-Verify", "1", "-verify_return_error", version])
        let client = try makeClient(
            caFile: server.file("ca.pem"), certificate: server.file("client.pem"), key: server.file("client.key"))
        #expect(await server.get(client).answer?.status == 200)
        let without = await server.get(try makeClient(caFile: server.file("ca.pem")))
        // With TLS 1.3 the refusal comes after the request has been written.
        #expect(version == "-tls1_2" ? without.notSent?.kind == .tls : without.maybeSent != nil)
        let broken = try makeClient(
            caFile: server.file("ca.pem"), certificate: server.file("none.pem"), key: server.file("client.key"))
        #expect(await server.get(broken).notSent?.kind == .tls)
        try server.stop()
    }
}
