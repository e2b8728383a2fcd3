internal import HTTPServer
internal import JSON

/// The endpoints under `/simulator`, by which tests and people look into the simulator and change it. They are not part of
/// the platform: no token, no rate, no fault, no journal.
enum AdminAPI {
    static func respond(to request: HTTPRequest, handling: Handling) -> HTTPReply {
        guard handling.platform.withLock({ $0.settings.admin }) else {
            return .now(.text("The simulator's own endpoints are switched off.\n", status: 404))
        }
        return router(handling).respond(to: request)
    }

    private static let help = """
        The Kore.ai campaign API, simulated.
        GET    /simulator/counts                     what was counted
        GET    /simulator/journal?after=0&limit=1000 what was done with each call (campaign= for one campaign)
        GET    /simulator/faults                     the fault rules; PUT replaces them, DELETE removes them
        PUT    /simulator/settings                   changes those settings that are named
        GET    /simulator/campaigns                  the campaigns; PUT /simulator/campaigns/{id} {"status": "Paused"}
        GET    /simulator/token?lifetime=60&jti=...  a token of the first app that has a shared secret
        POST   /simulator/down?milliseconds=5000     refuses connections for so long
        POST   /simulator/reset                      forgets campaigns, tokens, rates, counts and journal

        """

    private static func router(_ handling: Handling) -> Router {
        var router = Router()
        router.reply("GET", "/simulator") { _ in .now(.text(help)) }
        router.reply("GET", "/simulator/counts") { _ in .now(json(handling.platform.withLock { $0.counts.json })) }
        router.reply("GET", "/simulator/journal") { request in .now(journal(request, handling)) }
        router.reply("GET", "/simulator/faults") { _ in .now(faults(handling)) }
        router.reply("PUT", "/simulator/faults") { request in
            attempt { () throws(SimulatorError) in
                let rules = try FaultRule.list(json: request.body)
                handling.platform.withLock { $0.setFaults(rules) }
                return faults(handling)
            }
        }
        router.reply("DELETE", "/simulator/faults") { _ in
            handling.platform.withLock { $0.setFaults([]) }
            return .now(faults(handling))
        }
        router.reply("PUT", "/simulator/settings") { request in
            attempt { () throws(SimulatorError) in
                let old = handling.platform.withLock { $0.settings }
                let new = try SimulatorSettings(json: request.body, over: old)
                handling.platform.withLock {
                    $0.settings = new; $0.setFaults(new.faults)
                }
                return .text("done\n")
            }
        }
        router.reply("GET", "/simulator/campaigns") { _ in .now(campaigns(handling)) }
        router.reply("PUT", "/simulator/campaigns/{id}") { request in
            attempt { () throws(SimulatorError) in
                var fields = try JSONFields(try parseSettings(request.body), at: "$")
                guard let status = try fields.string("status") else { throw SimulatorError("$.status is missing") }
                try fields.finish()
                let now = handling.platformTime
                let done = handling.platform.withLock { $0.setStatus(request.parameters["id"] ?? "", status, now: now) }
                return done ? .text("done\n") : .text("there is no such campaign yet\n", status: 404)
            }
        }
        router.reply("GET", "/simulator/token") { request in .now(token(request, handling)) }
        router.reply("POST", "/simulator/down") { request in
            guard let text = request.queryValue("milliseconds"), let value = Int64(text),
                (0...3_600_000).contains(value)
            else { return .now(.text("milliseconds must be a number from 0 to 3600000\n", status: 400)) }
            // Going down cuts every connection: this one has its answer first.
            var response = HTTPResponse.text("down\n", status: 202)
            response.ended = { _ in handling.requestDown(.milliseconds(value)) }
            return .now(response)
        }
        router.reply("POST", "/simulator/reset") { _ in
            let now = handling.platformTime
            handling.platform.withLock { $0.reset(now: now) }
            return .now(.text("done\n"))
        }
        return router
    }

    private static func json(_ bytes: [UInt8]) -> HTTPResponse {
        HTTPResponse(headers: ["Content-Type": "application/json"], body: bytes)
    }

    private static func attempt(_ body: () throws(SimulatorError) -> HTTPResponse) -> HTTPReply {
        do throws(SimulatorError) {
            return .now(try body())
        } catch {
            return .now(.text(error.message + "\n", status: 400))
        }
    }

    private static func journal(_ request: HTTPRequest, _ handling: Handling) -> HTTPResponse {
        let after = request.queryValue("after").flatMap { Int($0) } ?? 0
        let limit = request.queryValue("limit").flatMap { Int($0) } ?? 1000
        let campaign = request.queryValue("campaign")
        guard after >= 0, limit >= 1 else { return .text("after and limit must be positive numbers\n", status: 400) }
        let (entries, failure) = handling.platform.withLock { platform in
            (platform.journal.entries(after: after), platform.journal.failure)
        }
        let page = entries.filter { campaign == nil || $0.campaign == campaign }.prefix(limit)
        var writer = JSONWriter(capacity: 512 * (page.count + 1))
        writer.object { w in
            w.key("entries")
            w.array { w in for entry in page { w.raw(entry.json) } }
            w.member("next", page.last?.sequence ?? after)
            w.member("failure", failure.map { .string($0) } ?? .null)
        }
        return json(writer.bytes)
    }

    private static func faults(_ handling: Handling) -> HTTPResponse {
        var writer = JSONWriter()
        let rules = handling.platform.withLock { $0.plan.all }
        writer.array { w in for rule in rules { rule.write(to: &w) } }
        return json(writer.bytes)
    }

    private static func campaigns(_ handling: Handling) -> HTTPResponse {
        let now = handling.platformTime
        let all = handling.platform.withLock { $0.campaigns(now: now) }
        var writer = JSONWriter()
        writer.array { w in
            for campaign in all {
                w.object { w in
                    w.member("campaignId", campaign.id)
                    w.member("streamId", campaign.stream)
                    w.member("accountId", campaign.account)
                    w.member("status", campaign.status)
                    w.member("starts", campaign.starts)
                    w.member("campaignInstanceId", campaign.instance.map { .string($0) } ?? .null)
                }
            }
        }
        return json(writer.bytes)
    }

    private static func token(_ request: HTTPRequest, _ handling: Handling) -> HTTPResponse {
        let apps = handling.platform.withLock { $0.settings.apps }
        guard let app = apps.first(where: { $0.algorithm == .hs256 || $0.algorithm == .hs512 }) else {
            return .text("no app has a shared secret\n", status: 404)
        }
        guard let lifetime = Int64(request.queryValue("lifetime") ?? "60"), (1...86_400_000).contains(lifetime) else {
            return .text("lifetime must be a number of seconds\n", status: 400)
        }
        let now = handling.platformTime / 1000
        return .text(
            SimulatorToken.make(
                app: app, now: now, lifetime: .seconds(lifetime), tokenId: request.queryValue("jti")))
    }
}
