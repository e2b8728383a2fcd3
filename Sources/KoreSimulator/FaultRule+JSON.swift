internal import JSON

extension FaultRule {
    /// Rules from a faults file: a list of rules, or an object with the list as `faults`.
    package static func list(json bytes: [UInt8]) throws(SimulatorError) -> [FaultRule] {
        let value = try parseSettings(bytes)
        var fields = try JSONFields(value.array == nil ? value : .object([JSONMember("faults", value)]), at: "$")
        let rules = try fields.list("faults") { v, place throws(SimulatorError) in try FaultRule(v, at: place) }
        try fields.finish()
        guard let rules else { throw SimulatorError("$.faults must be a list of rules") }
        return rules
    }

    init(_ value: JSONValue, at place: String) throws(SimulatorError) {
        var fields = try JSONFields(value, at: place)
        guard let fault = fields.value("fault") else { throw SimulatorError("\(place).fault is missing") }
        self.init(fault: try SimulatorFault(fault, at: fields.path("fault")))
        name = try fields.string("name") ?? ""
        operations = try fields.strings("operations") ?? []
        for operation in operations where Operation.Kind(rawValue: operation) == nil {
            throw SimulatorError(
                "\(place).operations has \"\(operation)\": known are start, stop, status, contacts, get, list")
        }
        campaign = try fields.string("campaign") ?? "*"
        stream = try fields.string("stream") ?? "*"
        account = try fields.string("account") ?? "*"
        skip = try fields.int("skip", 0...Int.max) ?? 0
        count = try fields.int("count", 0...Int.max)
        total = try fields.int("total", 0...Int.max)
        probability = try fields.number("probability", 0...1) ?? 1
        try fields.finish()
    }

    /// The rule as `list(json:)` reads it.
    func write(to w: inout JSONWriter) {
        w.object { w in
            if !name.isEmpty { w.member("name", name) }
            if !operations.isEmpty { w.member("operations", .array(operations.map { .string($0) })) }
            w.member("campaign", campaign)
            w.member("stream", stream)
            w.member("account", account)
            w.member("skip", skip)
            if let count { w.member("count", count) }
            if let total { w.member("total", total) }
            w.key("probability")
            w.double(probability)
            w.key("fault")
            fault.write(to: &w)
        }
    }
}

extension SimulatorFault {
    /// The named fault's defaults, and over them what the object says.
    init(_ value: JSONValue, at place: String) throws(SimulatorError) {
        var fields = try JSONFields(value, at: place)
        let kind = try fields.string("kind") ?? ""
        guard var fault = SimulatorFault.named(kind) else {
            throw SimulatorError("\(place).kind must be one of \(SimulatorFault.kinds.joined(separator: ", "))")
        }
        fault.act = try fields.bool("act") ?? fault.act
        fault.delayBefore = try fields.milliseconds("delayBeforeMilliseconds") ?? .zero
        fault.delayAfter = try fields.milliseconds("delayAfterMilliseconds") ?? .zero
        switch fault.answer {
        case .normal: break
        case .reply(var status, var headers, var body):
            let given = try fields.int("status", 0...99999)
            if let given, given != status {
                switch kind {
                case "status": fault.answer = SimulatorFault.status(given).answer
                case "html-error", "gateway-unavailable": fault.answer = SimulatorFault.htmlError(given).answer
                default: fault.answer = .reply(status: given, headers: headers, body: body)
                }
                if case .reply(let s, let h, let b) = fault.answer { (status, headers, body) = (s, h, b) }
            }
            if let object = fields.value("headers") {
                guard let members = object.object, members.allSatisfy({ $0.value.string != nil }) else {
                    throw SimulatorError("\(place).headers must be an object of strings")
                }
                headers = members.map { (name: $0.name, value: $0.value.string ?? "") }
            }
            for (member, field) in [
                ("contentType", "Content-Type"), ("retryAfter", "Retry-After"), ("location", "Location"),
            ] {
                guard let text = try fields.string(member) else { continue }
                headers.removeAll { $0.name == field }
                headers.append((name: field, value: text))
            }
            if let text = try fields.string("body") { body = text }
            fault.answer = .reply(status: status, headers: headers, body: body)
        case .contentType(let type):
            fault.answer = .contentType(try fields.string("contentType") ?? type)
        case .raw(let text, let end):
            fault.answer = .raw(try fields.string("text") ?? text, end: try Self.end(&fields, end, at: place))
        case .interim(let codes):
            let given = try fields.list("codes") { v, place throws(SimulatorError) in
                guard let code = v.int64, (100...199).contains(code) else {
                    throw SimulatorError("\(place) must be a status from 100 to 199")
                }
                return Int(code)
            }
            fault.answer = .interim(given ?? codes)
        case .truncated(let bytes):
            fault.answer = .truncated(bytes: try fields.int("bytes", 0...Int.max) ?? bytes)
        case .slow(let bytes, let pause):
            fault.answer = .slow(
                bytes: try fields.int("bytes", 1...Int.max) ?? bytes,
                pause: try fields.milliseconds("pauseMilliseconds") ?? pause)
        case .cut(.hold(let limit)):
            fault.answer = .cut(.hold(atMost: try fields.milliseconds("atMostMilliseconds") ?? limit))
        case .cut, .cutBeforeReading: break
        }
        try fields.finish()
        self = fault
    }

    private static func end(_ fields: inout JSONFields, _ standard: End, at place: String) throws(SimulatorError) -> End
    {
        let limit = try fields.milliseconds("atMostMilliseconds") ?? .seconds(3600)
        switch try fields.string("end") {
        case nil: return standard
        case "close"?: return .close
        case "reset"?: return .reset
        case "hold"?: return .hold(atMost: limit)
        default: throw SimulatorError("\(place).end must be close, reset or hold")
        }
    }

    fileprivate func write(to w: inout JSONWriter) {
        w.object { w in
            w.member("kind", kind)
            w.member("act", act)
            if delayBefore > .zero { w.member("delayBeforeMilliseconds", delayBefore.inMilliseconds) }
            if delayAfter > .zero { w.member("delayAfterMilliseconds", delayAfter.inMilliseconds) }
            switch answer {
            case .normal, .cutBeforeReading: break
            case .reply(let status, let headers, let body):
                w.member("status", status)
                w.key("headers")
                w.object { w in for (name, value) in headers { w.member(name, value) } }
                w.member("body", body)
            case .contentType(let type): w.member("contentType", type)
            case .raw(let text, let end):
                w.member("text", text)
                switch end {
                case .close: w.member("end", "close")
                case .reset: w.member("end", "reset")
                case .hold(let limit):
                    w.member("end", "hold")
                    w.member("atMostMilliseconds", limit.inMilliseconds)
                }
            case .interim(let codes): w.member("codes", .array(codes.map { .integer($0) }))
            case .truncated(let bytes): w.member("bytes", bytes)
            case .slow(let bytes, let pause):
                w.member("bytes", bytes)
                w.member("pauseMilliseconds", pause.inMilliseconds)
            case .cut(.hold(let limit)): w.member("atMostMilliseconds", limit.inMilliseconds)
            case .cut: break
            }
        }
    }
}
