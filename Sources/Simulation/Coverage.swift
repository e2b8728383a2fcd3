/// Kinds of events and rules that histories bring up. A run in which one never came up has not tried it, and fails.
package enum Happening: Int, CaseIterable, Sendable {
    // What the world did.
    case processStarted, crash, crashBetweenSteps, stopped, resumedAsZombie, terminated, drained
    case sessionExpired, cutFromGroup, rebalance, staticRejoin, revokeHeld, revokeOvertaken, revokeOvertakenByRevoke,
        revokeTimedOut
    case assignmentLost, partitionUnowned
    case transactionCommitted, transactionAborted, transactionTimedOut, transactionFenced, transactionTooLarge
    case produceFailed, offsetsFailed, offsetsHung, illegalGeneration, commitAnswerLostDone, commitAnswerLostUndone
    case producerInitialised, initAbortedOpen
    case pendingOffsetsWaited, endBeforeMark, ledgerCompacted, sourceRemoved, ledgerReaderStalled, offsetsLost,
        sourceMarker, sourceAborted
    case ledgerForgotten, markersLost, hungCommitted, hungUndone, undoneWritten, settled, settlingFailed
    case partitionsAdded, ledgerGrownLater, sourceMadeAnew, sourceFoundAnew, clockSet, budgetShared
    case campaignRead, readUnanswered, readThrottled, readUnusable, readBackStarted, readBackNotStarted,
        readBackUndecided,
        readBackUnknown, startedByHand, clockOff, clockRight, cooledDown
    case holdOfAll, holdOfAccount, holdOfStream, holdOfCampaign, holdConfirmed, holdByExpiredLease, holdResumed,
        confirmationWritten, confirmationFailed, confirmationDoubtful
    case replayed, replayedTwice, replayOfWrongGeneration, replayOfWrongNonce, replayWithoutFinding, replayOfForgotten,
        replayOfStarted, replayOfInvalid, replayOfConflict, replayOfRefused, replayOfExpired, replayOfRejected,
        replayOfUnknown, replayOfOmitted, findingTrue, findingFalse, findingAgainstLateAnswer
    case campaignStarted, answerLost, answerLate, tokenRefused, throttled, unavailable, foreignAnswer, doubtfulStarted
    case doubtfulNotStarted, rejectedByAPI, credentialsRefused, notSent, spoiledAnswer, apiOutage
    case recordMoved, repeatOnAnotherPartition, moverOwns, moverTakenOverAnew, moverSettled, moverPaused,
        intakeHeldUp, moverSourceBroken
    case lateWriteDelayed, lateWriteFailed, clockSkewed, partitionWithoutLedger
    // What the core was seen to do.
    case ruleL1Aborted, ruleL2Fence, ruleL3Written, ruleL3Used, ruleL4AlreadyFinished, ruleL5TakenOverAnew
    case ruleL5AnswerKept, ruleL6OwnIntentCalled, ruleL7NotBegun, ruleL7OrderTooLate, ruleL8Expired, ruleL10Suppressed
    case ruleL10Conflict, ruleL11Blocked, ruleL9TakenUp, ruleL9Refused, ruleL9ByFinding
    case doubt, doubtDecided, outcomeStarted, outcomeDeadLetter, retried, circuitOpened, accountPaused, paused
    case invalidRecord, watermarkBehindMarker
}

/// How often each kind came up.
package struct Coverage: Sendable {
    package private(set) var counts = [Int](repeating: 0, count: Happening.allCases.count)

    package init() {}

    package subscript(kind: Happening) -> Int { counts[kind.rawValue] }

    package mutating func count(_ kind: Happening) { counts[kind.rawValue] += 1 }

    package mutating func add(_ other: Coverage) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// Kinds that never came up.
    package var missing: [Happening] { Happening.allCases.filter { self[$0] == 0 } }
}
