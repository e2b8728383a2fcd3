import Testing

@testable import KoreAPI

@Suite("Fields and texts of answers", .timeLimit(.minutes(5)))
struct FieldTests {
    /// 1994-11-06T08:49:37Z.
    private let moment: Int64 = 784_111_777

    @Test(
        "The three date forms are one moment",
        arguments: [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ])
    func dates(text: String) {
        #expect(HTTPDate.parse(text, now: moment) == moment)
    }

    @Test(
        "Anything else is no date",
        arguments: [
            "", "0", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT x", "1994-11-06T08:49:37Z", "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT", "Sun Nov  0 08:49:37 1994",
        ])
    func noDates(text: String) {
        #expect(HTTPDate.parse(text, now: moment) == nil)
    }

    @Test("A leap day counts, and a two-digit year far ahead is of the last century")
    func years() {
        #expect(HTTPDate.parse("Thu, 29 Feb 2024 00:00:00 GMT", now: 0) == 1_709_164_800)
        #expect(HTTPDate.parse("Wed, 29 Feb 2023 00:00:00 GMT", now: 0) == nil)
        #expect(HTTPDate.parse("Sunday, 06-Nov-94 08:49:37 GMT", now: 1_764_000_000) == moment)
    }

    @Test(
        "Retry-After is seconds or a date, capped",
        arguments: [
            ("120", 120), ("00120", 120), ("99999999999999999999", 3600), ("3601", 3600),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60), ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
            ("Sun Nov  6 08:50:37 1994", 60),
        ])
    func retry(field: String, seconds: Int) {
        #expect(retryAfter(field, reference: moment, maximum: .seconds(3600)) == .seconds(seconds))
    }

    @Test(
        "Any other Retry-After says nothing, so that the default pause applies",
        arguments: ["", "0", "-5", "1.5", "5s", "soon", "1 2", "+7", "Sun, 06 Nov 1994 08:48:37 GMT", "٣"])
    func noRetry(field: String) {
        #expect(retryAfter(field, reference: moment, maximum: .seconds(3600)) == nil)
    }

    @Test("Secrets go before the text is cut, tokens also where they are not ours")
    func redaction() {
        let redactor = Redactor(token: "headerpart.payloadpart.signaturepart", maximumLength: 20)
        #expect(redactor.clean("0123456789abcdefg headerpart.payloadpart.signaturepart") == "0123456789abcdefg [r…")
        #expect(redactor.clean("x signaturepart y") == "x [removed] y")
        #expect(redactor.clean("a eyJhbGciOi.J9.x-_ b") == "a [removed] b")
        #expect(redactor.clean(" a\r\n\u{1B}[31m\u{202E}b ") == "a [31m b")
    }

    @Test(
        "Identifiers hold nothing that could leave its place",
        arguments: [
            "", "a/b", "..", "a b", "a?b", "a%2Fb", "é", "a\n", "a&b", "a.b", String(repeating: "a", count: 129),
        ])
    func identifiers(text: String) {
        #expect(!KoreIdentifier.isValid(text))
    }

    @Test("An instance id belongs to the campaign under which it was seen, for the last so many ids")
    func instances() {
        var table = InstanceTable(maximum: 2)
        let steps: [(id: String, stream: String, campaign: String, isOwn: Bool)] = [
            ("1", "s", "a", true), ("1", "s", "a", true), ("1", "s", "b", false), ("1", "t", "a", false),
            ("2", "s", "b", true), ("3", "s", "b", true),
            // The first has left the table.
            ("1", "s", "b", true),
        ]
        for step in steps {
            let isOwn = table.remember(step.id, stream: step.stream, campaign: step.campaign)
            #expect(isOwn == step.isOwn, "\(step)")
        }
    }
}
