package import TerminalText

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Why input could not be read.
package enum InputError: Error, Equatable, CustomStringConvertible {
    case failed(path: String, reason: String)
    case tooLarge(path: String, limit: Int)

    package var description: String {
        switch self {
        case .failed(let path, let reason): "cannot read \(VisibleText.of(path)): \(reason)"
        case .tooLarge(let path, let limit):
            "\(VisibleText.of(path)) is larger than \(limit) bytes, the most that is read"
        }
    }
}

/// Reads what a person hands to a command. Blocks; for commands, not for the service.
package enum Input {
    /// A file's bytes, or standard input's where the path is `-`.
    ///
    /// - Parameter limit: the most bytes; one more is an error, not a cut.
    package static func bytes(of path: String, limit: Int) throws(InputError) -> [UInt8] {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { if path != "-" { close(descriptor) } }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            guard count > 0 else { return result }
            result += buffer[..<count]
            guard result.count <= limit else { throw .tooLarge(path: path, limit: limit) }
        }
    }

    private static func failure(_ path: String) -> InputError {
        .failed(path: path, reason: String(cString: strerror(errno)))
    }

    /// What came of a question.
    package enum Confirmation: Equatable, Sendable {
        case yes, no
        /// Nobody can answer: the command must be given the answer as an option.
        case noTerminal
    }

    /// Asks a person to type a word before something that cannot be undone. Anything else, or the end of input, is no.
    /// Waits for the answer and blocks its thread meanwhile.
    ///
    /// - Parameters:
    ///   - word: what must be typed, such as `yes` or a topic's name.
    ///   - input: standard input by default.
    package static func confirm(
        _ question: StyledText, word: String, input: Int32 = 0, notes: Output = .standardError
    ) throws(OutputError) -> Confirmation {
        guard isatty(input) == 1 else { return .noTerminal }
        let line = question + StyledText(" Type \(word) to go on: ")
        try notes.write(Array(line.rendered(colour: notes.facts.colour).utf8))
        return answers(lineOf(input), word: word) ? .yes : .no
    }

    /// Whether what was typed is the word.
    static func answers(_ line: [UInt8], word: String) -> Bool {
        let blanks: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        let trimmed = line.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
        return trimmed.elementsEqual(word.utf8)
    }

    /// One line of at most 1024 bytes, byte by byte, so that nothing behind it is taken away.
    private static func lineOf(_ descriptor: Int32) -> [UInt8] {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 1024 {
            let count = read(descriptor, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 || byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return line
    }
}
