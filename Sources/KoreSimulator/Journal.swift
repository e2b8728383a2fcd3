internal import JSON

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What the simulator really did with one call.
package struct JournalEntry: Sendable, Equatable {
    /// The decision on the call.
    package enum Decision: String, Sendable, CaseIterable {
        /// An instance was started, a campaign stopped, something read.
        case started, stopped, read
        /// The platform refused it; `reason` says why.
        case refused
        /// A fault kept it from getting through: nothing was done.
        case lost
    }

    /// Counts the calls in the order of their decisions, from 1.
    package var sequence: Int
    /// When it was decided, on the platform's clock.
    package var time: String
    /// `X-Request-Id`, or else the trace id of `traceparent`; empty without either.
    package var requestId: String
    /// `start`, `stop`, `status`, `contacts`, `get`, `list` or `unknown`.
    package var operation: String
    package var stream: String
    package var campaign: String
    package var account: String
    /// The token's `jti` and `exp`, where they could be read.
    package var tokenId: String?
    package var tokenExpiry: Int64?
    package var decision: Decision
    /// For a refusal, its kind: `token`, `header`, `rate-limit`, `request`, `campaign`, `state`.
    package var reason: String?
    /// The instance that was started or stopped.
    package var instance: String?
    /// The kind of the fault that was applied.
    package var fault: String?
    /// The status of the answer that was meant for the client; nil where there was none.
    package var status: Int?
    /// Whether an answer was given to the network: nil until the exchange has ended.
    package var answered: Bool?

    /// The entry as one JSON object.
    package var json: [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object { w in
            w.member("kind", "decision")
            w.member("sequence", sequence)
            w.member("time", time)
            w.member("requestId", requestId)
            w.member("operation", operation)
            w.member("streamId", stream)
            w.member("campaignId", campaign)
            w.member("accountId", account)
            w.member("jti", tokenId.map { .string($0) } ?? .null)
            w.member("exp", tokenExpiry.map { .integer($0) } ?? .null)
            w.member("decision", decision.rawValue)
            w.member("reason", reason.map { .string($0) } ?? .null)
            w.member("campaignInstanceId", instance.map { .string($0) } ?? .null)
            w.member("fault", fault.map { .string($0) } ?? .null)
            w.member("status", status.map { .integer($0) } ?? .null)
            w.member("answered", answered.map { .bool($0) } ?? .null)
        }
        return writer.bytes
    }
}

/// The journal in memory, and its file. Each decision is appended to the file before its answer can be sent, in one
/// `write`; a second line with the same sequence tells, at the end of the exchange, whether an answer was sent.
struct Journal: ~Copyable {
    private(set) var entries: [JournalEntry] = []
    /// Entries that are no longer in memory.
    private(set) var dropped = 0
    /// The first failure to write the file, as text.
    private(set) var failure: String?
    private(set) var last = 0
    private let limit: Int
    private let descriptor: Int32

    init(file: String?, limit: Int) throws(SimulatorError) {
        self.limit = max(1, limit)
        guard let file else {
            descriptor = -1
            return
        }
        descriptor = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw SimulatorError("the journal \(file) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Adds an entry and gives it its sequence number.
    mutating func append(_ entry: JournalEntry) -> Int {
        last += 1
        var entry = entry
        entry.sequence = last
        entries.append(entry)
        if entries.count > limit + limit / 8 {
            dropped += entries.count - limit
            entries.removeFirst(entries.count - limit)
        }
        if descriptor >= 0 { write(entry.json) }
        return last
    }

    /// Notes how the exchange of an entry ended.
    mutating func end(_ sequence: Int, answered: Bool) {
        let index = sequence - dropped - 1
        if entries.indices.contains(index) { entries[index].answered = answered }
        guard descriptor >= 0 else { return }
        var writer = JSONWriter(capacity: 64)
        writer.object { w in
            w.member("kind", "end")
            w.member("sequence", sequence)
            w.member("answered", answered)
        }
        write(writer.bytes)
    }

    /// The entries behind a sequence number.
    func entries(after sequence: Int) -> ArraySlice<JournalEntry> {
        entries.dropFirst(max(0, sequence - dropped))
    }

    /// Forgets the entries in memory; the sequence and the file go on.
    mutating func reset() {
        dropped = last
        entries = []
    }

    private mutating func write(_ line: [UInt8]) {
        var rest = (line + [UInt8(ascii: "\n")])[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                #if canImport(Darwin)
                    Darwin.write(descriptor, $0.baseAddress, $0.count)
                #elseif canImport(Musl)
                    Musl.write(descriptor, $0.baseAddress, $0.count)
                #else
                    Glibc.write(descriptor, $0.baseAddress, $0.count)
                #endif
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                failure = failure ?? "the journal's file cannot be written: \(String(cString: strerror(errno)))"
                return
            }
        }
    }
}

/// Why a simulator cannot start or cannot take a setting; the message says what to change.
package struct SimulatorError: Error, Sendable, CustomStringConvertible {
    /// One sentence.
    package let message: String
    package var description: String { message }

    init(_ message: String) { self.message = message }
}
