/// Times as RFC 3339 writes them.
package enum RFC3339 {
    /// UTC with milliseconds, as in `2026-03-01T09:30:00.250Z`.
    ///
    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z, without leap seconds. RFC 3339 has no year before 0 and
    ///   none after 9999: times beyond are shown as the first or last that it has.
    package static func text(milliseconds: Int64) -> String {
        let first: Int64 = -62_167_219_200_000
        let last: Int64 = 253_402_300_799_999
        let time = min(max(milliseconds, first), last)
        let (day, inDay) = floorDivision(time, 86_400_000)
        let (year, month, dayOfMonth) = civilDate(daysSince1970: day)
        var text: [UInt8] = []
        text.reserveCapacity(24)
        append(year, digits: 4, then: "-", to: &text)
        append(month, digits: 2, then: "-", to: &text)
        append(dayOfMonth, digits: 2, then: "T", to: &text)
        append(inDay / 3_600_000, digits: 2, then: ":", to: &text)
        append(inDay / 60_000 % 60, digits: 2, then: ":", to: &text)
        append(inDay / 1_000 % 60, digits: 2, then: ".", to: &text)
        append(inDay % 1_000, digits: 3, then: "Z", to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The proleptic Gregorian date. Years are counted from 1 March, so that the leap day is the last of a year, in
    /// eras of 400 years, which all have 146 097 days.
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivision(daysSince1970 + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorDivision(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func append(_ number: Int64, digits: Int, then end: Unicode.Scalar, to text: inout [UInt8]) {
        var rest = number
        let start = text.count
        for _ in 0..<digits {
            text.insert(UInt8(ascii: "0") + UInt8(rest % 10), at: start)
            rest /= 10
        }
        text.append(UInt8(ascii: end))
    }
}
