import CarillonEvents
import CarillonRules
import CarillonWorker
import Foundation

/// One key of the configuration: what it takes, and what it is when nobody says.
struct Setting: Sendable {
    /// Its place in the file, as `delivery.retry.first`.
    let key: String
    /// What its value has to be.
    let kind: Kind
    /// The value when neither flag nor environment nor file has it; `nil` for none.
    let standard: String?

    init(_ key: String, _ kind: Kind, _ standard: String?) {
        (self.key, self.kind, self.standard) = (key, kind, standard)
    }

    /// The variable that sets it: `CARILLON_DELIVERY_RETRY_FIRST`.
    var variable: String { "CARILLON_" + key.uppercased().replacing(".", with: "_") }

    /// What a value has to be.
    enum Kind: Sendable {
        case text
        case path
        case choice([String], notYet: [String] = [])
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case duration(ClosedRange<Duration>)
        case address
        case networks
        /// Types of events, as a rule's `events`.
        case events
        /// Words without commas.
        case words
        /// Texts by key; outside of the file a JSON object.
        case map
        case flag
        /// Limits such as `5/15m`; none of them lifts the limit.
        case quotas
        /// Limits of what is spent, such as `12.50/1d`.
        case costs
        /// Never shown; its `*_file` form is a setting of its own.
        case secret

        var isList: Bool {
            switch self {
            case .networks, .events, .words, .quotas, .costs: true
            default: false
            }
        }
        var isSecret: Bool { if case .secret = self { true } else { false } }
    }

    /// A checked value.
    enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
        case number(Double)
        case duration(Duration)
        case address(host: String, port: Int)
        case list([String])
        case flag(Bool)
        case secret(MaskedText)
        case map([String: String])
    }

    /// Why a text is no value, in words that say what is.
    struct Misfit: Error { let words: String }

    /// Checks a text.
    ///
    /// Lists come as their items, separated by commas.
    func value(of text: String) throws(Misfit) -> Value {
        switch kind {
        case .text, .path:
            guard !text.isEmpty, !text.contains("\0") else { throw Misfit(words: "\(key) must not be empty") }
            return .text(text)
        case .choice(let words, let notYet):
            if notYet.contains(text) { throw Misfit(words: "\(key): \(text) is not yet built") }
            guard words.contains(text) else { throw unfit(text, "one of " + words.joined(separator: ", ")) }
            return .text(text)
        case .integer(let range):
            guard let number = Int(text), range.contains(number) else {
                throw unfit(text, "a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return .integer(number)
        case .number(let range):
            guard let number = Double(text), range.contains(number) else {
                throw unfit(text, "a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return .number(number)
        case .duration(let range):
            guard let duration = Duration(text: text), range.contains(duration) else {
                throw unfit(
                    text, "a duration from \(range.lowerBound.text) to \(range.upperBound.text), such as 30s or 7d")
            }
            return .duration(duration)
        case .address:
            guard let address = parsedAddress(text) else { throw unfit(text, "HOST:PORT, such as 127.0.0.1:8420") }
            return .address(host: address.host, port: address.port)
        case .networks:
            let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            for item in items {
                do throws(CIDRError) { _ = try CIDR(item) } catch {
                    let misfit = unfit(item, "networks or addresses, such as 127.0.0.0/8, fd00::/8 or 10.1.2.3")
                    throw Misfit(words: misfit.words + ": " + error.problem)
                }
            }
            return .list(items)
        case .events: return .list(try items(of: text) { word in (try? EventSelector(word)) != nil })
        case .words: return .list(try items(of: text) { word in !word.contains(where: \.isWhitespace) })
        case .quotas: return .list(try limits(of: text, "limits such as 5/15m or 40/1d") { QuotaLimit($0) != nil })
        case .costs:
            let words = "what may be spent in a span, such as 12.50/1d"
            return .list(try limits(of: text, words) { QuotaLimit(ofMoney: $0) != nil })
        case .flag:
            guard let flag = ["true": true, "false": false][text] else { throw unfit(text, "true or false") }
            return .flag(flag)
        case .secret:
            guard !text.isEmpty, !text.contains("\0") else { throw Misfit(words: "\(key) must not be empty") }
            return .secret(MaskedText(text))
        case .map:
            guard let map = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
                // Not shown: a value may be a secret.
                throw Misfit(words: "\(key) has to be keys with texts; outside of the file a JSON object of strings")
            }
            return .map(map)
        }
    }

    private func limits(
        of text: String, _ expected: String, where isFine: (String) -> Bool
    ) throws(Misfit) -> [String] {
        let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        for item in items where !isFine(item) { throw unfit(item, expected) }
        return items
    }

    private func items(of text: String, where isFine: (String) -> Bool) throws(Misfit) -> [String] {
        let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        guard !items.isEmpty else { throw Misfit(words: "\(key) names one at least; without the key all may") }
        for item in items where !isFine(item) {
            if case .events = kind { throw unfit(item, "types of events, such as job.failed or job.*") }
            throw unfit(item, "words")
        }
        return items
    }

    private func unfit(_ text: String, _ expected: String) -> Misfit {
        Misfit(words: "\(key) has to be \(expected), not \"\(text.prefix(80))\"")
    }
}

/// Reads `HOST:PORT` and `[IPV6]:PORT`.
func parsedAddress(_ text: String) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
        (0...65_535).contains(port)
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { return nil }
    return (host, port)
}
