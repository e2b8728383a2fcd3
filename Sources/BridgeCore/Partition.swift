/// One assigned source partition: how far its take-over is, what its ledger says, and its unfinished records.
struct Partition {
    /// The steps of a take-over, in their order (design, section 2); each waits for the driver's answer.
    enum Stage {
        /// 1. The group's committed offset, stable.
        case committedOffset
        /// 2. The ledger's end, transactions still open included.
        case marks(committed: Int64?, ledgerEnd: Int64)
        /// 3. Reading the ledger to that end.
        case ledger(start: Int64, mark: Int64)
        /// 4. Reading the control topic to its end.
        case control(start: Int64)
        case owned
        /// A revoke is held open: calls end, nothing new begins.
        case draining
        /// A person must decide; nothing is called.
        case blocked
    }

    /// Counts every take-over of this process: what belongs to an earlier one is stale.
    let epoch: Int
    let began: Int64
    var stage = Stage.committedOffset
    var index = LedgerIndex()
    /// Whether the index was kept from an earlier take-over, and may know what the ledger has forgotten since.
    var isIndexOld = false
    /// Blocked for its entries alone, which the ledger forgets in time.
    var isTooLarge = false
    /// Whether the ledger is tailed already, so that step 3 goes on instead of starting at the beginning.
    var isTailing = false
    /// The ledger has been read up to here.
    var ledgerEnd: Int64 = -1
    /// What this process knows that the ledger reached, from a take-over or a reading before.
    var ledgerReached: Int64 = 0
    /// What the ledger holds that cannot be understood.
    var unreadable: String?
    /// Unfinished records by offset.
    var requests: [Int64: Request] = [:]
    /// All records since the watermark, in their order, the finished ones too.
    var order = FIFO<Int64>()
    /// The next record to come.
    var position: Int64 = 0
    var committed: Int64 = -1
    var watermarkMovedAt: Int64?
    /// An aborted transaction may have undone what was told as committed (KAFKA-20734): the offset is written again.
    var mayBeUndone = false
    /// The lowest unfinished record of each identity, and those that wait behind it (L10).
    var leaders: [KeyHash: Int64] = [:]
    var followers: [KeyHash: [Int64]] = [:]
    /// Offsets of requests whose doubt is past its lease.
    var deciding: Set<Int64> = []
    /// When the ledger's end was asked for, while there is no answer: one question at a time, so that an answer is never
    /// taken for a later one's.
    var markAskedAt: Int64?
    /// Since when a doubt or the take-over waits for the ledger's tail, or has waited.
    var tailingSince: Int64?
    /// Committed writes that the ledger's tail has not shown, by the hash of their key.
    var unsighted: [KeyHash: Unsighted] = [:]
    /// How far it is known whether these still come.
    var sighting = Sighting.idle
    var isPaused = false
    /// Suppressed records and moved positions may have moved the watermark.
    var mayHaveMoved = false

    init(epoch: Int, began: Int64) {
        self.epoch = epoch
        self.began = began
        tailingSince = began
    }

    /// What the ledger partition cannot end before, unless it is another one; nil: nothing is known of its end.
    var ledgerNeeded: Int64? {
        switch stage {
        case .committedOffset, .marks, .draining, .blocked: nil
        case .ledger(_, let mark): max(mark, ledgerEnd)
        case .control, .owned: isTailing ? ledgerEnd : nil
        }
    }

    /// Whether the take-over stands where a transaction without its marker would hold it up.
    var mayWaitForMarkers: Bool {
        switch stage {
        case .committedOffset, .ledger: true
        case .marks, .control, .owned, .draining, .blocked: false
        }
    }

    var isOwned: Bool { if case .owned = stage { true } else { false } }
    var isDraining: Bool { if case .draining = stage { true } else { false } }

    /// The first offset that is not finished, with `transaction`'s outcomes taken as finished.
    func watermark(with transaction: Int?) -> Int64 {
        for index in 0..<order.count {
            let offset = order[index]
            guard let request = requests[offset] else { continue }
            if case .finishing = request.phase, transaction != nil, request.transaction == transaction { continue }
            return offset
        }
        return position
    }

    /// Forgets the finished records in front.
    mutating func advance() {
        while let offset = order.first, requests[offset] == nil { _ = order.popFirst() }
    }

    /// Whether a revoke may be answered: no call is under way and no result unwritten.
    var isQuiet: Bool {
        requests.values.allSatisfy { request in
            switch request.phase {
            case .follower, .waiting, .delayed, .reading, .inDoubt: true
            case .intending, .ready, .calling, .releasing, .finishing: false
            }
        }
    }
}
