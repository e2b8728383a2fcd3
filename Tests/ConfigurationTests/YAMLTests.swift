import Testing

@testable import Configuration

@Suite("The YAML reader", .timeLimit(.minutes(5)))
struct YAMLTests {
    private func read(_ bytes: [UInt8], _ limits: YAMLLimits = YAMLLimits()) throws(YAMLFault) -> YAMLNode? {
        var reader = YAMLReader(limits: limits)
        return try reader.read(bytes)
    }

    private func fault(_ text: String, _ limits: YAMLLimits = YAMLLimits()) -> YAMLFault? {
        do throws(YAMLFault) {
            _ = try read(Array(text.utf8), limits)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "Nothing, comments, an empty document, a byte order mark and CRLF are fine",
        arguments: [
            "", "# comment\n", "---\n", "\u{FEFF}", "\u{FEFF}# c\r\n",
        ])
    func empty(text: String) {
        #expect(load(text).texts.first?.contains("kafka.bootstrapServers: is required") == true)
    }

    @Test("A file with byte order mark and CRLF loads like the plain one")
    func byteOrderMark() {
        let text = "\u{FEFF}---\n" + minimalConfiguration + "...\n"
        #expect(load(text.replacing("\n", with: "\r\n")).texts == [])
    }

    @Test("A repeated key is a fault that names both lines, and does not end the run")
    func duplicates() {
        let texts = loadMinimal("ledger:\n  dedupWindow: 8d\n  \"dedupWindow\": 9d\nledger: {}\ngroup: { id: \"\" }\n")
            .texts
        #expect(texts.count == 3)
        #expect(texts.first == "bridge.yaml:12:3: the key `dedupWindow` stands here and in line 11: keep one")
        #expect(texts.dropFirst().first == "bridge.yaml:13:1: the key `ledger` stands here and in line 10: keep one")
    }

    @Test(
        "What is not one plain YAML document is refused with its place",
        arguments: [
            ("a: 1\n---\nb: 2\n", "a second document", 3), ("a: [1\nb: 2\n", "not valid YAML", 2),
            ("a:\n\t- 1\n", "not valid YAML", 2),
            ("a: *x\n", "no anchor", 1), ("x: 1\na: !secret x\n", "tags are not used", 2),
            ("? [a, b]\n: 1\n", "a key must be a plain word", 1),
            ("a: &x [*x]\n", "no anchor", 1), ("a: \"\\ud800\"\n", "not valid YAML", 1),
            ("a: \"\u{1}\"\n", "not valid UTF-8 text", 1),
        ])
    func refused(text: String, message: String, line: Int) {
        let found = fault(text)
        #expect(found?.message.contains(message) == true, "\(String(describing: found))")
        #expect(found?.line == line)
    }

    @Test(
        "Bytes that are not UTF-8 are refused, UTF-16 too",
        arguments: [
            [0x61, 0x3A, 0x20, 0xFF], [0xFF, 0xFE, 0x61, 0x00], [0xFE, 0xFF, 0x00, 0x61], [0xED, 0xA0, 0x80], [0x00],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(throws: YAMLFault.self) { try read(bytes) }
    }

    @Test("Aliases are bounded by the size and depth of what they stand for")
    func aliases() throws {
        let billion =
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "bcdefghi".reduce(into: ("", "a")) { text, name in
                text.0 +=
                    "\(name): &\(name) [" + Array(repeating: "*\(text.1)", count: 10).joined(separator: ",") + "]\n"
                text.1 = String(name)
            }.0
        #expect(fault(billion)?.message.contains("aliases included") == true)
        let deep = "a: &a [[[]]]\nb: &b [[*a]]\nc: [*b]\n"
        #expect(fault(deep, YAMLLimits(maximumDepth: 7)) == nil)
        #expect(fault(deep, YAMLLimits(maximumDepth: 6))?.message.contains("deeper than 6") == true)
        #expect(load(minimalConfiguration.replacing("[\"*\"]", with: "&s [st-1]") + "x: *s\n").texts.count == 1)
    }

    @Test("Size, depth and number of values are bounded")
    func bounds() {
        #expect(fault(String(repeating: "#", count: (1 << 20) + 1))?.message.contains("larger than") == true)
        #expect(fault(String(repeating: "[", count: 900))?.message != nil)
        #expect(
            fault(String(repeating: "[", count: 20) + String(repeating: "]", count: 20))?.message.contains("deeper")
                == true)
        #expect(fault(String(repeating: "- 1\n", count: 50_000))?.message.contains("too many values") == true)
    }
}
