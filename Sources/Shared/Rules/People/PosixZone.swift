// The rule by which a zone's clocks will go, as POSIX writes it in `TZ` and as every file of the zone database ends with:
// `CET-1CEST,M3.5.0,M10.5.0/3`. Offsets here are seconds east of UTC; POSIX counts them westwards.

/// What a zone's clocks do after the last change its file lists.
struct PosixZone: Sendable, Hashable {
    /// A day of the year and a time on it at which the clocks change.
    struct Change: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// The nth such weekday of a month, 0 is Sunday; the fifth is the last.
            case weekday(month: Int, week: Int, day: Int)
            /// From 1, and 29 February is never counted.
            case julian(Int)
            /// From 0, and 29 February is counted.
            case ordinal(Int)
        }
        let day: Day
        /// Seconds after that day's midnight; may be before it or days later.
        let time: Int64
    }
    struct Summer: Sendable, Hashable {
        let offset: Int64
        let begins, ends: Change
    }
    let standard: Int64
    let summer: Summer?

    /// Reads the footer of a zone's file; `nil` for what is no rule.
    init?(_ text: some StringProtocol) {
        var reader = PosixReader(rest: Array(text.utf8)[...])
        guard reader.name(), let west = reader.span(hours: 24) else { return nil }
        standard = -west
        guard !reader.rest.isEmpty else {
            summer = nil
            return
        }
        guard reader.name() else { return nil }
        var offset = standard + 3600
        if let next = reader.rest.first, next != UInt8(ascii: ",") {
            guard let west = reader.span(hours: 24) else { return nil }
            offset = -west
        }
        guard reader.take(","), let begins = reader.change(), reader.take(","), let ends = reader.change(),
            reader.rest.isEmpty
        else { return nil }
        summer = Summer(offset: offset, begins: begins, ends: ends)
    }

    /// The offset at a moment, and when it changes next; `.max` for never.
    func offset(at moment: Int64) -> (offset: Int64, until: Int64) {
        guard let summer else { return (standard, .max) }
        let year = CivilDay.year(of: moment + standard)
        var changes: [(at: Int64, isSummer: Bool)] = []
        for year in (year - 1)...(year + 2) {
            changes.append((summer.begins.moment(in: year) - standard, true))
            changes.append((summer.ends.moment(in: year) - summer.offset, false))
        }
        // Where one summer ends as the next begins it is always summer.
        changes.sort { ($0.at, $0.isSummer ? 1 : 0) < ($1.at, $1.isSummer ? 1 : 0) }
        let next = changes.firstIndex { $0.at > moment } ?? changes.endIndex
        let isSummer = next > 0 && changes[next - 1].isSummer
        return (isSummer ? summer.offset : standard, next < changes.endIndex ? changes[next].at : .max)
    }
}

extension PosixZone.Change {
    /// The local second of a year at which it happens, counted from the epoch.
    fileprivate func moment(in year: Int64) -> Int64 {
        let first = CivilDay.number(year, 1, 1)
        let number: Int64
        switch day {
        case .ordinal(let day): number = first + Int64(day)
        case .julian(let day): number = first + Int64(day) - 1 + (CivilDay.isLeap(year) && day >= 60 ? 1 : 0)
        case .weekday(let month, let week, let day):
            let begin = CivilDay.number(year, month, 1)
            let next = month == 12 ? CivilDay.number(year + 1, 1, 1) : CivilDay.number(year, month + 1, 1)
            var found = begin + (Int64(day) - CivilDay.weekday(begin) + 7) % 7 + Int64(week - 1) * 7
            if found >= next { found -= 7 }
            number = found
        }
        return number * 86_400 + time
    }
}

private struct PosixReader {
    var rest: ArraySlice<UInt8>

    mutating func take(_ sign: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: sign) else { return false }
        rest.removeFirst()
        return true
    }

    /// Three letters or more, or anything in angle brackets.
    mutating func name() -> Bool {
        if take("<") {
            guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
            rest = rest[(end + 1)...]
            return true
        }
        let letters = rest.prefix { (0x61...0x7A).contains($0 | 0x20) }.count
        rest.removeFirst(letters)
        return letters >= 3
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard (1...3).contains(digits.count), let number = Int(String(decoding: digits, as: UTF8.self)),
            range.contains(number)
        else { return nil }
        rest.removeFirst(digits.count)
        return number
    }

    /// Hours, minutes and seconds with a sign; minutes and seconds may be left out.
    mutating func span(hours most: Int) -> Int64? {
        let sign: Int64 = take("-") ? -1 : 1
        if sign > 0 { _ = take("+") }
        guard let hours = number(0...most) else { return nil }
        var seconds = Int64(hours) * 3600
        for unit in [60, 1] as [Int64] where take(":") {
            guard let part = number(0...59) else { return nil }
            seconds += Int64(part) * unit
        }
        return sign * seconds
    }

    mutating func change() -> PosixZone.Change? {
        let day: PosixZone.Change.Day
        if take("M") {
            guard let month = number(1...12), take("."), let week = number(1...5), take("."), let name = number(0...6)
            else { return nil }
            day = .weekday(month: month, week: week, day: name)
        } else if take("J") {
            guard let number = number(1...365) else { return nil }
            day = .julian(number)
        } else {
            guard let number = number(0...365) else { return nil }
            day = .ordinal(number)
        }
        guard take("/") else { return PosixZone.Change(day: day, time: 7200) }
        return span(hours: 167).map { PosixZone.Change(day: day, time: $0) }
    }
}

/// Days of the Gregorian calendar, numbered from 1970-01-01.
private enum CivilDay {
    static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// 0 is Sunday.
    static func weekday(_ number: Int64) -> Int64 { ((number + 4) % 7 + 7) % 7 }

    static func number(_ year: Int64, _ month: Int, _ day: Int) -> Int64 {
        // Years that begin in March, so that a leap day is a year's last.
        let shifted = month > 2 ? year : year - 1
        let era = shifted >= 0 ? shifted / 400 : (shifted - 399) / 400
        let ofEra = shifted - era * 400
        let ofYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    /// The year that a local second lies in.
    static func year(of second: Int64) -> Int64 {
        let day = second >= 0 ? second / 86_400 : (second - 86_399) / 86_400
        var year = 1970 + day / 365
        while number(year, 1, 1) > day { year -= 1 }
        while number(year + 1, 1, 1) <= day { year += 1 }
        return year
    }
}
