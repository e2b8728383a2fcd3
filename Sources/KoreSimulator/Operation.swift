internal import HTTPServer

/// Which call of the campaign API a request is, by its method, path and query.
struct Operation: Sendable {
    enum Kind: String { case start, stop, status, contacts, get, list, unknown }

    var kind: Kind
    var stream = ""
    var campaign = ""
    /// From the query; for calls that have it only in the header, from there.
    var account = ""
    var sms = false
    /// Why it is refused although its path is one of the API's.
    var refusal: (status: Int, message: String)?

    init(_ request: HTTPRequest) {
        kind = .unknown
        account = request.queryValue("accountId") ?? request.headers["accountId"] ?? ""
        let path = request.segments
        // ["api", "v2", "public", stream, ...], behind the prefixes that reads and older versions have.
        guard let api = path.firstIndex(of: "api"), api <= 1,
            api == 0 || ["campaign", "agentassist"].contains(path[0]), path.count > api + 4,
            ["v1", "v2"].contains(path[api + 1]), path[api + 2] == "public", path[api + 4] == "campaign"
        else { return }
        stream = path[api + 3]
        let rest = Array(path[(api + 5)...])
        switch (request.method, rest.count) {
        case ("POST", 1) where rest[0] == "getAllCampaignDetails":
            kind = .list
        case ("POST", 2) where rest[0] == "trigger" && api == 0,
            // The SMS stop has a double slash, as printed in the documents.
            ("POST", 3) where rest[0].isEmpty && rest[1] == "trigger" && api == 1:
            campaign = rest[rest.count - 1]
            trigger(request)
        case ("POST", 1) where api == 1 && request.queryValue("trigger") != nil:
            campaign = rest[0]
            trigger(request)
        case ("POST", 2) where rest[1] == "status" && api == 1:
            campaign = rest[0]
            switch request.queryValue("view") {
            case "status": kind = .status
            case "contacts": kind = .contacts
            default:
                kind = .status
                refusal = (400, "view must be status or contacts")
            }
        case ("GET", 1) where api == 1:
            campaign = rest[0]
            kind = .get
        default: return
        }
        if kind != .list, !Self.isCampaign(campaign) { refusal = refusal ?? (400, "campaignId is not valid") }
    }

    private mutating func trigger(_ request: HTTPRequest) {
        kind = .start
        switch request.queryValue("trigger") {
        case "play": break
        case "stop": kind = .stop
        default: refusal = (400, "trigger must be play or stop")
        }
        switch request.queryValue("campaignType") {
        case "voice": break
        case "sms": sms = true
        default: refusal = refusal ?? (400, "campaignType must be voice or sms")
        }
    }

    /// `cd-` and then letters, digits and dashes: the documents' own samples differ in the rest.
    static func isCampaign(_ id: String) -> Bool {
        id.utf8.starts(with: "cd-".utf8) && (4...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: true
                default: false
                }
            }
    }

    /// What the headers lack, in the way that the documents ask for them; nil where nothing.
    func headerFault(_ request: HTTPRequest) -> String? {
        if (request.headers["iid"] ?? "").isEmpty { return "iid header is missing" }
        let account = request.headers["accountId"] ?? ""
        if account.isEmpty { return "accountId header is missing" }
        if let asked = request.queryValue("accountId"), asked != account {
            return "accountId of header and query differ"
        }
        if request.queryValue("accountId") == nil, request.segments.first == "api" { return "accountId is missing" }
        let type = (request.headers["Content-Type"] ?? "").lowercased()
        if request.method == "POST", !type.hasPrefix("application/json") {
            return "Content-Type must be application/json"
        }
        return nil
    }
}
