// The last check before libcurl sees a request. Its texts name no value: a value may be a secret.

extension HTTPExchange {
    /// Why the request cannot be sent as it stands, or nil. A fault here comes from configuration or from an identifier
    /// that should have been refused before.
    package func fault() -> TransportFault? {
        if let reason = urlFault() { return TransportFault(.invalidRequest, reason) }
        for (name, value) in headers {
            guard !name.isEmpty, name.utf8.allSatisfy(isToken) else {
                return TransportFault(.invalidRequest, "a header's name has a character that HTTP does not allow")
            }
            guard value.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
                return TransportFault(.invalidRequest, "the value of header \(name) has a control character")
            }
        }
        if deadline <= .zero || connectTimeout <= .zero {
            return TransportFault(.invalidRequest, "the time for the exchange is not positive")
        }
        return nil
    }

    private func urlFault() -> String? {
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C }) else {
            return "the URL has a character that must be escaped"
        }
        let isSecure: Bool
        let rest: Substring
        if url.hasPrefix("https://") {
            (isSecure, rest) = (true, url.dropFirst(8))
        } else if url.hasPrefix("http://") {
            (isSecure, rest) = (false, url.dropFirst(7))
        } else {
            return "the URL must begin with https:// (http:// to a loopback host only)"
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let host = host(of: authority) else {
            return "the URL's host must be a name or an address with an optional port, and nothing else"
        }
        if !isSecure && !isLoopback(host) {
            return "http:// is allowed to a loopback host only; use https://"
        }
        return nil
    }

    private func host(of authority: Substring) -> Substring? {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            rest = authority[authority.index(after: end)...]
            guard host.dropFirst().dropLast().utf8.allSatisfy({ isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E }) else {
                return nil
            }
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority[host.endIndex...]
            guard host.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }) else {
                return nil
            }
        }
        guard !host.isEmpty, host != "[]" else { return nil }
        if rest.isEmpty { return host }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits), port > 0
        else { return nil }
        return host
    }

    private func isLoopback(_ host: Substring) -> Bool {
        if host == "[::1]" || host.lowercased() == "localhost" { return true }
        // Four plain numbers, the first of them 127: other spellings of an address are names to us.
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil && !$0.hasPrefix("+") }
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private func isToken(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
