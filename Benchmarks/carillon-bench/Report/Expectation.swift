import CarillonEvents
import CarillonLedger
import CarillonRules
import Foundation

/// What should come of published events under given rules: every delivery by its id, with the time of its event.
struct Expectation {
    private let book: RuleBook
    private let oldest: Timestamp
    private var known: Set<Key> = []
    private var hits: [Int] = []

    /// Lines read, duplicates included.
    private(set) var lines = 0
    /// Events some rule selects.
    private(set) var matched = 0
    /// Selections of events that were too old.
    private(set) var suppressed = 0
    private(set) var deliveries: [String: Timestamp] = [:]

    /// Distinct events.
    var events: Int { known.count }

    init(book: RuleBook, oldest: Timestamp) { (self.book, self.oldest) = (book, oldest) }

    mutating func add(fileAt path: String) throws {
        for line in try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n")) {
            lines += 1
            try add(Array(line))
        }
    }

    private mutating func add(_ event: [UInt8]) throws {
        let text = event.span
        let outline = try CloudEvents.outline(text)
        func plain(_ slice: Slice) -> String { JSON.string(slice, in: text) ?? "" }
        let workspace = plain(outline.workspace)
        let key = Key.event(
            workspace: workspace.utf8.span, source: plain(outline.source).utf8.span, id: plain(outline.id).utf8.span)
        guard known.insert(key).inserted, let rules = book.rules(of: workspace) else { return }
        hits.removeAll(keepingCapacity: true)
        rules.match(text, outline, into: &hits)
        guard !hits.isEmpty else { return }
        matched += 1
        let time = outline.time.map(plain).flatMap { Timestamp(rfc3339: $0) }
        for rule in hits.map({ rules.rules[$0] }) {
            if let time, time < oldest {
                suppressed += 1
                continue
            }
            for target in rule.targets {
                deliveries[Key.delivery(event: key, rule: rule.identity, target: target).description] =
                    time ?? Timestamp(milliseconds: 0)
            }
        }
    }
}
