/// What the core needs of the configuration. Durations are milliseconds unless a name says otherwise.
package struct CoreSettings: Sendable {
    /// One connection to the campaign API: an account with its credentials and budget.
    package struct Connection: Sendable {
        package var name: String
        /// Stream ids that it serves; `*` serves every stream that no other connection names.
        package var streams: [String]
        package var accountID: String
        /// Calls a minute for the whole group; 0: no limit.
        package var requestsPerMinute: Int
        /// Calls that may be made at once after a quiet time.
        package var burst: Int
        package var maximumInFlight: Int
        /// From the intent to the token's expiry, seconds: the call's deadline and a margin.
        package var tokenLifetime: Int64
        /// How far the API's clock may be from ours.
        package var clockLeeway: Int64
        /// What the platform may take to act on what it has accepted.
        package var doubtGrace: Int64
        /// The pause after a refusal that does not say how long, and the longest one that an answer may ask for.
        package var throttlePause: Int64 = 60_000
        package var retryAfterMaximum: Int64 = 900_000
        /// Whether a campaign's state is read before its start and after a doubt.
        package var readsBack = false
        /// Whether nobody but this bridge starts the connection's campaigns, each from one partition.
        package var isExclusive = false

        package init(
            name: String, streams: [String], accountID: String, requestsPerMinute: Int = 60, burst: Int = 1,
            maximumInFlight: Int = 64, tokenLifetime: Int64 = 40, clockLeeway: Int64 = 5000, doubtGrace: Int64 = 10_000
        ) {
            self.name = name
            self.streams = streams
            self.accountID = accountID
            self.requestsPerMinute = requestsPerMinute
            self.burst = burst
            self.maximumInFlight = maximumInFlight
            self.tokenLifetime = tokenLifetime
            self.clockLeeway = clockLeeway
            self.doubtGrace = doubtGrace
        }
    }

    package var connections: [Connection]
    /// Partitions of the source, of which a replica's share of each budget follows.
    package var sourcePartitions: Int
    /// The replica's name and a random part made at process start (see `Attempt.owner`).
    package var owner: String
    /// An event is never called later than this after its record's time (P6).
    package var maximumAge: Int64 = 86_400_000
    /// How much longer than its window and the maximum age the ledger keeps its entries.
    package var ageMargin: Int64 = 3_600_000
    /// Record times later than this ahead of our clock are no times.
    package var maximumFutureTime: Int64 = 3_600_000
    /// A partition with so many unfinished records, or a replica with so many bytes of them, is paused.
    package var windowRecords = 10_000
    package var windowBytes = 64 << 20
    /// Calls in flight, and intents committed and not yet called, of the whole replica.
    package var maximumInFlight = 256
    package var maximumReady = 1000
    /// Events in one transaction.
    package var maximumTransaction = 2000
    /// Bytes of source records whose results go into one transaction.
    package var maximumTransactionBytes = 64 << 20
    /// Entries of the ledger that the replica keeps in memory, and how often they are counted.
    package var maximumEntries = Int.max
    package var entriesInterval: Int64 = 600_000
    package var retryInitial: Int64 = 1000
    package var retryMaximum: Int64 = 60_000
    package var retryJitterPercent: Int64 = 50
    /// Consecutive failures that open a connection's circuit, and how long it stays open.
    package var circuitFailures = 5
    package var circuitForeignAnswers = 3
    package var circuitOpen: Int64 = 30_000
    /// How long a watermark that moved without a call may wait for its commit.
    package var offsetInterval: Int64 = 1000
    /// Ledger partitions that a new producer's first transaction settles (see `ReplicaMachine.settling`); 0: none.
    package var settledPartitions: Int32 = 0
    /// For how long a replica may act on the holds that it has confirmed, and how often it confirms them; 0: there are
    /// no holds.
    package var leaseDuration: Int64 = 0
    package var confirmInterval: Int64 = 0
    /// A reading without an answer is made again after this, for at most so long.
    package var readBackInterval: Int64 = 10_000
    package var readBackTimeout: Int64 = 300_000
    /// After a start of a campaign another event of it is not called for so long; 0: at once.
    package var campaignCoolDown: Int64 = 0

    #if DELIBERATE_FAULTS
        package var deliberateFault: DeliberateFault?
    #endif

    package init(connections: [Connection], sourcePartitions: Int, owner: String) {
        self.connections = connections
        self.sourcePartitions = sourcePartitions
        self.owner = owner
    }

    /// The connection that serves a stream.
    package func connection(forStream streamID: String) -> Int? {
        connections.firstIndex { $0.streams.contains(streamID) }
            ?? connections.firstIndex { $0.streams.contains("*") }
    }
}
