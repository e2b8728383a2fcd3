import Testing

@testable import Telemetry

@Suite("Redaction", .timeLimit(.minutes(5)))
struct RedactorTests {
    static let token =
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcHAiLCJleHAiOjE3NzJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

    private static let cases: [(String, String)] = [
        (token, "[redacted]"), ("Bearer " + token + ".", "Bearer [redacted]."),
        ("x" + token, "x[redacted]"), ("a=" + token + "&b=" + token + ";", "a=[redacted]&b=[redacted];"),
        ("\"" + token + "\"", "\"[redacted]\""), (token + ".more.more!", "[redacted]!"),
        // Cut in the signature, and in the claims.
        (String(token.prefix(60)), "[redacted]"), (String(token.prefix(30)), "[redacted]"),
        ("eyJ eyJ eyJhbGci " + token, "eyJ eyJ eyJhbGci [redacted]"),
    ]

    @Test(
        "A JSON web token never comes out, wherever it stands",
        arguments: cases)
    func tokens(text: String, expected: String) {
        #expect(Redactor().clean(text) == expected)
    }

    @Test(
        "Texts without secrets stay as they are", arguments: ["", "eyJ", "eyJhbGci.x", "e", "häuser eyJ. eyJabc..def"])
    func harmless(text: String) {
        #expect(Redactor().clean(text) == text)
    }

    @Test("A registered secret is replaced, also as part of a URL and where it holds another secret")
    func registered() {
        let redactor = Redactor()
        redactor.register("pass/word+1")
        redactor.register("pass")
        #expect(
            redactor.clean("pass/word+1 pass%2Fword%2B1 compass") == "[redacted] [redacted] com[redacted]")
    }

    @Test("The lines of a key in several lines are secrets of their own, its frame is not")
    func keyLines() {
        let redactor = Redactor()
        redactor.register("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nshort\n-----END PRIVATE KEY-----\n")
        #expect(redactor.clean("line MIIEvQIBADANBgkq of the key") == "line [redacted] of the key")
        #expect(redactor.clean("-----BEGIN PRIVATE KEY----- short") == "-----BEGIN PRIVATE KEY----- short")
    }

    @Test("Values that are too short to be secrets are not registered")
    func short() {
        let redactor = Redactor()
        redactor.register("")
        redactor.register("on")
        #expect(redactor.clean("on and on") == "on and on")
    }

    @Test("A secret is found although the value is cut behind it, and in lists and messages of errors")
    func inLines() {
        let redactor = Redactor()
        redactor.register("hunter22")
        for style in [LogFormatter.Style.json, .text(colour: false)] {
            let formatter = LogFormatter(style: style, redactor: redactor, longestValue: 64)
            // The secret lies across the place where the value is cut.
            let long = String(repeating: "x", count: 60) + "hunter22"
            let line = String(
                decoding: formatter.line(
                    time: 0, level: .info, message: "m",
                    fields: [
                        .error: .string(long), .topic: .strings(["hunter22", Self.token]), .requestID: "q hunter22",
                    ]),
                as: UTF8.self)
            #expect(!line.contains("hunt") && !line.contains("eyJ"), "\(line)")
        }
    }

    @Test("A long text of beginnings of tokens takes no longer than one that has none")
    func linear() {
        // Quadratic work on this text would exceed the time limit.
        let text = String(repeating: "eyJ", count: 1_000_000)
        #expect(Redactor().clean(text).utf8.count == text.utf8.count)
    }
}
