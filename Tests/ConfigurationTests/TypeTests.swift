import Testing

@testable import Configuration

@Suite("Types of settings", .timeLimit(.minutes(5)))
struct TypeTests {
    @Test(
        "Durations are a whole number and a unit",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("15m", .seconds(900)),
            ("6h", .seconds(21_600)), ("7d", .seconds(604_800)), ("0s", .zero),
        ])
    func durations(text: String, expected: Duration) {
        #expect(parseDuration(text) == expected)
        #expect(durationText(expected) == text)
    }

    @Test(
        "Other texts are no durations",
        arguments: [
            "", "10", "s", "10 s", " 10s", "10s ", "10S", "1.5s", "-1s", "+1s", "1m30s", "1w", "01s", "1_0s",
            "99999999999999999999s",
            "9223372036854775807d", "١s", "PT5S",
        ])
    func notDurations(text: String) {
        #expect(parseDuration(text) == nil)
    }

    @Test(
        "Sizes are a whole number and a unit",
        arguments: [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("0B", 0)])
    func sizes(text: String, expected: Int) {
        #expect(parseSize(text) == expected)
        #expect(sizeText(expected) == text)
        for text in ["1", "1MB", "1M", "1mib", "1 MiB", "9223372036854775807KiB", "MiB"] {
            #expect(parseSize(text) == nil)
        }
    }

    @Test(
        "Integers are plain decimal digits",
        arguments: ["1e3", "0x10", "1_000", "007", "+1", "", "-", "--1", "1.0", " 1", "99999999999999999999"])
    func notIntegers(text: String) {
        #expect(wholeNumber(text) == nil)
        #expect(wholeNumber("-5") == -5)
        #expect(wholeNumber("0") == 0)
    }

    @Test(
        "URLs of the platform are https, or http on this machine",
        arguments: [
            ("https://platform.kore.ai", true), ("https://h:8443/base/path", true), ("https://[2001:db8::1]", true),
            ("https://[::1]:8443", true),
            ("http://localhost:8080", true), ("http://127.0.0.1", true), ("http://[::1]:80", true),
            ("http://127.0.0.1.evil.com", false),
            ("http://127.evil.com", false), ("http://localhost.evil.com", false), ("http://platform.kore.ai", false),
            ("https://", false),
            ("https://user:pw@h", false), ("https://h/", false), ("https://h/a/", false), ("https://h?x", false),
            ("https://h/#f", false),
            ("https://h/../x", false), ("https://h:0", false), ("https://h:99999", false), ("ftp://h", false),
            ("HTTPS://h", false),
            ("https://h/a b", false), ("https://h\r\nx", false), ("platform.kore.ai", false), ("https://[h]", false),
            ("https://h:", false),
        ])
    func urls(text: String, isValid: Bool) {
        #expect((ValueType<String>.baseURL.parse(text) != nil) == isValid)
    }

    @Test(
        "Addresses to listen on have a port, IPv6 in brackets",
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1", 8080), ("[::]:80", "::", 80), ("localhost:0", "localhost", 0),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ])
    func listen(text: String, host: String, port: Int) {
        #expect(ListenAddress(text) == ListenAddress(host: host, port: port))
        #expect(ListenAddress(text)?.description == text)
        for text in ["8080", ":8080", "::1:80", "[::1]", "h:65536", "h:-1", "h:1 ", "[h]:1", "tcp://1.2.3.4:80"] {
            #expect(ListenAddress(text) == nil, "\(text)")
        }
    }

    @Test("Names go where they are put without escaping")
    func words() {
        #expect(ValueType<String>.topic.parse("a.b_c-1") != nil)
        for text in ["", ".", "..", "a b", "a/b", String(repeating: "a", count: 250), "é"] {
            #expect(ValueType<String>.topic.parse(text) == nil)
        }
        #expect(ValueType<String>.stream.parse("*") != nil)
        for text in ["st 1", "st/1", "st\r\n", "**", "st%2f"] { #expect(ValueType<String>.stream.parse(text) == nil) }
        #expect(ValueType<String>.pathPrefix.parse("/campaign/api") != nil)
        for text in ["", "/", "api", "/api/", "/a//b", "/a/../b", "/a?b"] {
            #expect(ValueType<String>.pathPrefix.parse(text) == nil)
        }
        #expect(ValueType<String>.proxy.parse("http://p:3128") != nil)
        for text in ["http://u:p@h", "p:3128", "http://p:3128/x", "socks5://p"] {
            #expect(ValueType<String>.proxy.parse(text) == nil)
        }
        #expect(ValueType<String>.broker.parse("k:9092") != nil)
        for text in ["k", "k:0", "PLAINTEXT://k:9092", "k:9092,l:9092"] {
            #expect(ValueType<String>.broker.parse(text) == nil)
        }
    }

    @Test("The edit distance counts an exchange of neighbours once")
    func distance() {
        #expect(editDistance("initial", "initail", limit: 5) == 1)
        #expect(editDistance("kitten", "sitting", limit: 5) == 3)
        #expect(editDistance("", "abc", limit: 5) == 3)
        #expect(editDistance("abc", "xyz", limit: 1) == 2)
    }
}
