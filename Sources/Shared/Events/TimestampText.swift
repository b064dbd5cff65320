// Moments as RFC 3339 writes them.

extension Timestamp {
    /// Reads a moment as RFC 3339 writes it: `2026-01-05T08:00:00.250Z`, `2026-01-05t09:00:00+01:00`.
    ///
    /// The fraction may have any number of digits and is cut to milliseconds. Second 60 is read as the last
    /// millisecond of its minute, as this time has no leap seconds. `nil` for anything else. Allocates nothing.
    public init?(rfc3339 text: Span<UInt8>) {
        guard text.count >= 20, let date = Self.days(text), let clock = Self.clock(text) else { return nil }
        var i = 19
        var fraction: Int64 = 0
        if text[i] == UInt8(ascii: ".") {
            let first = i + 1
            i = first
            while i < text.count, let digit = Self.digit(text, i) {
                if i < first + 3 { fraction = fraction * 10 + digit }
                i += 1
            }
            guard i > first else { return nil }
            for _ in 0..<max(0, 3 - (i - first)) { fraction *= 10 }
        }
        guard let offset = Self.offset(text, i) else { return nil }
        let (seconds, isLeap) = clock
        self.init(milliseconds: (date * 86400 + seconds - offset) * 1000 + (isLeap ? 999 : fraction))
    }

    /// Reads a moment as RFC 3339 writes it, as `init(rfc3339:)` over its UTF-8.
    public init?(rfc3339 text: String) { self.init(rfc3339: text.utf8.span) }

    /// Reads the moment in a raw JSON string slice (quotes included).
    init?(json raw: Slice, in text: Span<UInt8>) {
        if let plain = JSON.plain(raw, in: text) {
            self.init(rfc3339: text.extracting(plain.range))
        } else {
            self.init(rfc3339: JSON.unescaped(raw, in: text).span)
        }
    }

    /// The moment as RFC 3339 writes it, in UTC with milliseconds: `2026-01-05T08:00:00.250Z`.
    ///
    /// RFC 3339 knows the years 0000 to 9999; moments outside are written as the nearest it knows.
    public var rfc3339: String {
        let clamped = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
        let (days, rest) = Self.floored(clamped, by: 86_400_000)
        let (year, month, day) = Self.civil(days)
        let fields: [(Int64, Int, String)] = [
            (year, 4, "-"), (month, 2, "-"), (day, 2, "T"), (rest / 3_600_000, 2, ":"), (rest / 60000 % 60, 2, ":"),
            (rest / 1000 % 60, 2, "."), (rest % 1000, 3, "Z"),
        ]
        return fields.reduce(into: "") { text, field in
            let digits = String(field.0)
            text += String(repeating: "0", count: field.1 - digits.count) + digits + field.2
        }
    }
}

// MARK: - Parts

extension Timestamp {
    @inline(__always)
    private static func digit(_ text: Span<UInt8>, _ i: Int) -> Int64? {
        let digit = text[i] &- UInt8(ascii: "0")
        return digit < 10 ? Int64(digit) : nil
    }

    @inline(__always)
    private static func two(_ text: Span<UInt8>, _ i: Int) -> Int64? {
        guard let tens = digit(text, i), let units = digit(text, i + 1) else { return nil }
        return tens * 10 + units
    }

    /// Days since the epoch of the date in the first ten bytes.
    private static func days(_ text: Span<UInt8>) -> Int64? {
        guard let century = two(text, 0), let year = two(text, 2), let month = two(text, 5), let day = two(text, 8),
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"), 1...12 ~= month, day >= 1,
            day <= length(ofMonth: month, in: century * 100 + year)
        else { return nil }
        return daysSinceEpoch(century * 100 + year, month, day)
    }

    /// Seconds since midnight of the time in bytes 10 to 18, and whether they are those before a leap second.
    private static func clock(_ text: Span<UInt8>) -> (Int64, isLeap: Bool)? {
        guard text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let hour = two(text, 11), let minute = two(text, 14), let second = two(text, 17),
            hour <= 23, minute <= 59, second <= 60
        else { return nil }
        return (hour * 3600 + minute * 60 + min(second, 59), second == 60)
    }

    /// The offset from UTC in seconds that stands from `i` to the end.
    private static func offset(_ text: Span<UInt8>, _ i: Int) -> Int64? {
        guard i < text.count else { return nil }
        if text[i] | 0x20 == UInt8(ascii: "z") { return i + 1 == text.count ? 0 : nil }
        guard text[i] == UInt8(ascii: "+") || text[i] == UInt8(ascii: "-"), i + 6 == text.count,
            text[i + 3] == UInt8(ascii: ":"), let hours = two(text, i + 1), let minutes = two(text, i + 4),
            hours <= 23, minutes <= 59
        else { return nil }
        let seconds = hours * 3600 + minutes * 60
        return text[i] == UInt8(ascii: "-") ? -seconds : seconds
    }

    private static func length(ofMonth month: Int64, in year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

// MARK: - The proleptic Gregorian calendar

extension Timestamp {
    // Years are counted from March, so that the leap day comes last; 400 years have 146,097 days.

    private static func floored(_ value: Int64, by unit: Int64) -> (Int64, Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: unit)
        return rest < 0 ? (quotient - 1, rest + unit) : (quotient, rest)
    }

    private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, yearOfEra) = floored(month <= 2 ? year - 1 : year, by: 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floored(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
