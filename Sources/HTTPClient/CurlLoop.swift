internal import CCurl
internal import Glibc

/// libcurl's multi handle, turned by epoll.
///
/// Unchecked: everything here is touched by the turns of one thread only, and by `deinit`, which comes when that
/// thread's last turn has ended.
final class CurlLoop: @unchecked Sendable {
    private let multi: UnsafeMutableRawPointer
    private let settings: HTTPClientSettings
    private let queue: EventQueue
    private let mailbox: Mailbox
    private let clock = ContinuousClock()
    private var sockets = SocketTable()
    /// When libcurl wants to be called without an event.
    private var timer: ContinuousClock.Instant?
    private var idle: [EasyHandle] = []
    private var active: [UInt64: EasyHandle] = [:]
    /// None of them ends before it.
    private var earliestDeadline: ContinuousClock.Instant?
    private var waiting: WaitingLine
    private var closers: [CheckedContinuation<Void, Never>] = []
    private var finished: [(CheckedContinuation<ExchangeResult, Never>, ExchangeResult)] = []
    private var mayHaveStaleSockets = false
    private var occupancy = HTTPClientOccupancy()
    private var hasBegun = false

    private static let globalInit = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    init(settings: HTTPClientSettings, queue: EventQueue, mailbox: Mailbox) throws(TransportFault) {
        guard CurlLoop.globalInit == CURLE_OK, let multi = curl_multi_init() else {
            throw TransportFault(.internalError, "libcurl cannot be initialised; memory may be short")
        }
        self.multi = multi
        self.settings = settings
        self.queue = queue
        self.mailbox = mailbox
        waiting = WaitingLine(maximum: settings.maximumWaiting)
        let context = Unmanaged.passUnretained(self).toOpaque()
        guard
            bridge_multi_set_socket(multi, socketChanged) == CURLM_OK,
            bridge_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context) == CURLM_OK,
            bridge_multi_set_timer(multi, timerChanged) == CURLM_OK,
            bridge_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context) == CURLM_OK,
            bridge_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING)) == CURLM_OK,
            bridge_multi_set_long(multi, CURLMOPT_MAXCONNECTS, settings.maximumConnections) == CURLM_OK
        else {
            throw TransportFault(.internalError, "libcurl refuses an option of its multi handle")
        }
        // One handle at once: a setting that libcurl cannot take is told at start, not at the first call.
        idle.append(try EasyHandle(loop: self, settings: settings))
    }

    deinit {
        // No exchange can be under way: each holds its client. Handles first, then the connections they left behind.
        idle.removeAll()
        active.removeAll()
        curl_multi_cleanup(multi)
    }

    /// One turn: takes commands, waits, lets libcurl work, gives results away.
    func turn() {
        if !hasBegun { blockBrokenPipe() }
        for command in mailbox.takeAll() { take(command) }
        startWaiting()
        work(milliseconds: waitTime())
        let now = clock.now
        if let due = timer, due <= now {
            // Before the call, which may set it anew.
            timer = nil
            drive(-1, 0)
        }
        collect()
        endLate(now)
        for transfer in waiting.takeExpired(now) {
            finish(transfer, TransportFault(.overloaded, "no connection became free within the deadline"))
        }
        startWaiting()
        deliver()
    }

    /// Waits, and hands what the sockets have to libcurl. Returns whether there may be more.
    @discardableResult
    private func work(milliseconds: Int32) -> Bool {
        queue.wait(milliseconds: milliseconds) { event in
            let flags =
                (event.canRead ? CURL_CSELECT_IN : 0) | (event.canWrite ? CURL_CSELECT_OUT : 0)
                | (event.hasFailed ? CURL_CSELECT_ERR : 0)
            drive(event.descriptor, flags)
        }
    }

    /// Ends exchanges whose deadline has passed. First comes what has arrived for them: a process that stood still past it
    /// need not lose answers that were there in time.
    private func endLate(_ now: ContinuousClock.Instant) {
        guard let earliest = earliestDeadline, earliest <= now else { return }
        var passes = 0
        while work(milliseconds: 0), passes < 16 { passes += 1 }
        collect()
        var next: ContinuousClock.Instant?
        for (id, handle) in active {
            guard let transfer = handle.transfer else { continue }
            if transfer.deadline <= now {
                let fault = handle.fault(CURLE_OPERATION_TIMEDOUT)
                release(handle, id)
                finish(transfer, fault)
            } else {
                next = min(next ?? transfer.deadline, transfer.deadline)
            }
        }
        earliestDeadline = next
    }

    private func take(_ command: LoopCommand) {
        switch command {
        case .begin(let submission):
            let transfer = Transfer(submission, maximumInterimHeads: settings.maximumInterimHeads)
            guard closers.isEmpty else {
                return finish(transfer, TransportFault(.clientClosed, "the client has been closed"))
            }
            guard waiting.append(transfer) else {
                return finish(transfer, TransportFault(.overloaded, "too many exchanges wait for a connection"))
            }
        case .cancel(let id):
            let fault = TransportFault(.cancelled, "the call was cancelled before anything was sent")
            if let transfer = waiting.remove(id) {
                finish(transfer, fault)
            } else if let handle = active[id], let transfer = handle.transfer, transfer.sendCount == 0 {
                release(handle, id)
                finish(transfer, fault)
            }
        case .closeKept:
            sockets.refuseAllOpen()
            for handle in active.values { handle.forbidReuse() }
        case .close(let continuation):
            closers.append(continuation)
            for transfer in waiting.takeAll() {
                finish(transfer, TransportFault(.clientClosed, "the client has been closed"))
            }
        }
    }

    private func startWaiting() {
        while active.count < settings.maximumConnections, let transfer = waiting.next() {
            start(transfer)
        }
    }

    private func start(_ transfer: Transfer) {
        let remaining = clock.now.duration(to: transfer.deadline)
        guard remaining > .zero else {
            return finish(transfer, TransportFault(.overloaded, "no connection became free within the deadline"))
        }
        do throws(TransportFault) {
            let handle: EasyHandle
            if let free = idle.popLast() {
                handle = free
            } else {
                handle = try EasyHandle(loop: self, settings: settings)
            }
            try start(transfer, on: handle, remaining: remaining)
            active[transfer.id] = handle
            earliestDeadline = min(earliestDeadline ?? transfer.deadline, transfer.deadline)
        } catch {
            finish(transfer, error)
        }
    }

    private func start(_ transfer: Transfer, on handle: EasyHandle, remaining: Duration) throws(TransportFault) {
        do throws(TransportFault) {
            try handle.begin(transfer, remaining: remaining)
            let code = curl_multi_add_handle(multi, handle.easy)
            guard code == CURLM_OK else {
                throw TransportFault(.internalError, "libcurl takes no exchange (\(code.rawValue))")
            }
        } catch {
            handle.end()
            idle.append(handle)
            throw error
        }
    }

    private func drive(_ descriptor: Int32, _ flags: Int32) {
        var running: Int32 = 0
        // Its errors tell of misuse of the handle; each transfer's own error comes with its message.
        let code = curl_multi_socket_action(multi, descriptor, flags, &running)
        precondition(code == CURLM_OK || code == CURLM_BAD_SOCKET, "libcurl's loop was misused (\(code.rawValue))")
    }

    /// Takes finished transfers out of libcurl. Never called from a callback.
    private func collect() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let code = bridge_message_result(message)
            var context: UnsafeMutableRawPointer?
            guard bridge_easy_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &context) == CURLE_OK,
                let context
            else { preconditionFailure("a transfer of libcurl has no owner") }
            let handle = Unmanaged<EasyHandle>.fromOpaque(context).takeUnretainedValue()
            guard let transfer = handle.transfer else { preconditionFailure("a transfer of libcurl has no exchange") }
            let fault = code == CURLE_OK ? nil : handle.fault(code)
            release(handle, transfer.id)
            finished.append((transfer.continuation, transfer.result(fault: fault)))
        }
    }

    private func release(_ handle: EasyHandle, _ id: UInt64) {
        if handle.transfer?.sendCount == 0 { mayHaveStaleSockets = true }
        curl_multi_remove_handle(multi, handle.easy)
        handle.end()
        active[id] = nil
        idle.append(handle)
    }

    private func finish(_ transfer: Transfer, _ fault: TransportFault) {
        finished.append((transfer.continuation, transfer.result(fault: fault)))
    }

    private func deliver() {
        if mayHaveStaleSockets {
            mayHaveStaleSockets = false
            sockets.prune()
        }
        let now = HTTPClientOccupancy(active: active.count, waiting: waiting.count, sockets: sockets.count)
        if now != occupancy {
            occupancy = now
            mailbox.occupancy = now
        }
        let results = finished
        finished.removeAll(keepingCapacity: true)
        for (continuation, result) in results { continuation.resume(returning: result) }
        guard !closers.isEmpty, active.isEmpty, waiting.isEmpty else { return }
        let done = closers
        closers = []
        for continuation in done { continuation.resume() }
    }

    private func waitTime() -> Int32 {
        if !finished.isEmpty || (!closers.isEmpty && active.isEmpty) { return 0 }
        let next = [timer, waiting.earliestDeadline, earliestDeadline].compactMap { $0 }.min()
        guard let next else { return -1 }
        let (seconds, attoseconds) = clock.now.duration(to: next).components
        if seconds < 0 || attoseconds < 0 { return 0 }
        // Rounded up, so that the time has passed when the wait ends.
        return Int32(min(seconds, 3600)) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// With NOSIGNAL libcurl leaves SIGPIPE to us; it is directed at the thread that writes.
    private func blockBrokenPipe() {
        hasBegun = true
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    // Called by libcurl, inside a turn.

    func opened(_ descriptor: Int32) { sockets.opened(descriptor) }

    func closed(_ descriptor: Int32) { sockets.closed(descriptor) }

    func isClean(localPort: UInt16) -> Bool { sockets.isClean(localPort: localPort) }

    fileprivate func watch(_ descriptor: Int32, _ what: Int32) {
        if what == CURL_POLL_REMOVE {
            queue.forget(descriptor)
        } else {
            queue.watch(
                descriptor, read: what == CURL_POLL_IN || what == CURL_POLL_INOUT,
                write: what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        }
    }

    fileprivate func arm(_ milliseconds: Int) {
        timer = milliseconds < 0 ? nil : clock.now + .milliseconds(milliseconds)
    }
}

private func socketChanged(
    _ easy: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t, _ what: Int32, _ context: UnsafeMutableRawPointer?,
    _ socketContext: UnsafeMutableRawPointer?
) -> Int32 {
    if let context { Unmanaged<CurlLoop>.fromOpaque(context).takeUnretainedValue().watch(descriptor, what) }
    return 0
}

private func timerChanged(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    if let context { Unmanaged<CurlLoop>.fromOpaque(context).takeUnretainedValue().arm(milliseconds) }
    return 0
}
