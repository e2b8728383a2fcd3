import Synchronization
import Testing

@testable import NativeThread

private actor Counter {
    nonisolated let thread: NativeThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private(set) var value = 0

    init(thread: NativeThread) { self.thread = thread }

    func increment() { value += 1 }
    func stopTurns() { thread.stopTurns() }
    nonisolated func incrementFromTheThread() { assumeIsolated { $0.value += 1 } }
}

/// A native loop in miniature: a turn blocks until somebody wakes it.
private final class Bell: Sendable {
    private let state = Mutex((rung: false, turns: 0))
    func ring() { state.withLock { $0.rung = true } }
    var turns: Int { state.withLock { $0.turns } }
    func turn() {
        while !state.withLock({ state in
            defer { state.rung = false }
            if state.rung { state.turns += 1 }
            return state.rung
        }) {}
    }
}

@Suite struct NativeThreadTests {
    @Test("jobs run before turns begin, between turns, and after they ended", .timeLimit(.minutes(5)))
    func jobs() async {
        let counter = Counter(thread: NativeThread(name: "test"))
        await counter.increment()
        let bell = Bell()
        counter.thread.startTurns(turn: { bell.turn() }, wake: { bell.ring() })
        for _ in 0..<1000 { await counter.increment() }
        await counter.stopTurns()
        let turns = bell.turns
        await counter.increment()
        #expect(await counter.value == 1002)
        #expect(bell.turns == turns)
    }

    @Test("a callback inside a turn enters the actor", .timeLimit(.minutes(5)))
    func callback() async {
        let counter = Counter(thread: NativeThread(name: "test"))
        let bell = Bell()
        let (turned, turn) = AsyncStream<Void>.makeStream()
        counter.thread.startTurns(
            turn: {
                counter.incrementFromTheThread()
                turn.finish()
                bell.turn()
            },
            wake: { bell.ring() })
        for await _ in turned {}
        #expect(await counter.value > 0)
        await counter.stopTurns()
    }

    @Test("the thread ends with its last reference", .timeLimit(.minutes(5)))
    func ends() async {
        for _ in 0..<200 {
            let counter = Counter(thread: NativeThread(name: "short"))
            await counter.increment()
        }
    }
}
