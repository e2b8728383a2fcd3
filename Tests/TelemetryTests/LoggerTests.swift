import Foundation
import Synchronization
import Testing

@testable import Telemetry

@Suite("Loggers and sinks", .timeLimit(.minutes(5)))
struct LoggerTests {
    private func logger(_ sink: any LogSink, level: LogLevel = .info) -> (Logger, LogOutput) {
        let output = LogOutput(
            formatter: LogFormatter(style: .text(colour: false), redactor: Redactor()), sink: sink, wallClock: { 0 })
        return (Logger(output: output, level: level), output)
    }

    @Test("Fields of the logger stand in each line, and a line's own field wins")
    func context() {
        let sink = MemoryLogSink()
        let (logger, _) = logger(sink)
        let request = logger.with([.requestID: "r1", .topic: "a"])
        request.info("called", [.partition: 1])
        request.with([.topic: "b"]).error("failed", [.requestID: "r2"])
        logger.info("idle")
        #expect(
            sink.lines == [
                "1970-01-01T00:00:00.000Z INFO    called request_id=r1 topic=a partition=1",
                "1970-01-01T00:00:00.000Z ERROR   failed request_id=r2 topic=b",
                "1970-01-01T00:00:00.000Z INFO    idle",
            ])
    }

    @Test("Below the level nothing is written and no field is made", arguments: LogLevel.allCases)
    func level(level: LogLevel) {
        let sink = MemoryLogSink()
        let (logger, _) = logger(sink, level: level)
        var made = 0
        func fields() -> LogFields {
            made += 1
            return [:]
        }
        for each in LogLevel.allCases { logger.log(each, "m", fields()) }
        let expected = LogLevel.allCases.filter { $0 >= level }.count
        #expect(sink.lines.count == expected)
        #expect(made == expected)
    }

    @Test("Lost lines are counted, and told once when the sink takes lines again")
    func lostLines() {
        let sink = FailingSink()
        let (logger, output) = logger(sink)
        logger.info("one")
        sink.fails.withLock { $0 = true }
        logger.info("two")
        logger.info("three")
        sink.fails.withLock { $0 = false }
        logger.info("four")
        logger.info("five")
        #expect(output.lostLines == 2)
        #expect(
            sink.memory.lines.map { $0.dropFirst(25) } == [
                "INFO    one", "INFO    four", "WARNING log lines were lost dropped=2", "INFO    five",
            ])
    }

    @Test("The memory keeps the last lines")
    func memory() {
        let sink = MemoryLogSink(limit: 2)
        for line in ["a\n", "b\n", "c\n"] { #expect(sink.write(Array(line.utf8))) }
        #expect(sink.lines == ["b", "c"])
    }

    @Test("A pipe that nobody reads loses lines without stopping the writer, and takes them again when it is read")
    func fullPipe() throws {
        let pipe = Pipe()
        let sink = DescriptorLogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor, patience: 0)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 4095) + [UInt8(ascii: "\n")]
        var taken = 0
        while sink.write(line) { taken += 1 }
        #expect(taken > 0)
        #expect(!sink.write(line))
        var read = 0
        while read < taken * line.count {
            read += try #require(try pipe.fileHandleForReading.read(upToCount: taken * line.count - read)).count
        }
        #expect(sink.write(line))
    }

    @Test("A pipe whose reader is gone loses lines and leaves the process alive")
    func deadPipe() throws {
        ignoreBrokenPipes()
        let pipe = Pipe()
        let sink = DescriptorLogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        #expect(sink.write(Array("a\n".utf8)))
        try pipe.fileHandleForReading.close()
        #expect(!sink.write(Array("b\n".utf8)))
        #expect(!sink.write(Array("c\n".utf8)))
    }

    @Test("A descriptor that is closed loses lines")
    func closedDescriptor() {
        #expect(!DescriptorLogSink(descriptor: -1).write(Array("a\n".utf8)))
    }

    @Test("Lines of many threads come out whole")
    func wholeLines() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "log-\(UUID().uuidString)")
        #expect(FileManager.default.createFile(atPath: file.path, contents: nil))
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        let handle = try FileHandle(forWritingTo: file)
        let output = LogOutput(
            formatter: LogFormatter(style: .json, redactor: Redactor()),
            sink: DescriptorLogSink(descriptor: handle.fileDescriptor))
        let logger = Logger(output: output)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for _ in 0..<200 { logger.info("line", [.requestID: .int(task)]) }
                }
            }
        }
        try handle.close()
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 1600)
        for line in lines { #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) } }
    }
}

private final class FailingSink: LogSink {
    let fails = Mutex(false)
    let memory = MemoryLogSink()

    func write(_ line: [UInt8]) -> Bool {
        fails.withLock { $0 } ? false : memory.write(line)
    }
}
