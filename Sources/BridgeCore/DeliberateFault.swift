/// Ways to break a rule on purpose, so that the simulation can show that it would notice.
///
/// They exist in a build with `-DDELIBERATE_FAULTS` only. In every other build `isBroken` is a constant `false` that the
/// compiler removes with what hangs on it.
package enum DeliberateFault: String, CaseIterable, Sendable {
    // L1
    case assignmentRenewed, lostPartitionIsKept
    // L2
    case fenceOnlyWhenMoved, offsetsNotSent
    // L3
    case lateAnswerDropped, lateAnswerFitsAnyAttempt, doubtDecidedBeforeMark
    // L4
    case finishedIsDoneAgain, deadLetterIsDoneAgain
    // L5
    case unknownCommitIsAborted, unknownCommitIsCommitted, answersForgotten, tailOfUnknownCommitForgotten
    // L6
    case ownIntentIsInDoubt, everyOwnIntentIsCalled
    // L7
    case tokenIsRenewed, freshTokenWithoutIntent
    // L8
    case ageIsIgnored, expiryIsCheckedOnceOnly
    // L9
    case replayOfAnyGeneration, findingNotNeeded, findingIgnored, findingAgainstLateAnswer
    // L10
    case repeatsGoBesideTheirLeader, conflictIsSuppressed
    // Intake
    case movedByPlace, moverUnknownCommitIsAborted, moverForgetsAborted, moverWatermarkTooEarly, moverAsksTooEarly,
        moverTrustsCommits
    // Read-back and guards
    case readBackBeforeLease, coolDownForgotten
    // P7
    case heldIntentIsCalled, leaseIsIgnored, confirmedBeforeRead, orderHasNoEnd
    // The promises themselves.
    case callBeforeCommit, leaseIsNotWaitedFor, unknownIsTriedAgain, ledgerReadToFirstEnd, ledgerReadToStableEnd,
        throttledIsRejected, watermarkTooEarly, callBeforeSighting
    case oneAccountStopsAll, budgetIsNotShared, nothingIsSettled
}

extension ReplicaMachine {
    #if DELIBERATE_FAULTS
        func isBroken(_ fault: DeliberateFault) -> Bool { settings.deliberateFault == fault }
    #else
        @inline(__always)
        func isBroken(_ fault: DeliberateFault) -> Bool { false }
    #endif
}

extension IntakeMachine {
    #if DELIBERATE_FAULTS
        func isBroken(_ fault: DeliberateFault) -> Bool { settings.deliberateFault == fault }
    #else
        @inline(__always)
        func isBroken(_ fault: DeliberateFault) -> Bool { false }
    #endif
}
