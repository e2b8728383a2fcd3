#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Points in time as milliseconds since 1970, UTC, in the two forms that the simulator writes.
enum Timestamp {
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// `2025-12-05T11:56:13.241Z`, the platform's form. Written digit by digit: each call needs it twice.
    static func iso(_ milliseconds: Int64) -> String {
        let (t, seconds) = parts(milliseconds)
        return String(unsafeUninitializedCapacity: 24) { out in
            func put(_ number: Int32, _ width: Int, at place: Int, then mark: Unicode.Scalar) {
                var rest = number
                for index in stride(from: place + width - 1, through: place, by: -1) {
                    out[index] = UInt8(truncatingIfNeeded: 48 + rest % 10)
                    rest /= 10
                }
                out[place + width] = UInt8(ascii: mark)
            }
            put(t.tm_year + 1900, 4, at: 0, then: "-")
            put(t.tm_mon + 1, 2, at: 5, then: "-")
            put(t.tm_mday, 2, at: 8, then: "T")
            put(t.tm_hour, 2, at: 11, then: ":")
            put(t.tm_min, 2, at: 14, then: ":")
            put(t.tm_sec, 2, at: 17, then: ".")
            put(Int32(truncatingIfNeeded: milliseconds - seconds * 1000), 3, at: 20, then: "Z")
            return 24
        }
    }

    /// `Fri, 05 Dec 2025 11:56:13 GMT` (RFC 9110, 5.6.7).
    static func http(_ milliseconds: Int64) -> String {
        let t = parts(milliseconds).tm
        let day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][Int(t.tm_wday)]
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][Int(t.tm_mon)]
        return "\(day), \(pad(t.tm_mday)) \(month) \(pad(t.tm_year + 1900, 4)) \(clock(t)) GMT"
    }

    private static func parts(_ milliseconds: Int64) -> (tm: tm, seconds: Int64) {
        let whole = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        var seconds = time_t(whole)
        var broken = tm()
        gmtime_r(&seconds, &broken)
        return (broken, whole)
    }

    private static func clock(_ t: tm) -> String { "\(pad(t.tm_hour)):\(pad(t.tm_min)):\(pad(t.tm_sec))" }

    private static func pad(_ number: Int32, _ width: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
