/// A 128-bit keyed hash of bytes: SipHash-2-4 with the 128-bit output of its reference implementation.
///
/// The ledger's index knows identities by it. Its key is random for each process and another one for each partition: an
/// identity of one partition is none of another's, and nobody who chooses event ids can make two of them meet. Among a
/// million entries the chance of a meeting by accident is below 2^-88.
package struct KeyHash: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Hashes `bytes` under `key`.
    package init(_ bytes: [UInt8], key: HashKey) {
        var state = SipState(key)
        bytes.withUnsafeBytes { buffer in
            let whole = buffer.count & ~7
            for index in stride(from: 0, to: whole, by: 8) {
                state.absorb(UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
            }
            var last = UInt64(truncatingIfNeeded: buffer.count) << 56
            for index in whole..<buffer.count {
                last |= UInt64(buffer[index]) << UInt64(8 * (index - whole))
            }
            state.absorb(last)
        }
        (low, high) = state.finish()
    }

    package static func == (left: KeyHash, right: KeyHash) -> Bool {
        left.low == right.low && left.high == right.high
    }

    package static func < (left: KeyHash, right: KeyHash) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// The value is uniform already; the standard hasher needs no more than one word of it.
    package func hash(into hasher: inout Hasher) { hasher.combine(low) }

    /// Thirty-two hexadecimal digits.
    package var hex: String { Hex.digits(high) + Hex.digits(low) }
}

/// The key of a `KeyHash`.
package struct HashKey: Hashable, Sendable {
    package var first: UInt64
    package var second: UInt64

    package init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    /// The key for what belongs to one partition: the same bytes have another hash in each.
    package func of(partition: Int32) -> HashKey {
        HashKey(first: first ^ UInt64(truncatingIfNeeded: partition), second: second)
    }

    /// For values that every replica and every run must compute alike: request ids and the ledger's scope.
    package static let fixed = HashKey(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)
}

/// The four words of SipHash-2-4 with its 128-bit output.
private struct SipState {
    private var v0, v1, v2, v3: UInt64

    init(_ key: HashKey) {
        v0 = 0x736f_6d65_7073_6575 ^ key.first
        v1 = 0x646f_7261_6e64_6f6d ^ key.second ^ 0xee
        v2 = 0x6c79_6765_6e65_7261 ^ key.first
        v3 = 0x7465_6462_7974_6573 ^ key.second
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = (v1 << 13 | v1 >> 51) ^ v0
        v0 = v0 << 32 | v0 >> 32
        v2 = v2 &+ v3
        v3 = (v3 << 16 | v3 >> 48) ^ v2
        v0 = v0 &+ v3
        v3 = (v3 << 21 | v3 >> 43) ^ v0
        v2 = v2 &+ v1
        v1 = (v1 << 17 | v1 >> 47) ^ v2
        v2 = v2 << 32 | v2 >> 32
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    mutating func finish() -> (low: UInt64, high: UInt64) {
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return (low, v0 ^ v1 ^ v2 ^ v3)
    }
}

extension Dictionary where Key == KeyHash {
    /// The same order in every process that has the same hash key.
    var inOrder: [(key: KeyHash, value: Value)] { sorted { $0.key < $1.key } }
}
