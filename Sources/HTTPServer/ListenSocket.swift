#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A TCP socket that listens, and its port. Whoever takes `descriptor` closes it.
struct ListenSocket {
    var descriptor: Int32
    var port: UInt16

    /// Opens, binds and listens. An address of both families falls back to IPv4 where the machine has no IPv6.
    static func open(host: String, port: UInt16, backlog: Int32) throws(HTTPServerError) -> ListenSocket {
        var name = host
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        if name == "localhost" { name = "127.0.0.1" }
        if name.isEmpty || name == "*" || name == "::" {
            do {
                return try openIPv6(in6addr_any, dualStack: true, host: host, port: port, backlog: backlog)
            } catch  where error.code == .addressInvalid {
                return try openIPv4(in_addr(s_addr: 0), host: host, port: port, backlog: backlog)
            }
        }
        var four = in_addr()
        if inet_pton(AF_INET, name, &four) == 1 {
            return try openIPv4(four, host: host, port: port, backlog: backlog)
        }
        var six = in6_addr()
        if inet_pton(AF_INET6, name, &six) == 1 {
            return try openIPv6(six, dualStack: false, host: host, port: port, backlog: backlog)
        }
        throw HTTPServerError(
            code: .addressInvalid,
            message: "\"\(host)\" is no address to listen on: give an IPv4 or IPv6 address, or \"*\" for all")
    }

    private static func openIPv4(_ address: in_addr, host: String, port: UInt16, backlog: Int32)
        throws(HTTPServerError) -> ListenSocket
    {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr = address
        return try open(family: AF_INET, name, host: host, port: port, backlog: backlog) { _ in }
    }

    private static func openIPv6(_ address: in6_addr, dualStack: Bool, host: String, port: UInt16, backlog: Int32)
        throws(HTTPServerError) -> ListenSocket
    {
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        name.sin6_port = port.bigEndian
        name.sin6_addr = address
        return try open(family: AF_INET6, name, host: host, port: port, backlog: backlog) { descriptor in
            var only: Int32 = dualStack ? 0 : 1
            _ = setsockopt(
                descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    private static func open<Address>(
        family: Int32, _ address: Address, host: String, port: UInt16, backlog: Int32, prepare: (Int32) -> Void
    ) throws(HTTPServerError) -> ListenSocket {
        #if os(Linux)
            let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            let descriptor = socket(family, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw failure(errno, host: host, port: port) }
        var one: Int32 = 1
        _ = setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        prepare(descriptor)
        var address = address
        let bound = withSocketAddress(&address) { bind(descriptor, $0, $1) }
        // The port is asked for before `listen`, so that nobody can have connected to a socket that is then given up.
        var length = socklen_t(MemoryLayout<Address>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        let flags = fcntl(descriptor, F_GETFL)
        guard bound == 0, named == 0, listen(descriptor, backlog) == 0,
            fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0
        else {
            let code = errno
            close(descriptor)
            throw failure(code, host: host, port: port)
        }
        // Both families keep the port at the same place.
        let actual = withUnsafeBytes(of: &address) { $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) }
        return ListenSocket(descriptor: descriptor, port: UInt16(bigEndian: actual))
    }

    private static func withSocketAddress<Address>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private static func failure(_ code: Int32, host: String, port: UInt16) -> HTTPServerError {
        let place = "port \(port) of \"\(host)\""
        switch code {
        case EADDRINUSE:
            return HTTPServerError(
                code: .addressInUse, message: "\(place) is in use by another process: stop it or choose another port")
        case EACCES, EPERM:
            return HTTPServerError(
                code: .addressRefused, message: "\(place) needs more rights: choose a port above 1023")
        case EADDRNOTAVAIL, EAFNOSUPPORT:
            return HTTPServerError(
                code: .addressInvalid,
                message: "this machine has no address \"\(host)\": choose one of its own, or \"*\"")
        default:
            return HTTPServerError(
                code: .addressRefused, message: "\(place) cannot be listened on: \(String(cString: strerror(code)))")
        }
    }
}

/// The text of a client's address without its port; empty where there is none.
func addressText(_ address: UnsafePointer<sockaddr>?) -> String {
    guard let address else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
        let text = UnsafeMutablePointer<CChar>(buffer.baseAddress!)
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            var four = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            inet_ntop(AF_INET, &four, text, socklen_t(INET6_ADDRSTRLEN))
        case AF_INET6:
            var six = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            inet_ntop(AF_INET6, &six, text, socklen_t(INET6_ADDRSTRLEN))
        default:
            return ""
        }
        let name = String(cString: text)
        return name.hasPrefix("::ffff:") && name.contains(".") ? String(name.dropFirst(7)) : name
    }
}
