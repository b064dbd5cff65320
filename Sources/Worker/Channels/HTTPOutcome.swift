package import CarillonEvents

extension Outcome {
    /// What an HTTP status means where the receiver's own words do not decide.
    ///
    /// The whole policy is this table.
    ///
    /// A redirect is not followed (it could lead inside the network, and the signature was for another address), but
    /// it is tried again: proxies redirect while they are serviced, and an owner who corrects the address in time
    /// loses nothing.
    package init(ofStatus status: Int, retryAfter: Duration?) {
        self =
            switch status {
            case 200..<300: .delivered
            case 300..<400: .failed(.clientError, after: retryAfter)
            case 401, 403: .refused(.authError)
            case 408, 425: .failed(.serverError, after: retryAfter)
            case 429: .rateLimited(after: retryAfter)
            case 410: .gone(.clientError)
            case 400..<500: .refused(.clientError)
            default: .failed(.serverError, after: retryAfter)  // 5xx, and numbers that no standard knows
            }
    }
}

/// The `Retry-After` header: seconds, or one of HTTP's three forms of a date.
package enum RetryAfter {
    /// The wait from `now`, never negative and at most `RetrySchedule.longestWish`; `nil` when the text is neither
    /// form.
    package static func parse(_ text: String, now: Timestamp) -> Duration? {
        let trimmed = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }.prefix { (0x20..<0x7f).contains($0) }
        guard !trimmed.isEmpty else { return nil }
        let wait: Duration
        let digits = trimmed.prefix { (0x30...0x39).contains($0) }
        if !digits.isEmpty, trimmed.dropFirst(digits.count).allSatisfy({ $0 == 0x20 }) {
            wait = .seconds(Int64(String(Substring(digits))) ?? .max / 4096)
        } else {
            guard let date = date(String(Substring(trimmed))) else { return nil }
            wait = date - now
        }
        return min(max(wait, .zero), RetrySchedule.longestWish)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
    private static func date(_ text: String) -> Timestamp? {
        let parts = text.split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        if parts.count == 6, parts[5] == "GMT" { return moment(parts[1], parts[2], parts[3], parts[4]) }
        if parts.count == 5 { return moment(parts[2], parts[1], parts[4], parts[3]) }
        return nil
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func moment(_ day: String, _ month: String, _ year: String, _ clock: String) -> Timestamp? {
        let time = clock.split(separator: ":").map { Int64($0) }
        guard time.count == 3, let hour = time[0], let minute = time[1], let second = time[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second),
            let day = Int64(day), (1...31).contains(day), let month = months.firstIndex(of: month),
            let given = Int64(year), (0...9999).contains(given)
        else { return nil }
        // Two digits name the nearest century (RFC 9110 §5.6.7).
        let year = year.utf8.count > 2 ? given : given + (given < 70 ? 2000 : 1900)
        let seconds = ((days(year, Int64(month) + 1, day) * 24 + hour) * 60 + minute) * 60 + second
        return Timestamp(milliseconds: seconds * 1000)
    }

    /// Days since 1970-01-01 in the Gregorian calendar; the year is counted from March, so that the leap day is its
    /// last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month > 2 ? year : year - 1
        let era = (year >= 0 ? year : year - 399) / 400
        let ofEra = year - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }
}
