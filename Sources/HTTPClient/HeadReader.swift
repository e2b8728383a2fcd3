/// Reads the heads of one exchange, line by line as libcurl hands them over, and keeps the last one.
///
/// libcurl's own view of heads is not used: its status may be that of an interim head, and its Retry-After that of
/// another head (measured on 7.88.1 and 8.14).
struct HeadReader {
    private enum Place {
        case beforeHead
        case inHead
        case afterHead
    }

    private let maximumBytes: Int
    private let maximumInterim: Int
    private var bytes = 0
    private var interim = 0
    private var place = Place.beforeHead
    private var status = 0
    private(set) var fields: [(name: String, value: String)] = []

    init(maximumBytes: Int, maximumInterim: Int) {
        self.maximumBytes = maximumBytes
        self.maximumInterim = maximumInterim
    }

    /// The status of the final head, once its blank line has come.
    var finalStatus: Int? {
        place == .afterHead && !(100...199).contains(status) ? status : nil
    }

    /// Takes one line with its line end; returns why the exchange must be given up, or nil.
    mutating func take(_ line: UnsafeRawBufferPointer) -> TransportFault? {
        bytes += line.count
        if bytes > maximumBytes {
            return TransportFault(.headTooLarge, "the answer's heads are longer than \(maximumBytes) bytes")
        }
        let end = line.lastIndex { $0 != 0x0A && $0 != 0x0D }
        let text =
            end.map { UnsafeRawBufferPointer(rebasing: line[...$0]) } ?? UnsafeRawBufferPointer(rebasing: line[..<0])
        switch place {
        case .inHead:
            if text.isEmpty {
                place = .afterHead
                return closeHead()
            }
            takeField(text)
            return nil
        case .beforeHead, .afterHead:
            if text.starts(with: "HTTP/".utf8) {
                return openHead(text)
            }
            // Trailers: counted, never read.
            if place == .afterHead { return nil }
            return TransportFault(.protocolError, "the answer does not begin with a status line")
        }
    }

    private mutating func openHead(_ line: UnsafeRawBufferPointer) -> TransportFault? {
        // A new status line empties what was kept.
        fields.removeAll(keepingCapacity: true)
        place = .inHead
        status = 0
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: true)
        guard parts.count >= 2, parts[1].count == 3, parts[1].allSatisfy({ (0x30...0x39).contains($0) }) else {
            return TransportFault(.protocolError, "the answer's status line has no status of three digits")
        }
        status = parts[1].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return nil
    }

    private mutating func closeHead() -> TransportFault? {
        guard (100...199).contains(status) else { return nil }
        interim += 1
        if interim > maximumInterim {
            return TransportFault(.interimFlood, "more than \(maximumInterim) interim answers came before a final one")
        }
        return nil
    }

    private mutating func takeField(_ line: UnsafeRawBufferPointer) {
        if line[0] == 0x20 || line[0] == 0x09 {
            // The rest of a folded field.
            guard !fields.isEmpty else { return }
            fields[fields.count - 1].value += " " + trimmed(line[...])
            return
        }
        // A line without a name is not a field; the answer may still be readable.
        guard let colon = line.firstIndex(of: 0x3A), colon > 0 else { return }
        let name = line[..<colon].map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        guard name.allSatisfy({ (0x21...0x7E).contains($0) }) else { return }
        fields.append((String(decoding: name, as: UTF8.self), trimmed(line[(colon + 1)...])))
    }

    private func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
