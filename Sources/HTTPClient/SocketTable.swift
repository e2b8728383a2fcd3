internal import Glibc

/// The sockets that libcurl has open, and whether one that is to be used again is clean.
///
/// libcurl notices an orderly close of an idle connection, but not a reset, nor an answer that nobody asked for: the
/// next request would get it (measured on 7.88.1 and 8.2x).
struct SocketTable {
    private struct Socket {
        var requests = 0
        var generation: Int
        /// The system's number of the socket itself: a descriptor comes back for another one.
        var inode: ino_t
        var port: UInt16 = 0
    }

    private var sockets: [Int32: Socket] = [:]
    private var descriptorsByPort: [UInt16: [Int32]] = [:]
    private var withoutPort: Set<Int32> = []
    private var generation = 0

    var count: Int { sockets.count }

    mutating func opened(_ descriptor: Int32) {
        closed(descriptor)
        sockets[descriptor] = Socket(generation: generation, inode: inode(descriptor))
        withoutPort.insert(descriptor)
    }

    mutating func closed(_ descriptor: Int32) {
        guard let socket = sockets.removeValue(forKey: descriptor) else { return }
        withoutPort.remove(descriptor)
        guard socket.port != 0 else { return }
        descriptorsByPort[socket.port]?.removeAll { $0 == descriptor }
        if descriptorsByPort[socket.port]?.isEmpty == true { descriptorsByPort[socket.port] = nil }
    }

    /// Forgets sockets that are no longer open. libcurl 7.88 closes a socket whose connection was never ready without
    /// telling.
    mutating func prune() {
        for (descriptor, socket) in sockets where inode(descriptor) != socket.inode {
            closed(descriptor)
        }
    }

    /// From now on no socket that is open at this moment counts as clean.
    mutating func refuseAllOpen() {
        generation += 1
    }

    /// Whether the connection with this local port may carry a request. Counts that it does.
    ///
    /// Two sockets with one port (other local addresses) are both looked at; an unknown connection is not clean.
    mutating func isClean(localPort: UInt16) -> Bool {
        if descriptorsByPort[localPort] == nil { learnPorts() }
        guard let descriptors = descriptorsByPort[localPort] else { return false }
        for descriptor in descriptors {
            guard var socket = sockets[descriptor] else { return false }
            if socket.requests > 0 {
                guard socket.generation == generation else { return false }
                // A new connection is not looked at: session tickets of TLS 1.3 lie there.
                var byte: UInt8 = 0
                let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
                guard count < 0, errno == EAGAIN || errno == EWOULDBLOCK else { return false }
            }
            socket.requests += 1
            sockets[descriptor] = socket
        }
        return true
    }

    private mutating func learnPorts() {
        for descriptor in withoutPort {
            let port = localPort(descriptor)
            guard port != 0 else { continue }
            sockets[descriptor]?.port = port
            descriptorsByPort[port, default: []].append(descriptor)
        }
        withoutPort = withoutPort.filter { sockets[$0]?.port == 0 }
    }

    private func inode(_ descriptor: Int32) -> ino_t {
        var facts = stat()
        return fstat(descriptor, &facts) == 0 ? facts.st_ino : 0
    }

    private func localPort(_ descriptor: Int32) -> UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                guard getsockname(descriptor, general, &length) == 0 else { return 0 }
                switch Int32(general.pointee.sa_family) {
                case AF_INET:
                    return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        UInt16(bigEndian: $0.pointee.sin_port)
                    }
                case AF_INET6:
                    return storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        UInt16(bigEndian: $0.pointee.sin6_port)
                    }
                default: return 0
                }
            }
        }
    }
}
