/// One reading of both clocks, in milliseconds. Machines get it as an argument and never read a clock.
package struct Moment: Hashable, Sendable {
    /// Since 1970, UTC: compared with what others wrote (record times, expiries, token expiries).
    package var wall: Int64
    /// Since some fixed point of this process: waits are measured on it, since the wall clock may be set.
    package var monotonic: Int64

    package init(wall: Int64, monotonic: Int64) {
        self.wall = wall
        self.monotonic = monotonic
    }

    /// Whether neither clock has reached the bound: whichever is set or late, the other one counts.
    package func isBefore(_ bound: Moment) -> Bool { wall < bound.wall && monotonic < bound.monotonic }
}

/// The machines' source of randomness: seeded once by the driver, so that a history can be told again from its seed.
/// xoshiro256** by Blackman and Vigna; not for secrets.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(seed: UInt64) {
        var mixed = seed
        func next() -> UInt64 {
            mixed &+= 0x9E37_79B9_7F4A_7C15
            var value = mixed
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
        state = (next(), next(), next(), next())
    }

    package mutating func next() -> UInt64 {
        func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { (value << by) | (value >> (64 - by)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    /// `bytes` random bytes as lower-case hexadecimal digits.
    package mutating func hex(bytes: Int) -> String {
        var text = ""
        text.reserveCapacity(bytes * 2)
        var word: UInt64 = 0
        for index in 0..<bytes {
            if index % 8 == 0 { word = next() }
            text += Hex.digits(UInt8(truncatingIfNeeded: word))
            word >>= 8
        }
        return text
    }
}

/// Lower-case hexadecimal text.
package enum Hex {
    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

    /// Two digits.
    package static func digits(_ byte: UInt8) -> String {
        String(decoding: [digit(byte >> 4), digit(byte & 15)], as: UTF8.self)
    }

    /// Sixteen digits, the highest first.
    package static func digits(_ word: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                buffer[index] = digit(UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * index)) & 15)
            }
            return 16
        }
    }
}
