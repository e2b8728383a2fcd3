internal import Bridge
internal import BridgeCore
internal import JSON
internal import Records
internal import Synchronization

/// What a demonstration has seen: events sent, the bridge's notes, and the result topics, which alone decide whether
/// an event has its outcome.
struct DemoTally: Sendable {
    /// An event that came to something, for the list of the last ones.
    struct Line: Sendable {
        var time: Int64
        var label: String
        var outcome: String
        var isGood: Bool
    }

    private(set) var sent = 0
    private(set) var met = 0
    private(set) var calls: [CallClass: Int] = [:]
    private(set) var started = 0
    private(set) var deadLetters: [DeadLetterReason: Int] = [:]
    private(set) var suppressed = 0
    private(set) var doubts = 0
    private(set) var lines: [Line] = []
    /// Lines that no view has taken yet.
    private var fresh: [Line] = []
    private var labels: [String: String] = [:]
    private var inDoubtNow: Set<String> = []
    private var finishTimes: [Int64] = []
    /// Results on the topics, by the key of the source's record.
    private var results: [String: Int] = [:]
    private var keys: Set<String> = []
    private var repeats = 0

    static let shownLines = 8

    var inDoubt: Int { inDoubtNow.count }
    var deadLetterCount: Int { deadLetters.values.reduce(0, +) }
    var callCount: Int { calls.values.reduce(0, +) }
    /// Results that the topics hold.
    var published: Int { results.values.reduce(0, +) }
    /// Events without an outcome on the topics; a repeat has its outcome once it is suppressed.
    var missing: Int { keys.count { results[$0] == nil } + max(0, repeats - suppressed) }
    /// Events with more than one outcome.
    var doubled: Int { results.values.count { $0 > 1 } }

    mutating func sending(_ event: DemoEvent) {
        keys.insert(event.key)
        if event.kind == .duplicate { repeats += 1 }
        if let id = event.requestID { labels[id] = event.key }
    }

    mutating func sentOne() { sent += 1 }

    /// A record of a result topic.
    mutating func result(_ record: Record) {
        results[record.key.map { String(decoding: $0, as: UTF8.self) } ?? "", default: 0] += 1
    }

    mutating func take(_ note: Note, at time: Int64) {
        switch note {
        case .admitted: met += 1
        case .suppressed(let event, _):
            met += 1
            suppressed += 1
            add(Line(time: time, label: label(event), outcome: "duplicate: not called again", isGood: true))
        case .callEnded(_, _, let report): calls[CallClass(report.result), default: 0] += 1
        case .released(let event, _, _): inDoubtNow.remove(event.requestID)
        case .inDoubt(let event, _, _):
            doubts += 1
            inDoubtNow.insert(event.requestID)
            add(
                Line(
                    time: time, label: label(event), outcome: "in doubt: waits until its token cannot be accepted",
                    isGood: false))
        case .finished(let event, let outcome, let waited):
            inDoubtNow.remove(event.requestID)
            finishTimes.append(time)
            switch outcome {
            case .started:
                started += 1
                add(Line(time: time, label: label(event), outcome: "started after \(waited) ms", isGood: true))
            case .deadLetter(let reason, _, _):
                deadLetters[reason, default: 0] += 1
                add(Line(time: time, label: label(event), outcome: "dead letter: \(reason.rawValue)", isGood: false))
            }
        default: break
        }
    }

    /// Events a second that came to their outcome lately.
    mutating func rate(at time: Int64) -> Double {
        finishTimes.removeAll { $0 < time - 5000 }
        return Double(finishTimes.count) / 5
    }

    /// The lines since the last call, at most a hundred.
    mutating func takeFresh() -> [Line] {
        defer { fresh = [] }
        return fresh
    }

    private func label(_ event: EventNote) -> String {
        labels[event.requestID] ?? "partition \(event.partition), offset \(event.offset)"
    }

    private mutating func add(_ line: Line) {
        lines.append(line)
        if lines.count > Self.shownLines { lines.removeFirst() }
        if fresh.count < 100 { fresh.append(line) }
    }
}

/// The tally, shared by the demonstration's tasks.
final class DemoBoard: Sendable {
    private let tally = Mutex(DemoTally())

    func with<Result: Sendable>(_ body: (inout DemoTally) -> Result) -> Result {
        tally.withLock { body(&$0) }
    }
}

extension CallClass {
    init(_ result: AttemptResult) {
        self =
            switch result {
            case .started: .started
            case .notSent: .notSent
            case .refused: .refused
            case .rejected: .rejected
            case .unknown: .unknown
            }
    }
}
