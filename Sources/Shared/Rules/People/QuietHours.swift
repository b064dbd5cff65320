public import CarillonEvents

/// The hours of every day in which a person is not to be disturbed, by the clock on their wall.
public struct QuietHours: Sendable, Hashable {
    /// Minutes after midnight; what ends before it begins ends on the next day.
    public let from, to: Int
    /// Whose wall it is.
    public let zone: Zone

    /// Makes hours from minutes after midnight that differ, each below 1440.
    init(from: Int, to: Int, zone: Zone) { (self.from, self.to, self.zone) = (from, to, zone) }

    /// Reads `22:00-07:00`; `nil` for anything else, and for hours that never or always are.
    static func minutes(_ text: String) -> (from: Int, to: Int)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let from = minute(parts[0]), let to = minute(parts[1]), from != to else { return nil }
        return (from, to)
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...2).contains(parts[0].utf8.count), parts[1].utf8.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        return hour * 60 + minute
    }

    /// When the quiet that holds at a moment ends; `nil` when none holds.
    ///
    /// The first moment from then on at which the wall shows an hour that is not quiet: clocks that are put forward may
    /// end it early, clocks that are put back may bring it again.
    public func end(at moment: Timestamp) -> Timestamp? {
        let milliseconds = moment.milliseconds
        let start = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        var second = start
        // Twice a day would be more than any zone has ever done.
        for _ in 0..<8 {
            let (offset, until) = zone.offset(at: second)
            let ofDay = ((second + offset) % 86_400 + 86_400) % 86_400
            guard isQuiet(ofDay) else { return second > start ? Timestamp(milliseconds: second * 1000) : nil }
            let end = second + (Int64(to) * 60 - ofDay + 86_400) % 86_400
            if end < until { return Timestamp(milliseconds: end * 1000) }
            second = until
        }
        return Timestamp(milliseconds: second * 1000)
    }

    private func isQuiet(_ ofDay: Int64) -> Bool {
        let (from, to) = (Int64(from) * 60, Int64(to) * 60)
        return from < to ? from <= ofDay && ofDay < to : ofDay >= from || ofDay < to
    }

    /// The hours as documents write them.
    var spelled: String { "\(Self.spelled(from))-\(Self.spelled(to))" }

    private static func spelled(_ minute: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(minute / 60)):\(two(minute % 60))"
    }
}
