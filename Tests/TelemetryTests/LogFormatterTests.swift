import Foundation
import Testing

@testable import Telemetry

extension LogKey {
    fileprivate static let campaign = LogKey("campaign")
    fileprivate static let note = LogKey("note")
}

@Suite("Log lines", .timeLimit(.minutes(5)))
struct LogFormatterTests {
    let json = LogFormatter(style: .json, redactor: Redactor())
    let text = LogFormatter(style: .text(colour: false), redactor: Redactor())

    @Test("A JSON line has time, level, message and then the fields in their order")
    func jsonLine() {
        let line = json.line(
            time: 1_772_357_400_250, level: .info, message: "partition assigned",
            fields: [.topic: "requests", .partition: 3, .note: .bool(true), .campaign: .strings(["a", "b"])])
        let expected =
            #"{"time":"2026-03-01T09:30:00.250Z","level":"info","message":"partition assigned","#
            + #""topic":"requests","partition":3,"note":true,"campaign":["a","b"]}"# + "\n"
        #expect(String(decoding: line, as: UTF8.self) == expected)
    }

    @Test("A text line quotes only values that could be taken for something else")
    func textLine() {
        let line = text.line(
            time: 0, level: .warning, message: "refused",
            fields: [.topic: "requests", .note: "two words", .campaign: "a=b", .error: ""])
        #expect(
            String(decoding: line, as: UTF8.self)
                == #"1970-01-01T00:00:00.000Z WARNING refused topic=requests note="two words" campaign="a=b" error="""#
                + "\n")
    }

    @Test("A coloured line has the same words as a plain one")
    func colouredLine() {
        let coloured = LogFormatter(style: .text(colour: true), redactor: Redactor())
        let line = String(
            decoding: coloured.line(time: 0, level: .error, message: "stopped", fields: [.note: "x"]), as: UTF8.self)
        let plain = String(
            decoding: text.line(time: 0, level: .error, message: "stopped", fields: [.note: "x"]), as: UTF8.self)
        #expect(line.contains("\u{1b}[1;31m"))
        #expect(line.replacing(/\u{1b}\[[0-9;]*m/, with: "") == plain)
    }

    @Test(
        "Control characters, separators and writing direction never reach the terminal or end the line",
        arguments: ["\u{1b}[2J", "a\nb", "a\r\u{8}b", "\u{85}\u{9b}31m", "\u{2028}\u{202e}\u{feff}", "\u{0}\u{7f}"])
    func escapes(value: String) throws {
        for formatter in [json, text] {
            let line = String(
                decoding: formatter.line(time: 0, level: .info, message: "m", fields: [.note: .string(value)]),
                as: UTF8.self)
            let allowed = line.unicodeScalars.dropLast().allSatisfy {
                $0.properties.generalCategory != .control && $0.properties.generalCategory != .format
                    && $0.properties.generalCategory != .lineSeparator
            }
            #expect(allowed, "\(line.debugDescription)")
        }
        let line = json.line(time: 0, level: .info, message: "m", fields: [.note: .string(value)])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        #expect((object["note"] as? String).map { Array($0.utf8) } == Array(value.utf8))
    }

    @Test("Whatever the values are, a JSON line stays one valid object within its bound")
    func boundedJSON() throws {
        let small = LogFormatter(style: .json, redactor: Redactor(), longestLine: 512, longestValue: 200)
        let nasty = String(repeating: "\u{1b}\"\\ä🙂", count: 400)
        for length in stride(from: 0, to: 700, by: 7) {
            let value = LogValue.string(String(nasty.unicodeScalars.prefix(length).map(Character.init)))
            let line = small.line(
                time: 0, level: .info, message: "m",
                fields: [.note: value, .error: value, .topic: value, .campaign: .strings(["x", nasty, nasty])])
            #expect(line.count <= 512)
            let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
            #expect(object?["message"] as? String == "m")
            if length > 100 { #expect(object?["truncated"] as? Bool == true) }
        }
    }

    @Test("A value that is too long is cut with a mark at a character's border")
    func longValue() {
        let short = LogFormatter(style: .text(colour: false), redactor: Redactor(), longestValue: 64)
        let line = short.line(
            time: 0, level: .info, message: "m", fields: [.note: .string(String(repeating: "ä", count: 100))])
        let expected = "1970-01-01T00:00:00.000Z INFO    m note=" + String(repeating: "ä", count: 32) + "…\n"
        #expect(String(decoding: line, as: UTF8.self) == expected)
    }

    @Test("A number that JSON cannot write becomes a text")
    func numbers() {
        let line = json.line(
            time: 0, level: .info, message: "m", fields: [.note: .double(.nan), .error: .double(1.5)])
        #expect(String(decoding: line, as: UTF8.self).hasSuffix(#""note":"nan","error":1.5}"# + "\n"))
    }

    @Test("A field that stands twice keeps its place and its last value")
    func repeatedField() {
        let fields: LogFields = [.topic: "a", .note: "n", .topic: "b"]
        #expect(fields == [.topic: "b", .note: "n"])
        #expect(fields.merged(with: [.note: "m", .error: "e"]) == [.topic: "b", .note: "m", .error: "e"])
    }
}

@Suite("RFC 3339 times", .timeLimit(.minutes(5)))
struct RFC3339Tests {
    @Test("Times agree with Foundation's over the whole range")
    func agreesWithFoundation() throws {
        let formatter = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let days: [Int64] = [-719_528, -1, 0, 1, 59, 11_016, 11_017, 20_513, 24_836, 47_540, 2_932_896]
        for day in days {
            for inDay: Int64 in [0, 1, 999, 59_999, 43_200_000, 86_399_999] {
                let time = day * 86_400_000 + inDay
                let text = RFC3339.text(milliseconds: time)
                // Foundation gives years before 1 other numbers, so only the rest is compared there.
                let date = Date(timeIntervalSince1970: Double(time) / 1000)
                if day > -700_000 { #expect(abs(try formatter.parse(text).timeIntervalSince(date)) < 0.0005) }
                #expect(text.utf8.count == 24)
            }
        }
    }

    @Test(
        "Leap days, borders and times before 1970 are right",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (Int64.min, "0000-01-01T00:00:00.000Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func known(time: Int64, text: String) {
        #expect(RFC3339.text(milliseconds: time) == text)
    }
}
