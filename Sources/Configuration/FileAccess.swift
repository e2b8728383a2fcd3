// Imports the platform's C library, for files and the host name.
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The machine's files and name, as loading the settings needs them.
package enum Machine {
    /// The whole content of a regular file or a pipe. Blocks the caller's thread.
    /// - Parameter maximumBytes: a longer file is an error.
    package static func readFile(_ path: String, maximumBytes: Int) throws(FileReadError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileReadError(lastError()) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileReadError(lastError())
            }
            content += piece[..<count]
            if content.count > maximumBytes { throw FileReadError("it is larger than \(maximumBytes) bytes") }
        }
    }

    /// A reader for `BridgeSettings.load`: files up to 1 MiB.
    package static let readFile: @Sendable (String) throws(FileReadError) -> [UInt8] = {
        (path: String) throws(FileReadError) -> [UInt8] in try readFile(path, maximumBytes: 1 << 20)
    }

    /// The host name; empty if the system gives none.
    package static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func lastError() -> String { String(cString: strerror(errno)) }
}
