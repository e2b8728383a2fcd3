/// The three date forms of HTTP (RFC 9110, 5.6.7), as seconds since 1970.
enum HTTPDate {
    /// nil for anything that is not exactly one of the three forms with a day that exists. The day's name is not compared.
    ///
    /// - Parameter now: seconds since 1970; decides the century of the form with two digits of a year.
    static func parse(_ text: String, now: Int64) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        switch words.count {
        // Sun, 06 Nov 1994 08:49:37 GMT
        case 6 where words[0].hasSuffix(",") && words[5] == "GMT":
            guard let year = number(words[3], digits: 4) else { return nil }
            return seconds(year, words[2], words[1], words[4], oneDigitDay: false)
        // Sunday, 06-Nov-94 08:49:37 GMT
        case 4 where words[0].hasSuffix(",") && words[3] == "GMT":
            let parts = words[1].split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 3, let short = number(parts[2], digits: 2) else { return nil }
            return seconds(century(short, now) + short, parts[1], parts[0], words[2], oneDigitDay: false)
        // Sun Nov  6 08:49:37 1994
        case 5:
            guard let year = number(words[4], digits: 4) else { return nil }
            return seconds(year, words[1], words[2], words[3], oneDigitDay: true)
        default: return nil
        }
    }

    /// A two-digit year that would lie more than 50 years ahead is one of the last century.
    private static func century(_ short: Int, _ now: Int64) -> Int {
        let thisYear = 1970 + Int(now / 31_556_952)
        let base = thisYear / 100 * 100
        return base + short > thisYear + 50 ? base - 100 : base
    }

    private static func seconds(
        _ year: Int, _ month: Substring, _ day: Substring, _ time: Substring, oneDigitDay: Bool
    ) -> Int64? {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard let month = names.firstIndex(of: String(month)).map({ $0 + 1 }),
            let day = number(day, digits: oneDigitDay && day.utf8.count == 1 ? 1 : 2),
            year >= 1970, day >= 1, day <= daysIn(month, year)
        else { return nil }
        let parts = time.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let hour = number(parts[0], digits: 2), let minute = number(parts[1], digits: 2),
            let second = number(parts[2], digits: 2), hour < 24, minute < 60, second <= 60
        else { return nil }
        return daysSince1970(year, month, day) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func daysIn(_ month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        // Years that begin in March put the leap day at the end.
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear
        return Int64(days - 719_468)
    }
}

/// The wait that `Retry-After` asks for (RFC 9110, 10.2.3): seconds or one of the three date forms. nil for anything
/// else, for no wait, and for a time that has passed: then the default pause applies, never none.
///
/// - Parameters:
///   - reference: seconds since 1970 by the server's clock, which wrote the date, or else by ours.
///   - maximum: a longer wait is cut to this.
func retryAfter(_ field: String?, reference: Int64, maximum: Duration) -> Duration? {
    guard let field, !field.isEmpty else { return nil }
    let wait: Int64
    if field.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
        wait = Int64(field) ?? .max
    } else {
        guard let date = HTTPDate.parse(field, now: reference) else { return nil }
        wait = date - reference
    }
    guard wait > 0 else { return nil }
    // Durations count attoseconds: a huge number of seconds must be cut before it becomes one.
    return min(.seconds(min(wait, 1_000_000_000)), maximum)
}
