internal import CCurl
internal import Glibc

/// One libcurl easy handle, made once and used for many exchanges, one at a time.
final class EasyHandle {
    let easy: UnsafeMutableRawPointer
    /// The loop that owns this handle; it outlives it.
    private unowned let loop: CurlLoop
    private let errorText: UnsafeMutablePointer<CChar>
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private(set) var transfer: Transfer?

    init(loop: CurlLoop, settings: HTTPClientSettings) throws(TransportFault) {
        guard let easy = curl_easy_init() else {
            throw TransportFault(.internalError, "libcurl gives no handle; memory may be short")
        }
        self.easy = easy
        self.loop = loop
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try setFixedOptions(settings)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    private func setFixedOptions(_ settings: HTTPClientSettings) throws(TransportFault) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let loopContext = Unmanaged.passUnretained(loop).toOpaque()
        try set(CURLOPT_PRIVATE, context)
        try set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        try set(CURLOPT_NOSIGNAL, 1)
        // A thread that hangs in the system's resolver is left to itself, never waited for.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_USERAGENT, settings.userAgent)
        try set(CURLOPT_MAXAGE_CONN, max(1, Int(settings.reuseMaximumAge.components.seconds)))
        // CURL_NETRC_IGNORED, which is an enum or a macro by version.
        try set(CURLOPT_NETRC, 0)
        // Set also when empty: otherwise the environment's proxy variables count.
        try set(CURLOPT_PROXY, settings.proxy)
        try set(CURLOPT_NOPROXY, "")
        if !settings.proxy.isEmpty {
            // Always a tunnel: a proxy never sees a token, and its refusal is before the request.
            try set(CURLOPT_HTTPPROXYTUNNEL, 1)
        }
        try setTLSFiles(settings)
        guard
            bridge_easy_set_receive(easy, CURLOPT_WRITEFUNCTION, receiveBody) == CURLE_OK,
            bridge_easy_set_receive(easy, CURLOPT_HEADERFUNCTION, receiveHead) == CURLE_OK,
            bridge_easy_set_prereq(easy, beforeRequest) == CURLE_OK,
            bridge_easy_set_opensocket(easy, openSocket) == CURLE_OK,
            bridge_easy_set_closesocket(easy, closeSocket) == CURLE_OK
        else { throw TransportFault(.internalError, "libcurl refuses a callback; version 7.87 or later is needed") }
        try set(CURLOPT_WRITEDATA, context)
        try set(CURLOPT_HEADERDATA, context)
        try set(CURLOPT_PREREQDATA, context)
        try set(CURLOPT_OPENSOCKETDATA, loopContext)
        try set(CURLOPT_CLOSESOCKETDATA, loopContext)
    }

    private func setTLSFiles(_ settings: HTTPClientSettings) throws(TransportFault) {
        // Without a directory libcurl keeps the parsed authorities between connections, and a given file replaces the
        // system's instead of adding to it.
        guard bridge_easy_set_string(easy, CURLOPT_CAPATH, nil) == CURLE_OK else {
            throw TransportFault(.internalError, "libcurl was built without a choice of authorities")
        }
        try set(CURLOPT_CA_CACHE_TIMEOUT, 300)
        if !settings.caFile.isEmpty {
            try set(CURLOPT_CAINFO, settings.caFile)
            try set(CURLOPT_PROXY_CAINFO, settings.caFile)
        }
        if !settings.clientCertificateFile.isEmpty {
            try set(CURLOPT_SSLCERT, settings.clientCertificateFile)
            try set(
                CURLOPT_SSLKEY, settings.clientKeyFile.isEmpty ? settings.clientCertificateFile : settings.clientKeyFile
            )
        }
    }

    /// Prepares the handle for an exchange that has been checked.
    func begin(_ transfer: Transfer, remaining: Duration) throws(TransportFault) {
        let exchange = transfer.exchange
        self.transfer = transfer
        errorText[0] = 0
        try set(CURLOPT_URL, exchange.url)
        try set(CURLOPT_PROTOCOLS_STR, exchange.url.hasPrefix("https://") ? "https" : "http")
        // The deadline is the loop's: libcurl would look at the clock before it looks at what has arrived.
        try set(CURLOPT_TIMEOUT_MS, 0)
        try set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(min(remaining, exchange.connectTimeout)))
        try set(CURLOPT_FRESH_CONNECT, exchange.reuse ? 0 : 1)
        try set(CURLOPT_FORBID_REUSE, exchange.reuse ? 0 : 1)
        if exchange.method == .get {
            try set(CURLOPT_HTTPGET, 1)
        } else {
            try set(CURLOPT_POST, 1)
            try set(CURLOPT_POSTFIELDSIZE, exchange.body.count)
            let code = exchange.body.withUnsafeBytes { body in
                // Not nil for an empty body: libcurl would read from standard input.
                withUnsafePointer(to: 0 as UInt8) { nothing in
                    bridge_easy_set_pointer(
                        easy, CURLOPT_COPYPOSTFIELDS,
                        UnsafeMutableRawPointer(mutating: body.baseAddress ?? UnsafeRawPointer(nothing)))
                }
            }
            guard code == CURLE_OK else { throw refused(CURLOPT_COPYPOSTFIELDS, code) }
        }
        let custom: String? = exchange.method == .get || exchange.method == .post ? nil : exchange.method.rawValue
        let code = bridge_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, custom)
        guard code == CURLE_OK else { throw refused(CURLOPT_CUSTOMREQUEST, code) }
        try setHeaders(exchange.headers)
    }

    private func setHeaders(_ headers: [(String, String)]) throws(TransportFault) {
        // Compressed bodies are never asked for, and a body never waits for a "100 Continue".
        headerList = curl_slist_append(headerList, "Accept-Encoding: identity")
        headerList = curl_slist_append(headerList, "Expect:")
        for (name, value) in headers where name.lowercased() != "accept-encoding" && name.lowercased() != "expect" {
            // libcurl takes "name;" for a header with an empty value, and "name:" for one that is to be left out.
            guard let longer = curl_slist_append(headerList, value.isEmpty ? "\(name);" : "\(name): \(value)") else {
                throw TransportFault(.internalError, "memory is short")
            }
            headerList = longer
        }
        guard headerList != nil, bridge_easy_set_list(easy, CURLOPT_HTTPHEADER, headerList) == CURLE_OK else {
            throw TransportFault(.internalError, "memory is short")
        }
    }

    /// Ends the exchange; the handle must no longer be in the multi handle.
    func end() {
        transfer = nil
        // Taken out of the handle before it is freed.
        _ = bridge_easy_set_list(easy, CURLOPT_HTTPHEADER, nil)
        curl_slist_free_all(headerList)
        headerList = nil
    }

    /// The connection in use will not be kept after this exchange.
    func forbidReuse() {
        _ = bridge_easy_set_long(easy, CURLOPT_FORBID_REUSE, 1)
    }

    /// What libcurl says of the transfer that has ended with this code.
    func fault(_ code: CURLcode) -> TransportFault {
        TransferFacts(
            code: code,
            systemError: Int32(truncatingIfNeeded: long(CURLINFO_OS_ERRNO)),
            connectCode: long(CURLINFO_HTTP_CONNECTCODE),
            isConnected: offset(CURLINFO_CONNECT_TIME_T) > 0,
            isReady: offset(CURLINFO_PRETRANSFER_TIME_T) > 0,
            text: String(cString: errorText)
        ).fault()
    }

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        return bridge_easy_get_long(easy, info, &value) == CURLE_OK ? value : 0
    }

    private func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        return bridge_easy_get_offset(easy, info, &value) == CURLE_OK ? Int(value) : 0
    }

    private func set(_ option: CURLoption, _ value: Int) throws(TransportFault) {
        let code = bridge_easy_set_long(easy, option, value)
        guard code == CURLE_OK else { throw refused(option, code) }
    }

    private func set(_ option: CURLoption, _ value: String) throws(TransportFault) {
        let code = bridge_easy_set_string(easy, option, value)
        guard code == CURLE_OK else { throw refused(option, code) }
    }

    private func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer) throws(TransportFault) {
        let code = bridge_easy_set_pointer(easy, option, value)
        guard code == CURLE_OK else { throw refused(option, code) }
    }

    private func refused(_ option: CURLoption, _ code: CURLcode) -> TransportFault {
        let name = curl_easy_option_by_id(option).map { String(cString: $0.pointee.name) } ?? "\(option.rawValue)"
        return TransportFault(
            .internalError, "libcurl refuses option \(name): \(String(cString: curl_easy_strerror(code)))")
    }

    private func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        // Rounded up: zero would mean no limit. Ten years are as good as any longer time.
        return max(
            1, Int(min(seconds, 315_360_000)) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}

private func handle(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
    context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
}

private func loop(_ context: UnsafeMutableRawPointer?) -> CurlLoop? {
    context.map { Unmanaged<CurlLoop>.fromOpaque($0).takeUnretainedValue() }
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
    // Any other number than that of the bytes ends the transfer.
    return handle(context)?.transfer?.takeBody(buffer) == true ? buffer.count : buffer.count &+ 1
}

private func receiveHead(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return handle(context)?.transfer?.takeHead(buffer) == true ? buffer.count : buffer.count &+ 1
}

private func beforeRequest(
    _ context: UnsafeMutableRawPointer?, _ remote: UnsafeMutablePointer<CChar>?, _ local: UnsafeMutablePointer<CChar>?,
    _ remotePort: Int32, _ localPort: Int32
) -> Int32 {
    guard let handle = handle(context), let transfer = handle.transfer else { return CURL_PREREQFUNC_ABORT }
    let may = transfer.maySend { handle.isClean(localPort: UInt16(truncatingIfNeeded: localPort)) }
    return may ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

private func openSocket(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let address, let loop = loop(context) else { return -1 }
    let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.pointee.family, type, address.pointee.protocol)
    if descriptor >= 0 { loop.opened(descriptor) }
    return descriptor
}

private func closeSocket(_ context: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t) -> Int32 {
    loop(context)?.closed(descriptor)
    return close(descriptor)
}

extension EasyHandle {
    fileprivate func isClean(localPort: UInt16) -> Bool {
        loop.isClean(localPort: localPort)
    }
}
