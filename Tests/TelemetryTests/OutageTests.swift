import Synchronization
import Testing

@testable import Telemetry

@Suite("Outages in the log", .timeLimit(.minutes(5)))
struct OutageTests {
    @Test("An outage is told once, then counted in each interval, then over")
    func lasting() {
        var limiter = OutageLimiter<String>(interval: 1000)
        #expect(limiter.failed("broker", at: 0) == .began("broker"))
        #expect(limiter.failed("broker", at: 1) == nil)
        #expect(limiter.failed("broker", at: 999) == nil)
        #expect(limiter.failed("broker", at: 1000) == .lasts("broker", repeated: 3, milliseconds: 1000))
        #expect(limiter.failed("broker", at: 1500) == nil)
        #expect(limiter.recovered("broker", at: 1600) == .over("broker", failures: 5, milliseconds: 1600))
        #expect(limiter.recovered("broker", at: 1700) == nil)
    }

    @Test("Kinds are told apart, and what never failed does not recover")
    func kinds() {
        var limiter = OutageLimiter<String>(interval: 1000)
        #expect(limiter.failed("broker", at: 0) == .began("broker"))
        #expect(limiter.failed("api", at: 1) == .began("api"))
        #expect(limiter.recovered("disk", at: 2) == nil)
        #expect(limiter.recovered("broker", at: 3) == .over("broker", failures: 1, milliseconds: 3))
        #expect(limiter.failed("api", at: 4) == nil)
    }

    @Test("What fails and recovers ten times a second writes a few lines in a minute, and loses no count")
    func flapping() {
        var limiter = OutageLimiter<String>(interval: 60_000)
        var reports: [OutageLimiter<String>.Report] = []
        for time in stride(from: Int64(0), to: 600_000, by: 100) {
            if let report = limiter.failed("api", at: time) { reports.append(report) }
            if let report = limiter.recovered("api", at: time + 50) { reports.append(report) }
        }
        #expect(reports.count <= 30 && reports.count >= 10)
    }

    @Test("An outage that comes back within the interval and stays is told after it")
    func comesBack() {
        var limiter = OutageLimiter<String>(interval: 1000)
        #expect(limiter.failed("api", at: 0) == .began("api"))
        #expect(limiter.recovered("api", at: 10) == .over("api", failures: 1, milliseconds: 10))
        #expect(limiter.failed("api", at: 20) == nil)
        #expect(limiter.due(at: 1009) == [])
        #expect(limiter.due(at: 1010) == [.lasts("api", repeated: 1, milliseconds: 990)])
        #expect(limiter.recovered("api", at: 1100) == .over("api", failures: 1, milliseconds: 1080))
        #expect(limiter.failed("api", at: 2100) == .began("api"))
    }

    @Test("A timer tells the last count when failures stop without a recovery")
    func due() {
        var limiter = OutageLimiter<String>(interval: 1000)
        _ = limiter.failed("api", at: 0)
        _ = limiter.failed("api", at: 1)
        #expect(limiter.due(at: 999) == [])
        #expect(limiter.due(at: 1000) == [.lasts("api", repeated: 1, milliseconds: 1000)])
        #expect(limiter.due(at: 5000) == [])
    }

    @Test("More kinds than are kept push out ended ones, and else are counted together")
    func bounded() {
        var limiter = OutageLimiter<Int>(interval: 1000, mostKinds: 2)
        #expect(limiter.failed(1, at: 0) == .began(1))
        #expect(limiter.failed(2, at: 0) == .began(2))
        #expect(limiter.failed(3, at: 0) == .others(1))
        #expect(limiter.failed(3, at: 1) == nil)
        #expect(limiter.failed(4, at: 1000) == .others(2))
        #expect(limiter.recovered(2, at: 1001) == .over(2, failures: 1, milliseconds: 1001))
        #expect(limiter.failed(3, at: 1002) == .began(3))
        #expect(limiter.failed(1, at: 1003) == .lasts(1, repeated: 1, milliseconds: 1003))
        _ = limiter.failed(9, at: 1004)
        #expect(limiter.due(at: 2000).contains(.others(1)))
    }

    @Test("The log of an hour's outage has about one line a minute")
    func log() {
        let sink = MemoryLogSink()
        let time = Mutex(Int64(0))
        let output = LogOutput(
            formatter: LogFormatter(style: .text(colour: false), redactor: Redactor()), sink: sink, wallClock: { 0 })
        let log = OutageLog(logger: Logger(output: output), clock: { time.withLock { $0 } })
        for second in 0..<3600 {
            time.withLock { $0 = Int64(second) * 1000 }
            log.failed("broker", [.error: "refused"])
            log.writeDue()
        }
        log.recovered("broker")
        #expect(sink.lines.count == 61)
        #expect(
            sink.lines.first?.dropFirst(25)
                == "WARNING failing; repeated failures are counted outage=broker error=refused")
        #expect(
            sink.lines[1].dropFirst(25)
                == "WARNING still failing outage=broker repeated=60 outage_ms=60000 error=refused")
        #expect(
            sink.lines.last?.dropFirst(25)
                == "INFO    back after an outage outage=broker failures=3600 outage_ms=3599000")
    }
}
