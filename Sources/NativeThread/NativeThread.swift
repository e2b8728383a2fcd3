#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A thread of its own that is an actor's executor and, between the actor's jobs, turns a native library's loop.
///
/// The thread alternates between all jobs that wait and one call of `turn`, which blocks until the native library has
/// done something or `wake` was called. So C callbacks that arrive during a turn run on the actor's own thread and may
/// enter the actor with `assumeIsolated`.
///
/// A job must be short and must not block: while it runs, the native loop stands still. The thread ends when the last
/// reference to this object is gone.
package final class NativeThread: SerialExecutor {
    private let core: Core

    /// Starts the thread. Jobs run at once; native turns begin with `startTurns`.
    ///
    /// - Parameter name: the thread's name as `top -H` and debuggers show it; Linux keeps the first 15 bytes.
    package init(name: String) {
        core = Core(name: name)
        core.start()
    }

    deinit {
        core.end()
    }

    /// Begins to turn the native loop between jobs.
    ///
    /// - Parameters:
    ///   - turn: blocks until the native library did something or `wake` was called; runs on this thread only.
    ///   - wake: makes the turn under way, or else the next one, return at once; may be called from any thread.
    package func startTurns(turn: @escaping @Sendable () -> Void, wake: @escaping @Sendable () -> Void) {
        core.setTurns(Turns(turn: turn, wake: wake))
    }

    /// Ends the native turns, before the native object is destroyed. Jobs run on. Call it from a job of this thread:
    /// then no turn is under way and none follows.
    package func stopTurns() {
        core.setTurns(nil)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        core.add(UnownedJob(job), executor: asUnownedSerialExecutor())
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    package func checkIsolated() {
        precondition(core.isCurrent, "code of a native thread's actor runs on another thread")
    }

    #if compiler(>=6.2)
        package func isIsolatingCurrentContext() -> Bool? {
            core.isCurrent
        }
    #endif
}

private struct Turns: Sendable {
    var turn: @Sendable () -> Void
    var wake: @Sendable () -> Void
}

/// What the thread itself holds, so that it does not keep its executor alive.
///
/// Unchecked: every stored property below `mutex` is read and written only while `mutex` is held.
private final class Core: @unchecked Sendable {
    private struct Job {
        var job: UnownedJob
        var executor: UnownedSerialExecutor
    }

    private let name: String
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [Job] = []
    private var turns: Turns?
    private var ended = false
    private var thread: pthread_t?

    init(name: String) {
        self.name = name
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        precondition(pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, nil) == 0)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    private func locked<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    var isCurrent: Bool {
        locked { thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        let box = Unmanaged.passRetained(self)
        #if canImport(Darwin)
            var created: pthread_t?
        #else
            var created = pthread_t()
        #endif
        let status = pthread_create(&created, &attributes, threadMain, box.toOpaque())
        precondition(status == 0, "the system has no thread left for \(name) (error \(status))")
    }

    func add(_ job: UnownedJob, executor: UnownedSerialExecutor) {
        let wake = locked {
            jobs.append(Job(job: job, executor: executor))
            pthread_cond_signal(condition)
            return turns?.wake
        }
        wake?()
    }

    func setTurns(_ new: Turns?) {
        locked {
            turns = new
            pthread_cond_signal(condition)
        }
    }

    func end() {
        let wake = locked {
            ended = true
            pthread_cond_signal(condition)
            return turns?.wake
        }
        wake?()
    }

    func run() {
        locked { thread = pthread_self() }
        nameThread()
        while let due = nextJobs() {
            for job in due {
                job.job.runSynchronously(on: job.executor)
            }
            // Asked anew after the jobs: one of them may have ended the native object.
            locked { turns?.turn }?()
        }
    }

    /// Names the calling thread. A name is a help for people with a debugger: that it cannot be set changes nothing.
    private func nameThread() {
        #if canImport(Darwin)
            pthread_setname_np(name)
        #else
            // Glibc shows pthread_setname_np to C only under _GNU_SOURCE.
            guard let file = fopen("/proc/thread-self/comm", "w") else { return }
            fputs(name, file)
            fclose(file)
        #endif
    }

    /// The jobs that wait, or none where the native loop shall turn; nil at the thread's end. Blocks while there is
    /// neither a job nor a native loop.
    private func nextJobs() -> [Job]? {
        locked {
            while jobs.isEmpty && turns == nil && !ended {
                pthread_cond_wait(condition, mutex)
            }
            if ended && jobs.isEmpty { return nil }
            let due = jobs
            jobs.removeAll(keepingCapacity: true)
            return due
        }
    }
}

#if canImport(Darwin)
    private func threadMain(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<Core>.fromOpaque(argument).takeRetainedValue().run()
        return nil
    }
#else
    private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let argument { Unmanaged<Core>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
    }
#endif
