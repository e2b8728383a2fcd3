package import TerminalText

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Why output could not be written.
package enum OutputError: Error, Equatable, CustomStringConvertible {
    /// The reader of the pipe is gone, as with `| head`. A command ends quietly then.
    case closedByReader
    /// The system's words.
    case failed(String)

    package var description: String {
        switch self {
        case .closedByReader: "the reader of the output is gone"
        case .failed(let reason): "cannot write the output: \(reason)"
        }
    }
}

/// How a result is written.
package enum OutputFormat: String, CaseIterable, Sendable {
    /// For people.
    case text
    /// For programs: valid JSON, also when there is nothing to say.
    case json
}

/// A stream that a command writes to. Standard output carries the result and nothing else; notes and progress go to
/// standard error. Each call writes all bytes, exactly as they are, and waits for a slow reader: for commands, not for
/// the service. Needs SIGPIPE to be ignored in the process, else a closed pipe ends it.
package struct Output: Sendable {
    private let descriptor: Int32
    /// What the stream can show, as it was at the beginning.
    package let facts: TerminalFacts

    package init(descriptor: Int32) {
        self.init(descriptor: descriptor, facts: .of(descriptor))
    }

    package init(descriptor: Int32, facts: TerminalFacts) {
        self.descriptor = descriptor
        self.facts = facts
    }

    package static var standardOutput: Output { Output(descriptor: 1) }
    package static var standardError: Output { Output(descriptor: 2) }

    /// Writes one line, with its colours if the stream shows them.
    package func line(_ text: StyledText) throws(OutputError) {
        try write(Array((text.rendered(colour: facts.colour) + "\n").utf8))
    }

    /// Writes a table, cut to the terminal's width; not cut where it is none.
    package func table(_ table: Table) throws(OutputError) {
        try write(Array(table.rendered(width: facts.width, colour: facts.colour).utf8))
    }

    /// Writes bytes as they are.
    package func write(_ bytes: [UInt8]) throws(OutputError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                systemWrite(descriptor, $0.baseAddress! + written, bytes.count - written)
            }
            if count > 0 {
                written += count
                continue
            }
            let reason = errno
            switch reason {
            case EINTR: continue
            case EAGAIN: waitUntilWritable()
            case EPIPE: throw .closedByReader
            default: throw .failed(String(cString: strerror(reason)))
            }
        }
    }

    /// The descriptor was made non-blocking by somebody else who shares it.
    private func waitUntilWritable() {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&request, 1, 1000)
    }
}

/// The system's `write`, which the method of that name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
