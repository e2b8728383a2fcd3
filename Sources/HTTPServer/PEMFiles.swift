#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A certificate chain and its key, read from their files. They stay in memory, at one place, while the server lives.
final class PEMFiles: @unchecked Sendable {
    // Unchecked: both are written once, before the object is shared.
    private let certificate: UnsafeMutablePointer<CChar>
    private let key: UnsafeMutablePointer<CChar>

    private init(certificate: [UInt8], key: [UInt8]) {
        self.certificate = Self.copy(certificate)
        self.key = Self.copy(key)
    }

    deinit {
        memset(key, 0, strlen(key))
        certificate.deallocate()
        key.deallocate()
    }

    private static func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
        let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { memory[index] = CChar(bitPattern: byte) }
        memory[bytes.count] = 0
        return memory
    }

    /// Nil where the settings ask for no TLS.
    static func read(_ settings: HTTPServerSettings) throws(HTTPServerError) -> PEMFiles? {
        switch (settings.certificateFile, settings.keyFile) {
        case (nil, nil): return nil
        case (let certificate?, let key?):
            return PEMFiles(certificate: try file(certificate), key: try file(key))
        default:
            throw HTTPServerError(
                code: .settings, message: "TLS needs both a certificate file and a key file: give both, or neither")
        }
    }

    private static func file(_ path: String) throws(HTTPServerError) -> [UInt8] {
        guard let stream = fopen(path, "re") else {
            throw HTTPServerError(
                code: .certificate, message: "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, stream)
        guard ferror(stream) == 0, count < bytes.count else {
            throw HTTPServerError(
                code: .certificate, message: "\(path) is no PEM file: it cannot be read, or is longer than 1 MiB")
        }
        return Array(bytes.prefix(count))
    }

    fileprivate func with<T>(_ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> T) -> T {
        body(certificate, key)
    }
}

extension PEMFiles? {
    /// The three texts that libmicrohttpd wants, or nothing without TLS.
    func withPointers<T>(
        priorities: String, _ body: (UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> T
    ) -> T {
        guard let self else { return body(nil, nil, nil) }
        return priorities.withCString { priorities in
            self.with { body($0, $1, priorities) }
        }
    }
}
