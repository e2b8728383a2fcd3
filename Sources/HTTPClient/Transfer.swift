internal import CCurl

/// One exchange in the loop's hands: what has been sent and what has come.
final class Transfer {
    let id: UInt64
    let exchange: HTTPExchange
    let continuation: CheckedContinuation<ExchangeResult, Never>
    let deadline: ContinuousClock.Instant
    var head: HeadReader
    var body: [UInt8] = []
    /// How often libcurl was about to write the request: 0 proves that nothing was sent. Never above 1.
    private(set) var sendCount = 0
    /// The reason, where one of our own callbacks ended the exchange.
    private(set) var ownFault: TransportFault?

    init(_ submission: Submission, maximumInterimHeads: Int) {
        id = submission.id
        exchange = submission.exchange
        continuation = submission.continuation
        deadline = submission.begun + submission.exchange.deadline
        head = HeadReader(
            maximumBytes: submission.exchange.maximumHeadBytes, maximumInterim: maximumInterimHeads)
    }

    /// Called right before libcurl writes the request. False: it must not.
    func maySend(connectionIsClean: () -> Bool) -> Bool {
        if sendCount > 0 {
            ownFault = TransportFault(
                .resent, "the connection ended without an answer; the request was not sent a second time")
            return false
        }
        if exchange.reuse && !connectionIsClean() {
            ownFault = TransportFault(
                .staleConnection, "a kept connection had been closed or held bytes that nobody asked for")
            return false
        }
        guard exchange.maySend() else {
            ownFault = TransportFault(.tooLate, "the time to begin it had passed when its connection was ready")
            return false
        }
        sendCount = 1
        return true
    }

    /// False: the exchange is given up.
    func takeHead(_ line: UnsafeRawBufferPointer) -> Bool {
        ownFault = head.take(line)
        return ownFault == nil
    }

    /// False: the exchange is given up.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.count > exchange.maximumBodyBytes - body.count {
            ownFault = TransportFault(
                .bodyTooLarge, "the answer's body is longer than \(exchange.maximumBodyBytes) bytes")
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    /// The result, from libcurl's end of the transfer. Only the counter decides between the two ways to fail.
    func result(fault: TransportFault?) -> ExchangeResult {
        guard let fault = ownFault ?? fault else {
            guard let status = head.finalStatus else {
                return .maybeSent(TransportFault(.protocolError, "the answer ended before a final head"), status: nil)
            }
            return .answer(HTTPAnswer(status: status, fields: head.fields, body: body))
        }
        return sendCount == 0 ? .notSent(fault) : .maybeSent(fault, status: head.finalStatus)
    }
}
