/// Amounts of the deployment's own currency, whichever it is: whole numbers of the smallest part that counts.
public enum Money {
    /// So many parts make one.
    public static let unit = 10_000
    private static let most = 1_000_000_000

    /// Reads `12`, `12.5` or `0.0079`; `nil` for anything else.
    public static func units(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = digits(parts[0]), whole <= most else { return nil }
        guard parts.count == 2 else { return whole * unit }
        guard parts[1].utf8.count <= 4, let part = digits(parts[1]) else { return nil }
        let scale = [1, 10, 100, 1_000][4 - parts[1].utf8.count]
        return whole * unit + part * scale
    }

    private static func digits(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// As it is written: `12.5`.
    public static func text(_ units: Int) -> String {
        var part = String(units % unit + unit).dropFirst()
        while part.last == "0" { part.removeLast() }
        return part.isEmpty ? String(units / unit) : "\(units / unit).\(part)"
    }
}

/// What a message to a telephone number costs at most, by how the number begins.
public struct PriceList: Sendable, Equatable {
    /// By beginnings of numbers, the longest first.
    private let prices: [(beginning: String, units: Int)]

    /// Reads `{"+": 0.05, "+86": 0.01}`.
    ///
    /// - Throws: what is wrong, to follow the key's name.
    public init(_ texts: [String: String]) throws(PriceFault) {
        var prices: [(beginning: String, units: Int)] = []
        for (beginning, text) in texts.sorted(by: { ($1.key.utf8.count, $1.key) < ($0.key.utf8.count, $0.key) }) {
            let digits = beginning.utf8.dropFirst()
            guard beginning.hasPrefix("+"), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw PriceFault(words: "'\(beginning.shortened)' is no beginning of a number, such as + or +86")
            }
            guard let units = Money.units(text), units > 0 else {
                throw PriceFault(
                    words: "'\(text.shortened)' is no price, such as 0.05; four places behind the point count")
            }
            prices.append((beginning, units))
        }
        guard texts["+"] != nil else {
            throw PriceFault(words: "has no '+', the price of all other numbers, which would cost nothing")
        }
        self.prices = prices
    }

    /// What a message to a number costs.
    public func price(of number: String) -> Int { prices.first { number.hasPrefix($0.beginning) }?.units ?? dearest }

    /// The highest price there is.
    public var dearest: Int { prices.map(\.units).max() ?? 0 }

    /// Whether two lists ask the same.
    public static func == (a: Self, b: Self) -> Bool {
        a.prices.elementsEqual(b.prices) { $0 == $1 }
    }
}

/// What is wrong with a price list.
public struct PriceFault: Error, Sendable {
    /// What is wrong, to follow the key's name.
    public let words: String
}
