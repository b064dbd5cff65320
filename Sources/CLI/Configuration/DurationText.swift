import CarillonEvents

// Durations as people write them: `7d`, `90s`, `1h30m`, `250ms`.

extension Duration {
    /// Reads `7d`, `30s`, `1h30m`; units are ms, s, m, h, d and w.
    ///
    /// `nil` for anything else, also for a number alone.
    init?(text: String) {
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits), number >= 0 else { return nil }
            rest.removeFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            guard let seconds = Self.units[String(unit)] else { return nil }
            rest.removeFirst(unit.count)
            total += number * seconds
        }
        guard total <= 200 * 365 * 86_400 else { return nil }
        self = .milliseconds(Int64((total * 1000).rounded()))
    }

    private static let units: [String: Double] = [
        "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400,
    ]

    /// The shortest text that means this duration: `7d`, `1h30m`, `250ms`.
    var text: String {
        var left = milliseconds
        guard left != 0 else { return "0s" }
        var text = left < 0 ? "-" : ""
        left = abs(left)
        for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
            as [(String, Int64)]
        where left >= length {
            text += "\(left / length)\(unit)"
            left %= length
        }
        return text
    }

    /// The duration in words short enough for a table: the two largest units.
    var brief: String {
        let size = abs(milliseconds)
        let step: Int64 = size >= 86_400_000 ? 3_600_000 : size >= 3_600_000 ? 60_000 : size >= 1000 ? 1000 : 1
        return Duration.milliseconds(milliseconds / step * step).text
    }
}
