internal import BridgeCore

// The judgement at the end of a history: every record has its one outcome, and something in the world justifies it.

extension Judge {
    typealias Place = [Int64]

    func results(_ world: World) -> [Place: ResultWrite] {
        var found: [Place: ResultWrite] = [:]
        for item in world.results.items {
            guard case .result(let result) = item.content, world.isVisible(item, in: world.results) else { continue }
            found[[Int64(result.event.partition), result.event.offset]] = result
        }
        return found
    }

    func place(_ record: Written) -> Place {
        [Int64(record.event.partition), record.event.offset]
    }

    private func scope(_ record: Written) -> UInt64 {
        if case .success(let request) = record.event.content { return request.scope }
        return 0
    }

    func isRemoved(_ record: Written, _ world: World) -> Bool {
        record.event.offset < world.source[Int(record.event.partition)].low
    }

    /// The records of each identity of a partition, without those that retention removed before anything was done.
    /// Where those may have been in conflict with the rest, nothing can be said.
    private func identities(of partition: Int, _ world: World) -> [(identity: String, records: [Written])] {
        var order: [String] = []
        var groups: [String: [Written]] = [:]
        var gone: [String: Set<UInt64>] = [:]
        for record in written[partition] where record.event.replay == nil && !record.isCopy {
            if isRemoved(record, world) && entered[place(record)] == nil {
                gone[record.identity, default: []].insert(scope(record))
                continue
            }
            if groups[record.identity] == nil { order.append(record.identity) }
            groups[record.identity, default: []].append(record)
        }
        return order.compactMap { identity in
            guard let records = groups[identity], !undone.contains(identity) else { return nil }
            if let scopes = gone[identity], !records.allSatisfy({ scopes == [scope($0)] }) { return nil }
            return (identity, records)
        }
    }

    /// The record of a group that has the identity's own result.
    private func leader(
        of records: [Written], _ found: [Place: ResultWrite], _ world: World
    ) -> (record: Written, result: ResultWrite?)? {
        guard let first = records.first else { return nil }
        // Where the first one was removed by retention, a repeat may have led on.
        for record in records where scope(record) == scope(first) {
            if let result = found[place(record)] { return (record, result) }
            if !isRemoved(record, world) { return (record, nil) }
        }
        // Removed between two attempts: nothing was started, and there is nothing left to start.
        if case .released? = entered[place(first)], (started[first.identity] ?? []).isEmpty { return nil }
        return (first, nil)
    }

    /// Whether every identity has its result.
    func hasAllOutcomes(_ world: World) -> Bool {
        let found = results(world)
        return written.indices.allSatisfy { partition in
            partition >= world.ledger.count
                || identities(of: partition, world).allSatisfy { _, records in
                    leader(of: records, found, world).map { $0.result != nil } ?? true
                } && written[partition].allSatisfy { hasOutcome($0, found, world) }
        }
    }

    /// P8: whether every event of the account that works has its outcome, however dead the other is.
    mutating func checkIndependence(_ world: World) {
        let found = results(world)
        for partition in written.indices where partition < world.ledger.count {
            for (identity, records) in identities(of: partition, world) {
                guard let (record, result) = leader(of: records, found, world), result == nil,
                    case .success(let request) = record.event.content, request.streamID == "st-one"
                else { continue }
                violation("P8", "\(name(identity)) waits, though only the other account is dead")
            }
        }
    }

    mutating func close(_ world: World) {
        closeIntake(world)
        let found = results(world)
        for partition in written.indices where partition < world.ledger.count {
            let high = world.source[partition].high
            let committed = world.group.committed(partition)
            if committed != high { violation("P2", "partition \(partition) stands at \(committed) of \(high)") }
            for (_, records) in identities(of: partition, world) {
                guard let (first, result) = leader(of: records, found, world) else { continue }
                if let result {
                    closeFirst(first, result, world)
                } else {
                    violation("P2", "\(text(first)) has no outcome")
                }
                for record in records where place(record) != place(first) {
                    closeLater(record, first, found[place(record)], world)
                }
            }
            for record in written[partition] where record.event.replay != nil && !record.isCopy {
                closeReplay(record, found, world)
            }
        }
    }

    func text(_ record: Written) -> String {
        "\(name(record.identity)) at \(record.event.partition)@\(record.event.offset)"
    }

    /// A record whose identity another one leads: suppressed, or a conflict.
    private mutating func closeLater(_ record: Written, _ leader: Written, _ result: ResultWrite?, _ world: World) {
        if scope(record) == scope(leader) {
            if let result {
                if !hasForgotten { violation("P2", "the repeat \(text(record)) has a result") }
                closeFirst(record, result, world)
            }
            return
        }
        if hasForgotten, let result {
            if case .deadLetter(.identityConflict, _, _) = result.outcome { return }
            // The other event may be forgotten.
            closeFirst(record, result, world)
            return
        }
        guard case .deadLetter(let reason, _, _)? = result?.outcome else {
            if isRemoved(record, world) || hasForgotten { return }
            // An operator has said of an invalid event that it was started.
            if scope(leader) == 0, isFoundStarted(record) { return }
            violation("P2", "\(text(record)) names another campaign and has no dead letter")
            return
        }
        if case .failure(let fault) = record.event.content {
            if reason != fault.reason { violation("P2", "\(text(record)) ended as \(reason), not \(fault.reason)") }
        } else if reason != .identityConflict, reason != .invalidData || !record.isForLaterThanItsExpiry,
            reason != .unusableTime || (record.event.record.timestamp ?? -1) >= 0,
            reason != .expiredOutsideWindow || world.now + Setup.maximumSkew < record.expiry
        {
            // One that is older than the window cannot be told from one whose replay is forgotten.
            violation("P2", "\(text(record)) ended as \(reason), not as a conflict")
        }
    }

    mutating func closeFirst(_ record: Written, _ result: ResultWrite, _ world: World) {
        let text = text(record)
        let starts = started[record.identity] ?? []
        let instances = starts.filter { $0.generation == result.generation }.map(\.instance)
        switch result.outcome {
        case .started(_, evidence: .operator): break
        case .started(_, evidence: .readBack):
            if instances.isEmpty { violation("P3", "\(text) is read back as started, and was not") }
        case .started(let answer, _):
            if !instances.contains(answer.instanceID ?? "-") {
                violation("P3", "\(text) is told as started, instance \(answer.instanceID ?? "-"), API: \(instances)")
            }
        case .deadLetter(let reason, _, _):
            var isCallable = false
            if case .success = record.event.content { isCallable = true }
            if isCallable && reason.isSafeToReplay && reason != .identityConflict
                && isStarted(record, result.generation) && !undone.contains(record.identity)
            {
                violation("P1", "\(text) was started and its dead letter (\(reason)) offers a replay")
            }
            if let fault = unjustified(reason, record, world) { violation(fault, "\(text) ended as \(reason)") }
        }
    }

    /// Which promise a dead letter breaks that nothing in the world justifies.
    private func unjustified(_ reason: DeadLetterReason, _ record: Written, _ world: World) -> String? {
        switch reason {
        case .outcomeUnknown:
            doubtful.contains(record.identity) || undone.contains(record.identity) || hasForgotten
                ? nil : "P3"
        case .expired, .expiredOutsideWindow:
            world.now + Setup.maximumSkew >= record.expiry || isRemoved(record, world) ? nil : "P4"
        case .replayRefused where record.event.replay != nil: isRefusalJustified(record) ? nil : "P4"
        case .coolDown: isCooling(record) ? nil : "P4"
        case .rejected:
            rejected.contains(record.identity) || refusals[record.identity, default: 0] > 0 || world.hasSeenForeign
                ? nil : "P4"
        case .unusableTime: (record.event.record.timestamp ?? -1) < 0 ? nil : "P4"
        case .invalidData where record.isForLaterThanItsExpiry: nil
        case .unknownStream, .accountMismatch: setup.isPlain(record.event) ? "P4" : nil
        case .identityConflict: hasForgotten ? nil : "P2"
        default:
            if case .failure(let fault) = record.event.content, fault.reason == reason { nil } else { "P4" }
        }
    }
}

extension Setup {
    /// Whether an event names a stream that is configured, and no foreign account.
    func isPlain(_ event: DecodedRecord) -> Bool {
        guard case .success(let request) = event.content else { return false }
        return ["st-one", "st-two"].contains(request.streamID) && request.accountID == nil
    }
}

extension World {
    var hasSeenForeign: Bool { coverage[.foreignAnswer] >= 2 }
}
