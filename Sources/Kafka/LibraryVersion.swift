internal import CRDKafka

/// The librdkafka that this process runs with, which may be another than it was built with.
package enum LibraryVersion {
    /// Such as "2.8.0".
    package static var string: String { String(cString: rd_kafka_version_str()) }

    /// Four bytes: major, minor, revision, and 255 for a release. 2.8.0 is 0x020800ff.
    package static var number: Int32 { rd_kafka_version() }

    /// What the running version cannot do or does wrong, each with what to do about it; empty for a recent one.
    /// Facts: librdkafka's change log and issue numbers as given.
    package static func limitations() -> [String] { limitations(of: number) }

    static func limitations(of version: Int32) -> [String] {
        known.filter { version >= $0.since && version < $0.fixedIn }.map(\.text)
    }

    static func isAtLeast(_ major: Int32, _ minor: Int32, _ revision: Int32) -> Bool {
        number >= encoded(major, minor, revision)
    }

    private static func encoded(_ major: Int32, _ minor: Int32, _ revision: Int32) -> Int32 {
        major << 24 | minor << 16 | revision << 8
    }

    private static let known: [(since: Int32, fixedIn: Int32, text: String)] = [
        (0, encoded(2, 1, 0), "lz4 decompression has CVE-2021-3520; use librdkafka 2.1.0 or later"),
        (0, encoded(2, 1, 0), "max.poll.interval.ms does not notice a stuck reader; use 2.1.0 or later"),
        (0, encoded(2, 2, 0), "a full prefetch queue stalls a partition for one second; use 2.2.0 or later"),
        (0, encoded(2, 4, 0), "closing under cooperative-sticky can hang (#4528); use the range strategy or 2.4.0"),
        (0, encoded(2, 6, 1), "SCRAM cannot log in to a Kafka 4 broker; use PLAIN over TLS, mutual TLS, or 2.6.1"),
        (0, encoded(2, 6, 1), "cooperative-sticky can loop endlessly (#4800); use the range strategy or 2.6.1"),
        (
            encoded(2, 4, 0), encoded(2, 10, 0),
            "a topic that is removed and made anew under its name ends the process (#4778), which can then be restarted;"
                + " use 2.10.0"
        ),
        (
            0, encoded(2, 10, 0),
            "a commit during a cooperative rebalance is taken for a lost assignment (#4908); use range or 2.10.0"
        ),
    ]
}
