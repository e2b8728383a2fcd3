import Testing

@testable import JSON

@Suite("The JSON writer", .timeLimit(.minutes(5)))
struct JSONWriterTests {
    @Test("Commas stand between members and elements and nowhere else")
    func shape() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", "x")
            writer.member("n", -5)
            writer.key("list")
            writer.array { writer in
                writer.bool(true)
                writer.null()
                writer.object { _ in }
                writer.array { _ in }
                writer.double(0.5)
            }
            writer.member("ok", false)
            writer.member("raw", .object([JSONMember("big", .number("123456789012345678901234567890"))]))
            writer.key("bytes")
            writer.raw([UInt8(ascii: "1")])
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"id":"x","n":-5,"list":[true,null,{},[],0.5],"ok":false,"raw":{"big":123456789012345678901234567890},"bytes":1}"#
        )
    }

    @Test("Quotes, backslashes and control characters are escaped; other text goes as it is")
    func escapes() {
        var writer = JSONWriter()
        writer.string("a\"b\\c\n\r\t\u{0}\u{1f}\u{7f}/é😀")
        #expect(
            String(decoding: writer.bytes, as: UTF8.self) == #""a\"b\\c\n\r\t\u0000\u001f\u007f/é😀""#)
    }

    @Test("Every character that JSON text can hold is read back as it was written")
    func everyCharacterReadsBack() throws {
        var scalars = String.UnicodeScalarView()
        for value in UInt32(1)...0x2FFF { if let scalar = Unicode.Scalar(value) { scalars.append(scalar) } }
        let text = String(scalars)
        let value = JSONValue.object([JSONMember(text, .string(text))])
        #expect(try JSONReader.parse(value.bytes) == value)
    }
}
