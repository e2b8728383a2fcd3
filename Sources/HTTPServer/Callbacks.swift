internal import CMicrohttpd

/// The C enumeration comes without its names.
private let yes = MHD_Result(rawValue: 1)!
private let no = MHD_Result(rawValue: 0)!

/// A body that is this much too long is still read, so that its client gets to see the 413.
private let toleratedExcess = 256 << 10

/// Called with the request line; what it returns is the request's context until `completedCallback` frees it.
func beginCallback(
    context: UnsafeMutableRawPointer?, target: UnsafePointer<CChar>?, connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let context, let target, let connection else { return nil }
    Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().began()
    let exchange = Exchange(target: String(cString: target), connection: connection)
    return Unmanaged.passRetained(exchange).toOpaque()
}

/// Called for every ending of a request that `beginCallback` has seen.
func completedCallback(
    context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
    request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, reason: MHD_RequestTerminationCode
) {
    guard let context, let request, let pointer = request.pointee else { return }
    request.pointee = nil
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
    let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
    core.ended(exchange, completed: reason.rawValue == 0 && exchange.phase == .answered)
}

/// Called with the head, with each piece of the body, at the body's end, and after a resume.
func handleCallback(
    context: UnsafeMutableRawPointer?, connection: OpaquePointer?, path: UnsafePointer<CChar>?,
    method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, data: UnsafePointer<CChar>?,
    size: UnsafeMutablePointer<Int>?, request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context, let connection, let method, let size, let pointer = request?.pointee else { return no }
    let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    switch exchange.phase {
    case .head:
        return core.head(of: exchange, connection: connection, method: String(cString: method))
    case .body where size.pointee > 0:
        guard let data else { return no }
        let bytes = UnsafeRawBufferPointer(start: data, count: size.pointee)
        size.pointee = 0
        return core.take(bytes, for: exchange) ? yes : no
    case .body:
        return core.complete(exchange, connection: connection)
    case .handled:
        guard let (outcome, channel) = exchange.outcome, case .answer(let response) = outcome else { return no }
        return core.queue(response, channel: channel, exchange: exchange, connection: connection)
    case .answered:
        return no
    }
}

/// libmicrohttpd's own reports.
func logCallback(context: UnsafeMutableRawPointer?, line: UnsafePointer<CChar>?) {
    guard let context, let line else { return }
    guard let log = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().settings.log else { return }
    let printable = String(cString: line).utf8.map { (32..<127).contains($0) ? $0 : 32 }
    log(String(decoding: printable.reversed().drop { $0 == 32 }.reversed(), as: UTF8.self))
}

extension ServerCore {
    /// The head is there.
    fileprivate func head(of exchange: Exchange, connection: OpaquePointer, method: String) -> MHD_Result {
        let headers = requestHeaders(connection)
        exchange.phase = .body
        guard
            var request = HTTPRequest(
                method: method, target: exchange.target, headers: headers,
                remoteAddress: addressText(cb_mhd_client(connection)))
        else {
            return queue(
                .text("The request target is not valid.\n", status: 400), channel: nil, exchange: exchange,
                connection: connection)
        }
        if let inspectHead {
            switch inspectHead(&request) {
            case .read: break
            case .close: return no
            case .reset:
                cb_reset(cb_mhd_socket(connection))
                return no
            }
        }
        exchange.request = request
        if let length = headers["Content-Length"].flatMap({ Int($0) }),
            length > settings.bodyLimit + toleratedExcess || (length > settings.bodyLimit && headers["Expect"] != nil)
        {
            return queue(tooLarge, channel: nil, exchange: exchange, connection: connection)
        }
        return yes
    }

    private var tooLarge: HTTPResponse {
        .text("The body is longer than \(settings.bodyLimit) bytes.\n", status: 413)
    }

    /// A piece of the body; false where so much is too much that the connection ends.
    fileprivate func take(_ bytes: UnsafeRawBufferPointer, for exchange: Exchange) -> Bool {
        guard exchange.excess == 0, let count = exchange.request?.body.count else {
            exchange.excess += bytes.count
            return exchange.excess <= toleratedExcess
        }
        if count + bytes.count > settings.bodyLimit {
            exchange.excess = count + bytes.count - settings.bodyLimit
            exchange.request?.body = []
            return true
        }
        exchange.request?.body.append(contentsOf: bytes)
        return true
    }

    /// The request is complete: its handler answers, or begins work that will.
    fileprivate func complete(_ exchange: Exchange, connection: OpaquePointer) -> MHD_Result {
        guard exchange.excess == 0, let request = exchange.request else {
            return queue(tooLarge, channel: nil, exchange: exchange, connection: connection)
        }
        exchange.request = nil
        exchange.phase = .handled
        let work: @Sendable () async -> HTTPResponse
        var immediate: HTTPResponse?
        switch handler(request) {
        case .later(let closure):
            work = closure
        case .now(let response):
            var plain = response.wire == nil
            if case .stream = response.body { plain = false }
            if plain {
                exchange.settle(response)
                return queue(response, channel: nil, exchange: exchange, connection: connection)
            }
            immediate = response
            work = { response }
        }
        switch submit(ExchangeJob(exchange: exchange, work: work)) {
        case .suspended: return yes
        case .noRunner:
            immediate?.ended?(false)
            return queue(.unavailable, channel: nil, exchange: exchange, connection: connection)
        case .ended:
            immediate?.ended?(false)
            return no
        }
    }

    /// Gives an answer to libmicrohttpd.
    fileprivate func queue(
        _ response: HTTPResponse, channel: BodyChannel?, exchange: Exchange, connection: OpaquePointer
    ) -> MHD_Result {
        guard let native = makeNative(response, channel: channel) else {
            settings.log?("an answer with status \(response.status) has a header field that HTTP does not allow")
            let replacement = HTTPResponse.text("The answer could not be written.\n", status: 500)
            guard let native = makeNative(replacement, channel: nil) else { return no }
            return queue(native, status: 500, exchange: exchange, connection: connection)
        }
        return queue(native, status: response.status, exchange: exchange, connection: connection)
    }

    private func queue(_ native: OpaquePointer, status: Int, exchange: Exchange, connection: OpaquePointer)
        -> MHD_Result
    {
        defer { MHD_destroy_response(native) }
        guard MHD_queue_response(connection, UInt32(clamping: status), native) == yes else {
            settings.log?("an answer with status \(status) cannot be sent; the connection is closed")
            return no
        }
        exchange.phase = .answered
        return yes
    }

    /// Nil where a header field is not allowed.
    private func makeNative(_ response: HTTPResponse, channel: BodyChannel?) -> OpaquePointer? {
        let native: OpaquePointer?
        switch response.body {
        case .bytes(let bytes):
            native = bytes.withUnsafeBytes { cb_mhd_bytes($0.baseAddress, $0.count) }
        case .stream:
            guard let channel else { return nil }
            native = cb_mhd_stream(
                cb_mhd_size_unknown, readChannel, Unmanaged.passRetained(channel).toOpaque(),
                { Unmanaged<BodyChannel>.fromOpaque($0!).release() })
        case .truncated(let bytes, let announced):
            native = cb_mhd_stream(
                UInt64(max(announced, bytes.count)), readTruncated,
                Unmanaged.passRetained(TruncatedBody(bytes)).toOpaque(),
                { Unmanaged<TruncatedBody>.fromOpaque($0!).release() })
        }
        guard let native else { return nil }
        for (name, value) in response.headers.fields {
            guard MHD_add_response_header(native, name, value) == yes else {
                MHD_destroy_response(native)
                return nil
            }
        }
        if isStopping { _ = MHD_add_response_header(native, "Connection", "close") }
        return native
    }
}

private func readChannel(
    context: UnsafeMutableRawPointer?, position: UInt64, buffer: UnsafeMutablePointer<CChar>?, capacity: Int
) -> Int {
    guard let context, let buffer else { return Int(cb_mhd_end_with_error) }
    return Unmanaged<BodyChannel>.fromOpaque(context).takeUnretainedValue().read(into: buffer, capacity: capacity)
}

private final class TruncatedBody: Sendable {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
}

private func readTruncated(
    context: UnsafeMutableRawPointer?, position: UInt64, buffer: UnsafeMutablePointer<CChar>?, capacity: Int
) -> Int {
    guard let context, let buffer else { return Int(cb_mhd_end_with_error) }
    let bytes = Unmanaged<TruncatedBody>.fromOpaque(context).takeUnretainedValue().bytes
    let rest = bytes.dropFirst(Int(position)).prefix(capacity)
    guard !rest.isEmpty else { return Int(cb_mhd_end_with_error) }
    rest.withUnsafeBytes { UnsafeMutableRawPointer(buffer).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    return rest.count
}

private final class HeaderCollector {
    var fields: [(name: String, value: String)] = []
}

private func requestHeaders(_ connection: OpaquePointer) -> HTTPHeaders {
    let collector = HeaderCollector()
    collector.fields.reserveCapacity(12)
    let each: MHD_KeyValueIteratorN = { context, _, name, nameSize, value, valueSize in
        let collector = Unmanaged<HeaderCollector>.fromOpaque(context!).takeUnretainedValue()
        func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
            String(decoding: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count), as: UTF8.self)
        }
        collector.fields.append((name: text(name, nameSize), value: text(value, valueSize)))
        return yes
    }
    cb_mhd_headers(connection, each, Unmanaged.passUnretained(collector).toOpaque())
    return HTTPHeaders(collector.fields)
}
