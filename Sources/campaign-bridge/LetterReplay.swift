internal import Bridge
internal import BridgeCore
internal import Configuration
internal import JSON
internal import Kafka
internal import Operations
internal import Records
internal import Telemetry
internal import Terminal
internal import TerminalText

/// `dead-letters replay` and `dead-letters resolve`: chooses, shows what would be done, asks, sends.
struct LetterReplay: Sendable {
    let command: ParsedCommand
    let settings: BridgeSettings

    init(_ command: ParsedCommand, _ settings: BridgeSettings) {
        self.command = command
        self.settings = settings
    }

    private var isResolving: Bool { command.path.last == "resolve" }
    private var isJSON: Bool { command.text("output") == OutputFormat.json.rawValue }
    private var isDry: Bool { !isResolving && command.flag("dry-run") }

    func run() async throws -> Int32 {
        let order = try order()
        var wanted: Set<LetterPlace> = []
        for text in command.texts("place") { wanted.insert(try LetterPlace.of(text)) }
        var filter = isResolving ? LetterFilter() : try LetterFilter(command, now: wallMilliseconds())
        if !isResolving, command.flag("open") { filter.states = try await Reading(settings: settings).letterStates() }
        if !isResolving { try checkChoice(wanted, filter) }
        if wanted.count > 1, case .started(.some)? = order.finding {
            throw UsageFault("--instance-id belongs to one dead letter; resolve the others one by one")
        }
        var choice = try await choose(wanted, filter, order)
        let (places, reasons) = choice.selection.finish()
        if choice.selection.isFull {
            throw UsageFault("more than a million dead letters match; narrow the filters, such as with --until")
        }
        let plan = ReplayPlan(
            places: places, reasons: reasons, skipped: choice.selection.skipped,
            missing: wanted.subtracting(choice.found).sorted(), byPlace: !wanted.isEmpty)
        for line in plan.preview(order) { Process.complain(line) }
        if places.isEmpty || isDry {
            var report = ReplayReport(isJSON: isJSON)
            if isDry { for place in places { try report.add(place, nil, .planned) } }
            try report.end(plan, complete: true)
            return places.isEmpty || plan.isPartial ? ExitCode.found.rawValue : ExitCode.fine.rawValue
        }
        if let code = confirm(plan, order) { return code }
        return try await ReplaySender(settings: settings, order: order, rate: rate, isJSON: isJSON).send(plan)
    }

    private var rate: Int { isResolving ? 10 : command.integer("rate") ?? 10 }

    private func order() throws(UsageFault) -> ReplayOrder {
        var order = ReplayOrder(
            operatorName: command.text("operator") ?? Process.userName, because: command.text("because") ?? "")
        for (name, text) in [("operator", order.operatorName), ("because", order.because)] {
            guard (1...ReplayOrder.maximumText).contains(text.utf8.count) else {
                throw UsageFault("--\(name) takes 1 to \(ReplayOrder.maximumText) bytes of text")
            }
        }
        guard isResolving else { return order }
        let instance = command.text("instance-id")
        if command.text("finding") == "started" {
            if let instance, !Identifier.isValid(instance) {
                throw UsageFault(
                    "--instance-id takes an id: 1 to \(Identifier.maximumLength) letters, digits, - or _")
            }
            order.finding = .started(instanceID: instance)
        } else {
            if instance != nil { throw UsageFault("--instance-id belongs to --finding started") }
            order.finding = .notStarted
        }
        return order
    }

    private func checkChoice(_ wanted: Set<LetterPlace>, _ filter: LetterFilter) throws(UsageFault) {
        let ways = [!wanted.isEmpty, !filter.isEmpty, command.flag("all")].filter { $0 }.count
        if ways == 0 { throw UsageFault("say which: places such as 3:1042, filters such as --reason, or --all") }
        if ways > 1 { throw UsageFault("places, filters and --all exclude each other") }
    }

    private struct Choice {
        var selection: ReplaySelection
        var found: Set<LetterPlace> = []
    }

    private func choose(
        _ wanted: Set<LetterPlace>, _ filter: LetterFilter, _ order: ReplayOrder
    ) async throws -> Choice {
        var choice = Choice(
            selection: ReplaySelection(order: order, sourceTopic: settings.topics.source, now: wallMilliseconds()))
        let reading = Reading(settings: settings)
        var ranges = try await reading.ranges(
            [settings.topics.deadLetters], since: wanted.isEmpty ? filter.since : nil)
        if !wanted.isEmpty { ranges = ScanRange.holding(wanted, in: ranges) }
        try await reading.each(ranges, "reading dead letters") { record in
            if wanted.isEmpty, let letter = filter.letter(in: record, decoder: settings.decoder) {
                return choice.selection.add(letter, isWanted: true)
            }
            guard var letter = DeadLetter(record) else { return }
            let isWanted = wanted.contains(letter.place)
            if isWanted {
                letter.readRequest(record, decoder: settings.decoder)
                choice.found.insert(letter.place)
            }
            choice.selection.add(letter, isWanted: isWanted)
        }
        return choice
    }

    /// The exit code where it must not be sent.
    private func confirm(_ plan: ReplayPlan, _ order: ReplayOrder) -> Int32? {
        guard !command.flag("yes") else { return nil }
        let count = plan.places.count
        let events = count == 1 ? "1 event" : "\(count) events"
        let question: String =
            if case .started? = order.finding {
                "This records \(events) as started; no call is made."
            } else {
                "This calls \(events) again: people will be called."
            }
        do throws(OutputError) {
            switch try Input.confirm(StyledText(question, .bold), word: "yes") {
            case .yes: return nil
            case .no:
                Process.complain("campaign-bridge dead-letters: nothing was sent")
                return ExitCode.found.rawValue
            case .noTerminal:
                Process.complain("campaign-bridge dead-letters: nobody can be asked here; --yes sends without asking")
                return ExitCode.usage.rawValue
            }
        } catch {
            return ExitCode.usage.rawValue
        }
    }
}

/// What is to be replayed, and what is not.
struct ReplayPlan: Sendable {
    var places: [LetterPlace]
    var reasons: [String: Int]
    var skipped: [ReplaySelection.Skip: Int]
    /// Asked for, and not there.
    var missing: [LetterPlace]
    var byPlace: Bool

    /// Whether something that was named is left out; what filters pass over is no fault.
    var isPartial: Bool { byPlace && (!missing.isEmpty || !skipped.isEmpty) }

    func preview(_ order: ReplayOrder) -> [String] {
        let what =
            switch order.finding {
            case nil: "to be replayed"
            case .notStarted?: "to be called again, found not started"
            case .started?: "to be recorded as started"
            }
        var lines = ["\(places.count) \(places.count == 1 ? "dead letter" : "dead letters") \(what)"]
        for (reason, count) in reasons.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            lines.append("  \(count)  \(VisibleText.of(reason))")
        }
        for skip in ReplaySelection.Skip.allCases {
            if let count = skipped[skip] { lines.append("not \(count) \(skip.text)") }
        }
        for place in missing.prefix(20) { lines.append("there is no dead letter at \(place)") }
        if missing.count > 20 { lines.append("nor at \(missing.count - 20) other places") }
        return lines
    }
}

extension ScanRange {
    /// The parts of ranges between the first and the last of some places.
    static func holding(_ places: Set<LetterPlace>, in ranges: [ScanRange]) -> [ScanRange] {
        ranges.compactMap { range in
            let offsets = places.filter { $0.partition == range.partition.partition }.map(\.offset)
            guard let first = offsets.min(), let last = offsets.max() else { return nil }
            let (from, end) = (max(first, range.from), min(last + 1, range.end))
            return from < end ? ScanRange(range.partition, from: from, end: end) : nil
        }
    }
}
