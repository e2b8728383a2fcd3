// What the broker has told as committed counts when the ledger's tail shows it.
//
// A broker may acknowledge a transaction and lose it afterwards, as Kafka 4.0 to 4.3 does where markers do not reach a
// partition and the same producer then aborts (KAFKA-20734). An intent that a read_committed reader has seen stays. So a
// call that begins only then is known to every later owner, whatever the broker does.

/// A committed write that the ledger's tail has not shown.
struct Unsighted {
    var ref: RequestRef
    var entry: LedgerEntry
    /// When it was told as committed, monotonic.
    var at: Int64
    /// Of an outcome: its request, to write it again.
    var request: Request?
}

/// Whether writes that are not shown for long still come: known once the tail has passed an end that was taken later.
enum Sighting: Equatable {
    case idle
    case wanted
    case asked
    case tailing(mark: Int64, since: Int64)

    var isTailing: Bool { if case .tailing = self { true } else { false } }
}

extension ReplicaMachine {
    /// After this long it is asked where the ledger ends.
    private static let sightingTime: Int64 = 5000

    mutating func awaitSighting(_ write: LedgerWrite, _ request: Request, at now: Moment) {
        let partition = partitions[write.partition]
        var own: Request?
        switch write.entry.state {
        case .attempting:
            // What will not be called any more is given back, seen or not.
            if isBroken(.callBeforeSighting) || isDraining || partition?.isOwned != true { return }
        case .released: return
        case .started, .deadLettered: own = request
        }
        partitions[write.partition]?.unsighted[write.hash] = Unsighted(
            ref: write.ref, entry: write.entry, at: now.monotonic, request: own)
    }

    /// The tail has shown an entry.
    mutating func sighted(_ hash: KeyHash, _ entry: LedgerEntry, in number: Int32) {
        guard let known = partitions[number]?.unsighted[hash], known.entry == entry || isAnswer(entry, to: known.entry)
        else { return }
        partitions[number]?.unsighted[hash] = nil
        switch known.entry.state {
        case .attempting: mayBegin(known.ref)
        case .started, .deadLettered: forgetHand(hash)
        case .released: break
        }
    }

    /// Whether an entry is of a later generation than an outcome, which compaction has then removed: it was there.
    private func isAnswer(_ entry: LedgerEntry, to known: LedgerEntry) -> Bool {
        known.isTerminal && entry.generation > known.generation
    }

    private mutating func mayBegin(_ ref: RequestRef) {
        if let request = request(ref), case .ready = request.phase { ready.append(ref) }
    }

    /// Whether an own intent that is met again still waits for the tail (L6).
    mutating func isUnsighted(_ ref: RequestRef, _ hash: KeyHash, _ attempt: Attempt) -> Bool {
        guard let known = partitions[ref.partition]?.unsighted[hash], case .attempting(attempt) = known.entry.state
        else { return false }
        partitions[ref.partition]?.unsighted[hash]?.ref = ref
        return true
    }

    /// Nothing begins any more: intents are released, and need not be seen for that.
    mutating func giveBackUnsighted(_ number: Int32) {
        for (hash, known) in (partitions[number]?.unsighted ?? [:]).inOrder {
            guard case .attempting = known.entry.state else { continue }
            partitions[number]?.unsighted[hash] = nil
            mayBegin(known.ref)
        }
    }

    /// Now and then: intents whose token has expired unseen are given back, and the ledger's end is asked for.
    mutating func sweepUnsighted(at now: Moment) {
        guard now.monotonic - sightedAt >= 1000 else { return }
        sightedAt = now.monotonic
        for number in numbers {
            guard let partition = partitions[number], partition.isOwned, !partition.unsighted.isEmpty else { continue }
            for (hash, known) in partition.unsighted.inOrder {
                if case .attempting(let attempt) = known.entry.state, now.wall >= attempt.tokenExpiry * 1000 {
                    partitions[number]?.unsighted[hash] = nil
                    mayBegin(known.ref)
                } else if partition.sighting == .idle, now.monotonic - known.at >= Self.sightingTime {
                    partitions[number]?.sighting = .wanted
                }
            }
        }
    }

    /// What the tail should have shown by now is not there: the broker has dropped it after all.
    mutating func findUndone(in number: Int32, at now: Moment) {
        guard let partition = partitions[number], partition.isOwned,
            case .tailing(let mark, let since) = partition.sighting, partition.ledgerEnd >= mark
        else { return }
        partitions[number]?.sighting = .idle
        for (hash, known) in partition.unsighted.inOrder where known.at < since {
            partitions[number]?.unsighted[hash] = nil
            undone(hash, known, in: number, partition.epoch)
        }
    }

    /// L4: whether a replay of the outcome is under way, or has ended: its entry must stay the last one of the key.
    private func isAnswered(_ hash: KeyHash, _ outcome: LedgerEntry, in number: Int32) -> Bool {
        if let entry = partitions[number]?.index[hash], isAnswer(entry, to: outcome) { return true }
        return partitions[number]?.leaders[hash] != nil
    }

    private mutating func undone(_ hash: KeyHash, _ known: Unsighted, in number: Int32, _ epoch: Int) {
        switch known.entry.state {
        case .attempting(let attempt):
            guard let request = request(known.ref), case .ready(attempt) = request.phase, let account = request.account
            else { return }
            notes.append(.undone(note(request)))
            readyCount -= 1
            lanes.withdraw(account: account)
            release(known.ref, attempt, .notSent, delay: 0)
        case .started, .deadLettered:
            let ref = RequestRef(partition: number, epoch: epoch, offset: known.ref.offset)
            guard var request = known.request, partitions[number]?.requests[ref.offset] == nil,
                !isAnswered(hash, known.entry, in: number)
            else { return }
            notes.append(.undone(note(request)))
            request.transaction = nil
            insert(request, ref)
            // A replay of it waits until it is there.
            partitions[number]?.leaders[hash] = ref.offset
            due.append(ref)
        case .released: break
        }
    }
}
