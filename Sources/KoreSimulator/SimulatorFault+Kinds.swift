internal import JSON

/// The faults that have a name; the names are those of the faults file.
extension SimulatorFault {
    /// An answer with this status. Without a body it has the documented error's.
    package static func status(
        _ status: Int, body: String? = nil, headers: [(name: String, value: String)] = [], act: Bool = false
    ) -> SimulatorFault {
        let text = body ?? String(decoding: PlatformAnswer.error(status, "Something went wrong").body, as: UTF8.self)
        return SimulatorFault(kind: "status", act: act, answer: .reply(status: status, headers: headers, body: text))
    }

    /// A gateway's HTML page.
    package static func htmlError(_ status: Int = 502, act: Bool = false) -> SimulatorFault {
        SimulatorFault(
            kind: "html-error", act: act,
            answer: .reply(
                status: status, headers: [(name: "Content-Type", value: "text/html; charset=utf-8")],
                body: "<html><head><title>\(status)</title></head><body><h1>\(status)</h1><hr>gateway</body></html>\r\n"
            ))
    }

    /// 503 from the platform itself, with its own JSON error.
    package static func unavailable(act: Bool = false) -> SimulatorFault {
        var fault = status(503, act: act)
        fault.kind = "unavailable"
        return fault
    }

    /// 503 from a gateway, as HTML with `Retry-After`: the platform may have had the call.
    package static func gatewayUnavailable(retryAfter: String? = "1", act: Bool = true) -> SimulatorFault {
        var fault = htmlError(503, act: act)
        fault.kind = "gateway-unavailable"
        if case .reply(let status, var headers, let body) = fault.answer, let retryAfter {
            headers.append((name: "Retry-After", value: retryAfter))
            fault.answer = .reply(status: status, headers: headers, body: body)
        }
        return fault
    }

    /// 429 with the documented message.
    package static func rateLimited(retryAfter: String? = nil) -> SimulatorFault {
        let body = PlatformAnswer.error(429, Platform.rateLimitMessage).body
        let headers = retryAfter.map { [(name: "Retry-After", value: $0)] } ?? []
        return SimulatorFault(
            kind: "rate-limited", act: false,
            answer: .reply(status: 429, headers: headers, body: String(decoding: body, as: UTF8.self)))
    }

    /// A redirect.
    package static func redirect(_ status: Int = 307, location: String = "/elsewhere", act: Bool = false)
        -> SimulatorFault
    {
        SimulatorFault(
            kind: "redirect", act: act,
            answer: .reply(status: status, headers: [(name: "Location", value: location)], body: ""))
    }

    /// 202, 204 or another status without a body.
    package static func empty(_ status: Int = 204, act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "empty", act: act, answer: .reply(status: status, headers: [], body: ""))
    }

    /// The connection is reset in place of an answer; with `act` the platform has done what was asked.
    package static func reset(act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "reset", act: act, answer: .cut(.reset))
    }

    /// The connection is closed in place of an answer.
    package static func close(act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "close", act: act, answer: .cut(.close))
    }

    /// No answer until the client gives up.
    package static func stall(act: Bool = true, atMost: Duration = .seconds(3600)) -> SimulatorFault {
        SimulatorFault(kind: "stall", act: act, answer: .cut(.hold(atMost: atMost)))
    }

    /// The connection is reset when the head has arrived.
    package static var resetBeforeReading: SimulatorFault {
        SimulatorFault(kind: "reset-before-reading", act: false, answer: .cutBeforeReading(.reset))
    }

    /// The connection is closed when the head has arrived.
    package static var closeBeforeReading: SimulatorFault {
        SimulatorFault(kind: "close-before-reading", act: false, answer: .cutBeforeReading(.close))
    }

    /// The true answer, cut after so many bytes of its body.
    package static func truncated(bytes: Int = 10, act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "truncated", act: act, answer: .truncated(bytes: bytes))
    }

    /// The true answer, a few bytes at a time.
    package static func slow(bytes: Int = 10, pause: Duration = .milliseconds(100), act: Bool = true) -> SimulatorFault
    {
        SimulatorFault(kind: "slow", act: act, answer: .slow(bytes: bytes, pause: pause))
    }

    /// Bytes that are not HTTP.
    package static func garbage(act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "garbage", act: act, answer: .raw("\u{1}\u{2}\u{3} this is not HTTP\r\n\r\n", end: .close))
    }

    /// These bytes; see `Answer` for the places that are filled in.
    package static func raw(_ text: String, end: End = .close, act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "raw", act: act, answer: .raw(text, end: end))
    }

    /// The true answer under another content type.
    package static func contentType(_ type: String = "text/html", act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "content-type", act: act, answer: .contentType(type))
    }

    /// The well-formed state of another campaign that runs, in answer to a read.
    package static func wrongData(act: Bool = true) -> SimulatorFault {
        let entry = #""id":"cd-0000000-another","_id":"cd-0000000-another","status":"Active","name":"another""#
        let body = """
            {"status":"success","data":{\(entry),"results":[{\(entry),"updatedAt":"{updatedAt}",\
            "campaignInstanceUpdatedAt":"{updatedAt}"}],"hasMore":false,"totalPages":1,"totalResults":1}}
            """
        return SimulatorFault(kind: "wrong-data", act: act, answer: .reply(status: 200, headers: [], body: body))
    }

    /// Interim answers before the true one.
    package static func interim(_ codes: [Int] = [103], act: Bool = true) -> SimulatorFault {
        SimulatorFault(kind: "interim", act: act, answer: .interim(codes))
    }

    /// The true answer, late: the platform looks at the call after `before`, and answers after `after` more.
    package static func delay(before: Duration = .zero, after: Duration = .zero) -> SimulatorFault {
        SimulatorFault(kind: "delay", act: true, delayBefore: before, delayAfter: after, answer: .normal)
    }

    /// The fault of that name with its defaults; nil where there is none.
    static func named(_ kind: String) -> SimulatorFault? {
        switch kind {
        case "status": status(500)
        case "html-error": htmlError()
        case "unavailable": unavailable()
        case "gateway-unavailable": gatewayUnavailable()
        case "rate-limited": rateLimited()
        case "redirect": redirect()
        case "empty": empty()
        case "reset": reset()
        case "close": close()
        case "stall": stall()
        case "reset-before-reading": resetBeforeReading
        case "close-before-reading": closeBeforeReading
        case "truncated": truncated()
        case "slow": slow()
        case "garbage": garbage()
        case "raw": raw("")
        case "content-type": contentType()
        case "wrong-data": wrongData()
        case "interim": interim()
        case "delay": delay()
        default: nil
        }
    }

    /// All names, in the order of the documents.
    package static let kinds = [
        "status", "html-error", "unavailable", "gateway-unavailable", "rate-limited", "redirect", "empty", "reset",
        "close",
        "stall", "reset-before-reading", "close-before-reading", "truncated", "slow", "garbage", "raw", "content-type",
        "wrong-data", "interim", "delay",
    ]
}
