import Foundation
import Synchronization

/// One thing that the server does on a connection.
package enum Step: Sendable {
    /// Reads one whole request (head and Content-Length body).
    case readRequest
    /// Reads exactly so many bytes.
    case read(Int)
    case write(String)
    case writeBytes([UInt8])
    /// Does nothing until the client closes or the server is stopped.
    case stall
    /// Waits until the gate is open.
    case wait(Gate)
    /// Opens a gate.
    case open(Gate)
    /// Closes the connection with a reset.
    case reset
    /// Closes the connection in order; the end of a script does the same.
    case close
}

/// A door between a script and a test.
package final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    package init() {}

    package var isOpen: Bool { state.withLock { $0.isOpen } }

    package func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    package func passed() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// A loopback port on which nobody listens, and which nobody else is given as long as this object lives.
package final class UnusedPort: Sendable {
    package let port: UInt16
    private let descriptor: Int32

    package init() { (descriptor, port) = boundSocket() }

    deinit { close(descriptor) }

    package var url: String { "http://127.0.0.1:\(port)" }
}

/// A socket with a loopback port of the system's choice.
private func boundSocket() -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    precondition(descriptor >= 0, "no descriptor left")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
            precondition(bind(descriptor, general, length) == 0)
            precondition(getsockname(descriptor, general, &length) == 0)
        }
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// A server of raw sockets on a loopback port of the system's choice. It serves one connection after another by
/// script, on a thread of its own, and keeps what it received.
package final class RawServer: Sendable {
    private struct State {
        var received: [[UInt8]] = []
        var hasEnded = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    package let port: UInt16
    private let listener: Int32
    private let stopPipe: (read: Int32, write: Int32)
    private let state = Mutex(State())
    private let script: @Sendable (Int) -> [Step]

    /// - Parameter script: what to do on the connection of this number, from 0.
    package init(_ script: @escaping @Sendable (Int) -> [Step]) {
        self.script = script
        (listener, port) = boundSocket()
        precondition(listen(listener, 1024) == 0)
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        stopPipe = (ends[0], ends[1])
        Thread.detachNewThread { [self] in run() }
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// Ends the script under way, takes in what still lies in the sockets, and returns when the thread has ended.
    package func stop() async {
        var byte: UInt8 = 1
        _ = Foundation.write(stopPipe.write, &byte, 1)
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiter = continuation }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// The bytes of each connection so far.
    package var received: [[UInt8]] { state.withLock { $0.received } }

    /// Whole requests of all connections.
    package var requestCount: Int {
        received.reduce(0) { count, bytes in
            var (rest, found) = (bytes[...], 0)
            while let end = RawServer.requestEnd(rest) {
                rest = rest[end...]
                found += 1
            }
            return count + found
        }
    }

    package var byteCount: Int { received.reduce(0) { $0 + $1.count } }

    private func run() {
        var number = 0
        while waitFor(listener) {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            serve(connection, number)
            number += 1
        }
        drainBacklog()
        Foundation.close(listener)
        Foundation.close(stopPipe.read)
        Foundation.close(stopPipe.write)
        let waiter = state.withLock { state in
            state.hasEnded = true
            return state.waiter
        }
        waiter?.resume()
    }

    /// Connections that nobody has accepted may hold a request too.
    private func drainBacklog() {
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { return }
            let index = state.withLock { state in
                state.received.append([])
                return state.received.count - 1
            }
            _ = takeAvailable(connection, index)
            Foundation.close(connection)
        }
    }

    private func serve(_ connection: Int32, _ number: Int) {
        var one: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let index = state.withLock { state in
            state.received.append([])
            return state.received.count - 1
        }
        var used = 0
        for step in script(number) {
            switch step {
            case .readRequest:
                var end = RawServer.requestEnd(bytes(index)[used...])
                while end == nil {
                    guard waitFor(connection), takeAvailable(connection, index) else { break }
                    end = RawServer.requestEnd(bytes(index)[used...])
                }
                if let end { used = end }
            case .read(let count):
                while bytes(index).count < used + count {
                    guard waitFor(connection), takeSome(connection, index, used + count - bytes(index).count) else {
                        break
                    }
                }
                used = min(used + count, bytes(index).count)
            case .write(let text): send(connection, Array(text.utf8))
            case .writeBytes(let bytes): send(connection, bytes)
            case .stall: while waitFor(connection), takeAvailable(connection, index) {}
            case .wait(let gate):
                // A blocking wait on a thread of our own, until the gate or the stop.
                while !gate.isOpen, !waitBriefly() {}
            case .open(let gate): gate.open()
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
                Foundation.close(connection)
                return
            case .close:
                Foundation.close(connection)
                return
            }
        }
        Foundation.close(connection)
    }

    private func bytes(_ index: Int) -> [UInt8] { state.withLock { $0.received[index] } }

    private func takeSome(_ connection: Int32, _ index: Int, _ maximum: Int) -> Bool {
        var buffer = [UInt8](repeating: 0, count: maximum)
        let count = recv(connection, &buffer, maximum, Int32(MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && errno == EAGAIN }
        state.withLock { $0.received[index].append(contentsOf: buffer[..<count]) }
        return true
    }

    private func takeAvailable(_ connection: Int32, _ index: Int) -> Bool {
        takeSome(connection, index, 65_536)
    }

    private func send(_ connection: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(connection, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// True: the descriptor can be read. False: the server is being stopped.
    private func waitFor(_ descriptor: Int32) -> Bool {
        var polls = [
            pollfd(fd: stopPipe.read, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = poll(&polls, 2, -1)
            if count < 0 && errno == EINTR { continue }
            return polls[0].revents == 0
        }
    }

    /// True: the server is being stopped.
    private func waitBriefly() -> Bool {
        var stop = pollfd(fd: stopPipe.read, events: Int16(POLLIN), revents: 0)
        return poll(&stop, 1, 5) > 0
    }

    /// Where the first request of these bytes ends, if it is whole.
    private static func requestEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let head = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let text = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).lowercased()
        var length = 0
        for line in text.split(separator: "\r\n") where line.hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).trimmingCharacters(in: .whitespaces)) ?? 0
        }
        return bytes.endIndex - head.upperBound >= length ? head.upperBound + length : nil
    }
}
