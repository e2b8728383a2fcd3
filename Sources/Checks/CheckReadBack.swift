internal import Bridge
package import BridgeCore
package import Configuration

// What `check` says of read-backs. Pure.

extension CheckConnections {
    /// - Parameter reading: of which campaign, and what it came to; nil: no campaign is known that could be read.
    package static func readBackLine(
        _ connection: Configuration.ConnectionSettings, _ reading: (campaign: String, report: StatusReport)?
    ) -> CheckLine {
        let name = "read-back \(connection.name)"
        let key = "connections.\(connection.name)"
        guard let (campaign, report) = reading else {
            return CheckLine(
                .skipped, name,
                "no campaign is known whose status could be read: the stream has none, or \(key).streams names none")
        }
        switch report.result {
        case .seen(let state) where state.marker == nil:
            return CheckLine(
                .warning, name, "the list shows no campaignInstanceUpdatedAt for \(campaign): no doubt can be decided",
                advice: "set \(key).readBack: false; it costs requests and decides nothing")
        case .seen:
            return CheckLine(
                .fine, name,
                "status and execution marker of \(campaign) can be read, with \(report.requests) requests of the rate")
        case .unusable("list_too_long"):
            let entries = connection.listPages * connection.listPageSize
            return CheckLine(
                .warning, name, "\(campaign) is not among the first \(entries) campaigns of its status",
                advice: "raise \(key).listPages or listPageSize: what is not found leaves an outcome unknown")
        case .unusable(let cause):
            return CheckLine(
                .warning, name, "the answers say nothing usable of \(campaign): \(cause)",
                advice: "check \(key).readPath; until then no doubt can be decided")
        case .noAnswer(let cause):
            return CheckLine(
                .warning, name, "the status of \(campaign) could not be read: \(cause)",
                advice: report.isThrottled
                    ? "check again later; if it stays so, others spend the account's rate"
                    : "check again; the list of campaigns was answered a moment before")
        }
    }

    /// The lease of a doubt rests on this: a token that has expired is not taken.
    package static func expiredLine(
        _ connection: Configuration.ConnectionSettings, _ result: ExpiredToken
    ) -> CheckLine {
        let name = "tokens \(connection.name)"
        switch result {
        case .refused:
            return CheckLine(.fine, name, "a read with a token that has expired is refused")
        case .taken:
            let consequence = connection.readBack ? ", and no read-back can show that it did not" : ""
            return CheckLine(
                .warning, name,
                "a read with a token that has expired is still answered: a late request of a doubtful call could "
                    + "start it" + consequence,
                advice: "raise connections.\(connection.name).doubtGrace, and tell the API's operator")
        case .unseen(let cause):
            return CheckLine(.skipped, name, "whether an expired token is refused could not be seen: \(cause)")
        }
    }
}
