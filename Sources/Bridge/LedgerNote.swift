package import Kafka

/// The text beside a committed offset: how far the partition's ledger reached then.
package enum LedgerNote {
    private static let prefix = "ledger="

    package static func text(_ end: Int64) -> String { prefix + String(end) }

    /// nil where the offset was committed by others, as by a person who accepts the ledger as it is.
    package static func end(_ offset: GroupOffset) -> Int64? {
        guard offset.metadata.hasPrefix(prefix) else { return nil }
        return Int64(offset.metadata.dropFirst(prefix.count))
    }
}
