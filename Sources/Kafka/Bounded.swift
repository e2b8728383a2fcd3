internal import Synchronization

/// Runs an operation that may be stuck inside the native library, and returns its result, or `late` once `deadline` has
/// passed. The caller's cancellation does not reach the operation.
///
/// The operation is an unstructured task on purpose: a task group would wait for a thread that never comes back. A late
/// result is dropped, so the operation itself must know when its work is not wanted any more.
func bounded<T: Sendable>(
    by deadline: Duration, late: @escaping @Sendable () -> T, _ operation: @escaping @Sendable () async -> T
) async -> T {
    let answer = Answer<T>()
    Task { answer.give(await operation()) }
    let timer = Task {
        do {
            try await Task.sleep(for: deadline)
        } catch {
            // Cancelled: the operation was in time.
            return
        }
        answer.give(orElse: late)
    }
    defer { timer.cancel() }
    return await answer.value()
}

/// A value that is given once, by whoever is first, and awaited once.
private final class Answer<T: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<T, Never>)
        case given(T)
        case done
    }

    private let state = Mutex(State.open)

    func give(_ value: T) { give(orElse: { value }) }

    func give(orElse value: () -> T) {
        let waiting: (CheckedContinuation<T, Never>, T)? = state.withLock { state in
            switch state {
            case .open:
                state = .given(value())
                return nil
            case .awaited(let continuation):
                state = .done
                return (continuation, value())
            case .given, .done: return nil
            }
        }
        waiting?.0.resume(returning: waiting!.1)
    }

    func value() async -> T {
        await withCheckedContinuation { continuation in
            let given: T? = state.withLock { state in
                switch state {
                case .open:
                    state = .awaited(continuation)
                    return nil
                case .given(let value):
                    state = .done
                    return value
                case .awaited, .done: preconditionFailure("an answer is awaited twice")
                }
            }
            if let given { continuation.resume(returning: given) }
        }
    }
}

extension Duration {
    /// Whole milliseconds for C, at least 0 and at most what an `Int32` holds.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        if seconds >= Int64(Int32.max) / 1000 { return .max }
        return Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
