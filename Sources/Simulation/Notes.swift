internal import BridgeCore

extension Process {
    /// What the core says that it did: for the story, and to know that each rule came up.
    func take(_ note: Note) {
        switch note {
        case .suppressed: world.count(.ruleL10Suppressed)
        case .alreadyFinished: world.count(.ruleL4AlreadyFinished)
        case .released(let event, let cause, let delay):
            world.count(.retried)
            world.story("\(self) has released \(name(event)): \(cause), again in \(delay) ms")
        case .inDoubt(let event, let cause, _):
            world.count(.doubt)
            world.story("\(self) is in doubt of \(name(event)): \(cause)")
        case .finished(let event, let outcome, _):
            finished(event, outcome)
        case .lateAnswer(let event):
            world.count(.ruleL3Used)
            world.story("\(self) learns of \(name(event)) by a late answer")
        case .undone(let event):
            world.count(.undoneWritten)
            world.story("\(self) writes again what the broker has lost of \(name(event))")
        case .writeRefused(let event, _): world.story("\(self) cannot write what is due for \(name(event))")
        case .accountPaused: world.count(.accountPaused)
        case .circuitOpened: world.count(.circuitOpened)
        case .partition(let partition, .blocked(let text)):
            world.count(.ruleL11Blocked)
            world.story("\(self) does not take \(partition): \(text)")
        case .partition(let partition, let news): world.story("\(self), partition \(partition): \(news)")
        case .clockOff: world.count(.clockOff)
        case .clockRight: world.count(.clockRight)
        case .readBack(let event, let decision):
            world.story("\(self) has read the campaign of \(name(event)) back: \(decision)")
            switch decision {
            case .started: world.count(.readBackStarted)
            case .notStarted: world.count(.readBackNotStarted)
            case .undecided: world.count(.readBackUndecided)
            case .unknown: world.count(.readBackUnknown)
            }
        case .admitted, .intentCommitted, .callEnded, .circuitClosed: break
        }
    }

    private func name(_ event: EventNote) -> String { world.judge.name(event.requestID) }

    private func finished(_ event: EventNote, _ outcome: Outcome) {
        switch outcome {
        case .started(let answer, let evidence):
            world.count(.outcomeStarted)
            if evidence == .operator { world.count(.ruleL9ByFinding) }
            let place = [Int64(event.partition), event.offset]
            if evidence != .operator, case .success(let content)? = world.judge.record(at: place)?.event.content {
                published[content.scope] = world.judge.started[event.requestID]?.last?.at
            }
            world.story("\(self) has published \(name(event)) as started, \(answer.instanceID ?? "-")")
        case .deadLetter(let reason, _, _):
            world.count(.outcomeDeadLetter)
            switch reason {
            case .outcomeUnknown: world.count(.doubtDecided)
            case .expired: world.count(.ruleL8Expired)
            case .identityConflict: world.count(.ruleL10Conflict)
            case .coolDown: world.count(.cooledDown)
            case .replayRefused: world.count(.ruleL9Refused)
            default: break
            }
            world.story("\(self) has published \(name(event)) as a dead letter: \(reason)")
        }
    }
}
