internal import HTTPServer

extension SimulatorFault {
    /// The status that the client is meant to see; nil where it sees none.
    func status(of answer: PlatformAnswer) -> Int? {
        switch self.answer {
        case .reply(let status, _, _): status
        case .raw, .cut, .cutBeforeReading: nil
        case .normal, .contentType, .interim, .truncated, .slow: answer.status == 0 ? 503 : answer.status
        }
    }

    /// The answer with the fault applied.
    func response(_ decided: Decided) -> HTTPResponse {
        // A call that did not get through has no true answer: a gateway's stands in for it, with the same clock.
        var standIn = PlatformAnswer.error(503, "Service Unavailable")
        standIn.date = decided.answer.date
        var truth = decided.answer.status == 0 ? standIn.response : decided.answer.response
        let body: [UInt8] = if case .bytes(let bytes) = truth.body { bytes } else { [] }
        func fill(_ text: String) -> [UInt8] { Array(decided.fill(text, answer: body).utf8) }
        switch answer {
        case .normal:
            return truth
        case .reply(let status, let headers, let text):
            // The library sends no interim status as an answer: those go as raw bytes.
            guard (200...999).contains(status) else {
                let head = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
                let bytes = fill(text)
                truth.wire = WireScript(
                    [
                        .send(
                            Array("HTTP/1.1 \(status) Fault\r\n\(head)Content-Length: \(bytes.count)\r\n\r\n".utf8)
                                + bytes)
                    ],
                    end: .close)
                return truth
            }
            var fields = headers
            if !fields.contains(where: { HTTPHeaders.same($0.name, "Content-Type") }), !text.isEmpty {
                fields.append((name: "Content-Type", value: "application/json; charset=utf-8"))
            }
            if let date = truth.headers["Date"] { fields.append((name: "Date", value: date)) }
            return HTTPResponse(status: status, headers: HTTPHeaders(fields), body: fill(text))
        case .contentType(let type):
            truth.headers["Content-Type"] = type
            return truth
        case .raw(let text, let end):
            truth.wire = WireScript([.send(fill(text))], end: end.wire)
            return truth
        case .interim(let codes):
            let heads = codes.map { code in
                WireScript.Step.send(Array("HTTP/1.1 \(code) Interim\r\nX-Interim: \(code)\r\n\r\n".utf8))
            }
            truth.wire = WireScript(heads, end: .answer)
            return truth
        case .truncated(let count):
            truth.body = .truncated(Array(body.prefix(max(0, count))), announced: max(body.count, count + 1))
            return truth
        case .slow(let size, let pause):
            var slow = HTTPResponse.stream(status: truth.status, headers: truth.headers, bufferLimit: 1) { writer in
                do {
                    for start in stride(from: 0, to: body.count, by: max(1, size)) {
                        try await writer.write(Array(body[start..<min(body.count, start + max(1, size))]))
                        try await Task.sleep(for: pause)
                    }
                } catch {
                    // The client has gone or the server stops: nobody waits for the rest.
                    return
                }
            }
            slow.wire = truth.wire
            return slow
        case .cut(let end), .cutBeforeReading(let end):
            truth.wire = WireScript(end: end.wire)
            return truth
        }
    }
}

extension SimulatorFault.End {
    fileprivate var wire: WireScript.End {
        switch self {
        case .close: .close
        case .reset: .reset
        case .hold(let limit): .hold(atMost: limit)
        }
    }
}

extension Decided {
    /// Fills the places in a fault's text.
    fileprivate func fill(_ text: String, answer: [UInt8]) -> String {
        guard text.utf8.contains(UInt8(ascii: "{")) else { return text }
        var out = ""
        var rest = text[...]
        let values = [
            "{campaignId}": campaign, "{streamId}": stream, "{instanceId}": instance, "{updatedAt}": updatedAt,
            "{answer}": String(decoding: answer, as: UTF8.self), "{answerLength}": String(answer.count),
        ]
        while let brace = rest.firstIndex(of: "{") {
            out += rest[..<brace]
            rest = rest[brace...]
            if let (name, value) = values.first(where: { rest.hasPrefix($0.key) }) {
                out += value
                rest = rest.dropFirst(name.count)
            } else {
                out.append("{")
                rest = rest.dropFirst()
            }
        }
        return out + rest
    }
}
