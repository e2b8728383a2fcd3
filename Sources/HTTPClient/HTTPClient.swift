internal import NativeThread

/// Makes HTTP exchanges with libcurl, on one thread of its own, and proves of each whether it may have been sent.
///
/// HTTP/1.1 only; redirects are never followed; nothing is ever sent twice for one exchange. May be used from any task.
/// Where the last reference goes, connections and thread go too.
package final class HTTPClient: Sendable {
    private let thread: NativeThread
    private let mailbox: Mailbox

    /// - Throws: a fault that says what to do, where the system has no descriptor left or libcurl refuses a setting.
    package init(settings: HTTPClientSettings) throws(TransportFault) {
        let queue = try EventQueue()
        let mailbox = Mailbox(queue: queue)
        let loop = try CurlLoop(settings: settings, queue: queue, mailbox: mailbox)
        self.mailbox = mailbox
        thread = NativeThread(name: "http-client")
        thread.startTurns(turn: { loop.turn() }, wake: { queue.wake() })
    }

    /// Makes one exchange and returns its one result, at the deadline at the latest.
    ///
    /// Cancelling the task ends the exchange as `notSent` while nothing was sent; from then on cancelling changes
    /// nothing, and the exchange runs to its answer or deadline: what was sent cannot be taken back.
    package func perform(_ exchange: HTTPExchange) async -> ExchangeResult {
        if let fault = exchange.fault() { return .notSent(fault) }
        let begun = ContinuousClock.now
        let id = mailbox.nextID()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                mailbox.begin(Submission(id: id, exchange: exchange, begun: begun, continuation: continuation))
            }
        } onCancel: {
            mailbox.cancel(id)
        }
    }

    /// Closes every kept connection; those in use close when their exchange ends. For an answer that belonged to
    /// somebody else.
    package func closeKeptConnections() {
        mailbox.closeKept()
    }

    /// How full the client was at the end of its last turn.
    package var occupancy: HTTPClientOccupancy { mailbox.occupancy }

    /// Refuses new exchanges, ends waiting ones as `notSent`, and returns when those under way have ended.
    package func close() async {
        await withCheckedContinuation { mailbox.close($0) }
    }
}

/// How much of a client's bounds is in use, for metrics.
package struct HTTPClientOccupancy: Sendable, Equatable {
    /// Exchanges under way.
    package var active = 0
    /// Exchanges that wait for a connection.
    package var waiting = 0
    /// Open sockets, kept connections included.
    package var sockets = 0
}
