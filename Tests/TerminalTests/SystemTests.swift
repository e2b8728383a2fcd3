import Foundation
import Testing

@testable import Terminal

@Suite("Streams and signals", .timeLimit(.minutes(5)), .serialized)
struct SystemTests {
    @Test("Output is exact to the byte, whatever the bytes are and however slow the reader")
    func exact() throws {
        let pipe = Pipe()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let output = Output(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        #expect(output.facts == .plain)
        // More than a pipe holds: writing and reading need a thread each.
        Thread.detachNewThread {
            #expect(throws: Never.self) {
                try output.write(bytes)
                try output.write([])
                try pipe.fileHandleForWriting.close()
            }
        }
        let read = try #require(try pipe.fileHandleForReading.readToEnd())
        #expect(Array(read) == bytes)
    }

    @Test("A reader that is gone and a full disk are errors that say so")
    func errors() throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = Pipe()
        let output = Output(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        try pipe.fileHandleForReading.close()
        #expect(throws: OutputError.closedByReader) { try output.line("x") }
        if let full = FileHandle(forWritingAtPath: "/dev/full") {
            #expect(throws: OutputError.failed("No space left on device")) {
                try Output(descriptor: full.fileDescriptor).line("x")
            }
        }
    }

    @Test("A file is read whole up to its bound, and one byte more is an error")
    func input() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "input-\(UUID().uuidString)")
        try Data([0, 255, 10, 13]).write(to: file)
        #expect(try Input.bytes(of: file.path, limit: 4) == [0, 255, 10, 13])
        #expect(throws: InputError.tooLarge(path: file.path, limit: 3)) { try Input.bytes(of: file.path, limit: 3) }
        try FileManager.default.removeItem(at: file)
        #expect(throws: InputError.failed(path: file.path, reason: "No such file or directory")) {
            try Input.bytes(of: file.path, limit: 4)
        }
        #expect(throws: InputError.failed(path: "/", reason: "Is a directory")) { try Input.bytes(of: "/", limit: 4) }
    }

    @Test("Without a terminal nobody is asked")
    func noTerminal() throws {
        let pipe = Pipe()
        #expect(
            try Input.confirm(
                "Sure?", word: "yes", input: pipe.fileHandleForReading.fileDescriptor,
                notes: Output(descriptor: pipe.fileHandleForWriting.fileDescriptor)) == .noTerminal)
    }

    @Test(
        "Only the word itself is a yes",
        arguments: [("yes", true), (" yes \r", true), ("y", false), ("", false), ("YES", false), ("yes!", false)])
    func answers(line: String, yes: Bool) {
        #expect(Input.answers(Array(line.utf8), word: "yes") == yes)
    }

    @Test("Signals arrive in each stream that asked for them, and in no other")
    func signals() async {
        let first = Signals.stream([SIGUSR1, SIGUSR2])
        let second = Signals.stream([SIGUSR2])
        kill(getpid(), SIGUSR1)
        var firsts = first.makeAsyncIterator()
        #expect(await firsts.next() == SIGUSR1)
        kill(getpid(), SIGUSR2)
        #expect(await firsts.next() == SIGUSR2)
        var seconds = second.makeAsyncIterator()
        #expect(await seconds.next() == SIGUSR2)
    }

    @Test("When a stream is cancelled, its signal does again what it did before")
    func restored() async {
        signal(SIGUSR1, SIG_IGN)
        let task = Task {
            for await _ in Signals.stream([SIGUSR1]) {}
        }
        task.cancel()
        await task.value
        // A handler of ours in force would replace SIG_IGN here.
        let present = signal(SIGUSR1, SIG_IGN)
        #expect(unsafeBitCast(present, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self))
        kill(getpid(), SIGUSR1)
    }
}
