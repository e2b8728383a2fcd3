import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A TCP client that sends and shows raw bytes. Reads give up after a minute: a server on a busy machine is
/// slow, not silent. They block a thread of their own, not one of those that run tasks: there may be only two of these, and
/// the server needs one.
///
/// Unchecked: a test uses one client from one task at a time.
package final class RawClient: @unchecked Sendable {
    package enum End: Equatable { case open, closed, reset }

    package let descriptor: Int32
    package private(set) var end = End.open

    package init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    package func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Reads until `done` says so or the connection ends.
    package func read(until done: @escaping @Sendable (String) -> Bool = { _ in false }) async -> String {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.blockingRead(until: done)) }
        }
    }

    private func blockingRead(until done: (String) -> Bool) -> String {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let text = String(decoding: all, as: UTF8.self)
            if done(text) { return text }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                all += buffer[..<count]
                continue
            }
            end = count == 0 ? .closed : errno == ECONNRESET ? .reset : .open
            return text
        }
    }

    /// One exchange on a connection of its own that the server closes after it.
    package static func exchange(
        port: UInt16, _ method: String, _ target: String, headers: [String] = [], body: String = ""
    ) async throws -> (head: String, body: String, end: End) {
        let client = try RawClient(port: port)
        let length = body.isEmpty && method != "POST" ? [] : ["Content-Length: \(body.utf8.count)"]
        let fields = ["Host: x", "Connection: close"] + length + headers
        client.send("\(method) \(target) HTTP/1.1\r\n\(fields.joined(separator: "\r\n"))\r\n\r\n\(body)")
        let text = await client.read()
        guard let split = text.range(of: "\r\n\r\n") else { return (text, "", client.end) }
        return (String(text[..<split.lowerBound]), String(text[split.upperBound...]), client.end)
    }
}
