internal import CCurl
internal import Glibc
internal import Synchronization

/// epoll with an eventfd that any thread may use to end a wait.
///
/// `wait`, `watch` and `forget` belong to the loop's thread; `wake` to everybody.
final class EventQueue: Sendable {
    struct Event {
        var descriptor: Int32
        var canRead: Bool
        var canWrite: Bool
        var hasFailed: Bool
    }

    private let epoll: Int32
    private let wakeDescriptor: Int32
    /// Whether the eventfd has been written and not yet read: many wakes before a wait cost one system call.
    private let wakePending = Atomic(false)

    init() throws(TransportFault) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw EventQueue.exhausted(errno) }
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard wakeDescriptor >= 0 else {
            let code = errno
            Glibc.close(epoll)
            throw EventQueue.exhausted(code)
        }
        watch(wakeDescriptor, read: true, write: false)
    }

    deinit {
        Glibc.close(wakeDescriptor)
        Glibc.close(epoll)
    }

    private static func exhausted(_ code: Int32) -> TransportFault {
        TransportFault(
            .internalError, "the system gives no event descriptor (error \(code)); raise the limit of open files")
    }

    /// Makes the wait under way, or else the next one, return at once.
    func wake() {
        guard !wakePending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        // A full counter is a wake too; nothing else can fail on an open eventfd.
        _ = write(wakeDescriptor, &one, 8)
    }

    func watch(_ descriptor: Int32, read: Bool, write: Bool) {
        var event = epoll_event()
        event.events = (read ? EPOLLIN.rawValue : 0) | (write ? EPOLLOUT.rawValue : 0)
        event.data.fd = descriptor
        // Whether epoll still knows the descriptor depends on who closed it last; both answers are normal.
        if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0, errno == EEXIST {
            epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
        }
    }

    /// A descriptor that has been closed is forgotten by the system itself.
    func forget(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Waits for events, a wake or the time to pass. Milliseconds; negative: without end. Returns whether there may be more
    /// events at once.
    func wait(milliseconds: Int32, _ body: (Event) -> Void) -> Bool {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 256) { events in
            guard let first = events.baseAddress else { return false }
            let count = epoll_wait(epoll, first, 256, milliseconds)
            guard count > 0 else { return false }
            for event in events[..<Int(count)] {
                let descriptor = event.data.fd
                if descriptor == wakeDescriptor {
                    var value: UInt64 = 0
                    _ = read(wakeDescriptor, &value, 8)
                    // After the read, so that a wake in between is not lost: what it announces is taken next anyway.
                    wakePending.store(false, ordering: .sequentiallyConsistent)
                    continue
                }
                let flags = event.events
                body(
                    Event(
                        descriptor: descriptor,
                        canRead: flags & EPOLLIN.rawValue != 0,
                        canWrite: flags & EPOLLOUT.rawValue != 0,
                        hasFailed: flags & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0))
            }
            return count == 256
        }
    }
}
