internal import JSON

extension SimulatorSettings {
    /// Settings from JSON, over the defaults or over others. Names: those of the properties, with the unit behind a
    /// duration (`runSeconds`, `readDelayMilliseconds`); unknown ones are refused.
    package init(json bytes: [UInt8], over base: SimulatorSettings = SimulatorSettings()) throws(SimulatorError) {
        self = base
        var f = try JSONFields(try parseSettings(bytes), at: "$")
        server.host = try f.string("host") ?? server.host
        server.port = UInt16(try f.int("port", 0...65535) ?? Int(server.port))
        server.threads = try f.int("threads", 1...256) ?? server.threads
        server.connectionLimit = try f.int("connectionLimit", 1...1_000_000) ?? server.connectionLimit
        server.certificateFile = try f.string("certificateFile") ?? server.certificateFile
        server.keyFile = try f.string("keyFile") ?? server.keyFile
        checkTokens = try f.bool("checkTokens") ?? checkTokens
        apps = try f.list("apps") { v, place throws(SimulatorError) in try Self.app(v, place) } ?? apps
        requireTokenId = try f.bool("requireTokenId") ?? requireTokenId
        tokenLeeway = try f.seconds("tokenLeewaySeconds") ?? tokenLeeway
        clockOffset = try f.seconds("clockOffsetSeconds") ?? clockOffset
        ratePerMinute = try f.int("ratePerMinute", 0...1_000_000) ?? ratePerMinute
        rateLimitStatus = try f.int("rateLimitStatus", 200...999) ?? rateLimitStatus
        if let value = f.value("retryAfter") { retryAfter = try Self.retryAfter(value) }
        if let value = f.value("latency") { latency = try Self.latency(value) }
        runDuration = try f.seconds("runSeconds") ?? runDuration
        readDelay = try f.milliseconds("readDelayMilliseconds") ?? readDelay
        markerDelay = try f.milliseconds("markerDelayMilliseconds") ?? markerDelay
        statusStays = try f.bool("statusStays") ?? statusStays
        markerStays = try f.bool("markerStays") ?? markerStays
        if let value = f.value("onActive") { onActive = try Self.onActive(value) }
        activeLimit = try f.int("activeLimit", 0...1_000_000) ?? activeLimit
        campaigns =
            try f.list("campaigns") { v, place throws(SimulatorError) in try Self.campaign(v, place) } ?? campaigns
        createCampaigns = try f.bool("createCampaigns") ?? createCampaigns
        faults = try f.list("faults") { v, place throws(SimulatorError) in try FaultRule(v, at: place) } ?? faults
        journalFile = try f.string("journalFile") ?? journalFile
        journalLimit = try f.int("journalLimit", 1...Int.max) ?? journalLimit
        admin = try f.bool("admin") ?? admin
        seed = UInt64(try f.int("seed", 0...Int.max) ?? Int(truncatingIfNeeded: seed & 0x7FFF_FFFF_FFFF_FFFF))
        try f.finish()
    }

    private static func app(_ value: JSONValue, _ place: String) throws(SimulatorError) -> SimulatorApp {
        var f = try JSONFields(value, at: place)
        guard let clientId = try f.string("clientId"), let key = try f.string("key") else {
            throw SimulatorError("\(place) needs clientId and key")
        }
        let name = try f.string("algorithm") ?? "HS256"
        guard let algorithm = SimulatorApp.Algorithm(rawValue: name) else {
            throw SimulatorError("\(place).algorithm must be HS256, HS512, RS256 or RS512")
        }
        if algorithm == .rs256 || algorithm == .rs512, !PublicKeys.isKey(key) {
            throw SimulatorError("\(place).key must be a public key in PEM form")
        }
        let account = try f.string("accountId")
        try f.finish()
        return SimulatorApp(clientId: clientId, key: key, algorithm: algorithm, accountId: account)
    }

    private static func campaign(_ value: JSONValue, _ place: String) throws(SimulatorError) -> SimulatorCampaign {
        var f = try JSONFields(value, at: place)
        guard let id = try f.string("campaignId"), let stream = try f.string("streamId"),
            let account = try f.string("accountId")
        else { throw SimulatorError("\(place) needs campaignId, streamId and accountId") }
        let status = try f.string("status") ?? "Ready"
        let name = try f.string("name") ?? "campaign"
        try f.finish()
        return SimulatorCampaign(campaignId: id, streamId: stream, accountId: account, status: status, name: name)
    }

    private static func retryAfter(_ value: JSONValue) throws(SimulatorError) -> RetryAfter {
        switch value.string {
        case "none"?: return .none
        case "seconds"?: return .seconds
        case "date"?: return .date
        default:
            guard let text = value["text"]?.string else {
                throw SimulatorError("$.retryAfter must be \"none\", \"seconds\", \"date\" or {\"text\": ...}")
            }
            return .text(text)
        }
    }

    private static func onActive(_ value: JSONValue) throws(SimulatorError) -> OnActive {
        if value.string == "startAnother" { return .startAnother }
        var f = try JSONFields(value, at: "$.onActive")
        let result = OnActive.refuse(
            status: try f.int("status", 200...999) ?? 400,
            message: try f.string("message") ?? "Campaign is already active")
        try f.finish()
        return result
    }

    private static func latency(_ value: JSONValue) throws(SimulatorError) -> SimulatorLatency {
        if value.string == "none" { return .none }
        var f = try JSONFields(value, at: "$.latency")
        let fixed = try f.milliseconds("fixedMilliseconds")
        let uniform = f.value("uniformMilliseconds")?.array?.compactMap(\.double)
        let points = f.value("percentileMilliseconds")?.object
        try f.finish()
        func duration(_ milliseconds: Double) -> Duration {
            .microseconds(Int64(max(0, min(1e10, milliseconds)) * 1000))
        }
        if let fixed { return .fixed(fixed) }
        if let uniform, uniform.count == 2, uniform[0] <= uniform[1] {
            return .uniform(duration(uniform[0]), duration(uniform[1]))
        }
        let read = (points ?? []).compactMap { point -> (percentile: Double, latency: Duration)? in
            guard let percentile = Double(point.name), let value = point.value.double else { return nil }
            return (percentile, duration(value))
        }
        guard let points, !points.isEmpty, read.count == points.count else {
            throw SimulatorError(
                "$.latency must be \"none\", {\"fixedMilliseconds\": 5}, {\"uniformMilliseconds\": [5, 50]} or "
                    + "{\"percentileMilliseconds\": {\"50\": 20, \"99\": 900}}")
        }
        return .percentiles(read.sorted { $0.percentile < $1.percentile })
    }
}
