internal import BridgeCore
internal import Records

// People who read the results and answer them: two of them, who do not know of each other, and who may be wrong.

extension World {
    /// What has become visible to read_committed consumers since the last time.
    func operatorsLook() {
        while operatorsReadTo < results.stable {
            let item = results[operatorsReadTo]
            operatorsReadTo += 1
            guard case .result(let result) = item.content, isVisible(item, in: results) else { continue }
            var share = setup.replays
            if case .started = result.outcome { share /= 10 }
            for person in ["ada", "bob"] where replaysLeft > 0 && chance(share) {
                replaysLeft -= 1
                replaysUnderWay += 1
                after(between(50, chance(300) ? 90_000 : 3000)) {
                    self.replaysUnderWay -= 1
                    self.answer(result, by: person)
                }
            }
        }
    }

    private func answer(_ result: ResultWrite, by person: String) {
        let identity = KeyHash(result.entryKey, key: .fixed).hex
        let old = result.event.record
        let isOmitted = result.shortening != .none || old.topic.isEmpty
        var replay = Replay(generation: result.generation + 1, nonce: random.next(), finding: nil)
        var answer = Judge.Answer(
            of: [Int64(result.event.partition), result.event.offset], isProper: true, isFalse: false)
        if case .deadLetter(let reason, _, let nonce) = result.outcome {
            replay.nonce = nonce
            count(reason)
            if judge.hasForgotten && isForgotten(nonce, in: Int(result.event.partition)) { count(.replayOfForgotten) }
            if !replayed.insert(nonce).inserted { count(.replayedTwice) }
            answer.needsFinding = !reason.isSafeToReplay || isOmitted
            answer.isProper = reason.isReplayable
        } else {
            count(.replayOfStarted)
            answer.isProper = false
        }
        if isOmitted { count(.replayOfOmitted) }
        let isStarted = !(judge.started[identity] ?? []).isEmpty
        if chance(answer.needsFinding || judge.hasForgotten ? 900 : 50) {
            let isTrue = chance(judge.hasLateStart(identity) ? 300 : 800)
            count(isTrue ? .findingTrue : .findingFalse)
            // Of what was left out there is nothing that could be called.
            if isStarted == isTrue || (isOmitted && chance(900)) {
                replay.finding = .started(instanceID: judge.started[identity]?.last?.instance ?? "instance-by-hand")
            } else {
                replay.finding = .notStarted
                answer.isFalse = isStarted && (answer.needsFinding || judge.hasForgotten)
                if judge.hasLateStart(identity) { count(.findingAgainstLateAnswer) }
            }
        } else if answer.needsFinding {
            count(.replayWithoutFinding)
        }
        err(&replay, &answer)
        write(replay, answer, of: result, by: person)
    }

    private func isForgotten(_ nonce: UInt64, in partition: Int) -> Bool {
        !ledger[partition].items[Int(ledger[partition].low)...].contains { item in
            guard case .ledger(_, .entry(_, let entry)) = item.content else { return false }
            if case .deadLettered(_, nonce) = entry.state { return true }
            return false
        }
    }

    /// What people do wrong.
    private func err(_ replay: inout Replay, _ answer: inout Judge.Answer) {
        switch between(0, 99) {
        case 0...4:
            replay.generation += Int32(between(1, 3))
            answer.isProper = false
            count(.replayOfWrongGeneration)
        case 5...8:
            replay.generation -= 1
            answer.isProper = false
            count(.replayOfWrongGeneration)
        case 9...13:
            replay.nonce ^= 1
            answer.isProper = false
            count(.replayOfWrongNonce)
        default: break
        }
    }

    /// The original record again, to its partition, with the headers of a replay.
    private func write(_ replay: Replay, _ answer: Judge.Answer, of result: ResultWrite, by person: String) {
        guard missing.isEmpty else {
            replaysUnderWay += 1
            after(1000) {
                self.replaysUnderWay -= 1
                self.write(replay, answer, of: result, by: person)
            }
            return
        }
        let old = result.event.record
        let isOmitted = result.shortening != .none || old.topic.isEmpty
        typealias Name = Replay.HeaderName
        var headers = isOmitted ? [] : old.headers.filter { !$0.name.starts(with: Name.prefix.utf8) }
        headers.append(Header(Name.generation, String(replay.generation)))
        headers.append(Header(Name.nonce, Hex.digits(replay.nonce)))
        headers.append(Header(Name.identity, String(decoding: result.entryKey, as: UTF8.self)))
        headers.append(Header(Name.person, person))
        switch replay.finding {
        case .notStarted: headers.append(Header(Name.finding, "not-started"))
        case .started(let instanceID):
            headers.append(Header(Name.finding, "started"))
            if let instanceID { headers.append(Header(Name.instanceID, instanceID)) }
        case nil: break
        }
        let record = Record(
            topic: "source", partition: old.partition, offset: producedEnd(Int(old.partition)), timestamp: now,
            key: old.key, value: isOmitted ? nil : old.value, headers: headers)
        count(.replayed)
        let text = replay.finding.map { "\($0)" } ?? "no finding"
        story("\(person) replays \(judge.name(result.entryKey)), generation \(replay.generation), \(text)")
        append(RequestDecoder().decode(record), answer)
    }

    private func count(_ reason: DeadLetterReason) {
        switch reason {
        case .outcomeUnknown: count(.replayOfUnknown)
        case .identityConflict: count(.replayOfConflict)
        case .replayRefused: count(.replayOfRefused)
        case .expired, .expiredOutsideWindow: count(.replayOfExpired)
        case .rejected: count(.replayOfRejected)
        default: count(.replayOfInvalid)
        }
    }
}
