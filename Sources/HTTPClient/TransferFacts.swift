internal import CCurl
internal import Glibc

/// How libcurl describes the end of a transfer, turned into a fault for people and metrics.
///
/// Nothing here says whether the request was sent: libcurl's codes come up on both sides of that line.
struct TransferFacts {
    var code: CURLcode
    var systemError: Int32
    /// The status that a proxy gave to CONNECT, or 0.
    var connectCode: Int
    var isConnected: Bool
    /// Connected, TLS included.
    var isReady: Bool
    var text: String

    /// nil for a transfer that ended well.
    func fault() -> TransportFault {
        let (kind, advice) = kindAndAdvice()
        return TransportFault(kind, "\(advice) (libcurl \(code.rawValue): \(detail))")
    }

    private var detail: String {
        let raw = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
        let clean = raw.unicodeScalars.prefix(200).map { $0.isASCII && $0.value >= 0x20 && $0.value != 0x7F ? $0 : "?" }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: clean)
        return String(result)
    }

    private func kindAndAdvice() -> (TransportFault.Kind, String) {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST:
            return (.dns, "the host's name has no address; check the base URL and the name servers")
        case CURLE_COULDNT_RESOLVE_PROXY:
            return (.proxy, "the proxy's name has no address; check the proxy's URL")
        case CURLE_PROXY:
            return (.proxy, "the proxy did not take the connection; check the proxy")
        case CURLE_COULDNT_CONNECT:
            if connectCode >= 300 { return proxyRefusal }
            if systemError == ECONNREFUSED {
                return (.connectRefused, "nobody listens at the host's port; check base URL, proxy and firewall")
            }
            return (.connectFailed, "no connection to the host; check network, proxy and firewall")
        case CURLE_OPERATION_TIMEDOUT:
            return isReady
                ? (.timeout, "no complete answer within the deadline")
                : (.connectTimeout, "no ready connection in time; check network, proxy and firewall")
        case CURLE_PEER_FAILED_VERIFICATION:
            return (.tls, "the host's certificate is not trusted or is for another name; check caFile and base URL")
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_USE_SSL_FAILED, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CLIENTCERT:
            return (.tls, "TLS failed; check the files of authorities, certificate and key")
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR:
            if connectCode >= 300 { return proxyRefusal }
            return systemError == ECONNRESET || systemError == EPIPE
                ? (.reset, "the connection was reset")
                : (.closed, "the connection failed before the answer was complete")
        case CURLE_GOT_NOTHING:
            return (.closed, "the connection was closed without an answer")
        case CURLE_PARTIAL_FILE:
            return (.bodyTruncated, "the connection was closed before the answer's body was complete")
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            return (.protocolError, "the answer is not HTTP/1.1 as this client reads it")
        case CURLE_URL_MALFORMAT:
            return (.invalidRequest, "libcurl does not take the URL; check the base URL")
        default:
            return (.internalError, "libcurl gave the exchange up")
        }
    }

    private var proxyRefusal: (TransportFault.Kind, String) {
        (.proxy, "the proxy refused the connection with status \(connectCode); check its rules and credentials")
    }
}
