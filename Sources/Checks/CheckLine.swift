/// One thing that `check` has looked at.
package struct CheckLine: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        case fine = "ok"
        /// The bridge runs, and a promise is weaker or something will surprise.
        case warning = "warn"
        /// The bridge does not run, or breaks a promise.
        case failed = "fail"
        /// Not looked at; the text says why.
        case skipped = "skip"
    }

    package var state: State
    /// What was looked at, such as `broker` or `topic campaign-start-ledger`.
    package var name: String
    /// What was found; holds no secret.
    package var text: String
    /// What to do; nil where nothing is to be done.
    package var advice: String?
    /// Whether something could not be reached, as against being wrong.
    package var isUnreachable = false

    package init(
        _ state: State, _ name: String, _ text: String, advice: String? = nil, isUnreachable: Bool = false
    ) {
        self.state = state
        self.name = name
        self.text = text
        self.advice = advice
        self.isUnreachable = isUnreachable
    }
}
