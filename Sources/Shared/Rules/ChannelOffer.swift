public import CarillonEvents

// The admin's switchboard: which channels there are, which events may use them, and for which regions. What is known when
// rules are checked is said then, with line and column; the rest is judged of each event.

/// The channels a deployment offers, and to which events.
public struct ChannelOffer: Sendable, Equatable {
    /// On what terms a channel is offered.
    public struct Terms: Sendable, Equatable {
        /// The types of events that may use it; `nil` for all.
        public var events: [EventSelector]?
        /// The regions whose events may use it; `nil` for all, those of no region included.
        public var regions: Set<String>?
        /// Makes terms.
        public init(events: [EventSelector]? = nil, regions: Set<String>? = nil) {
            (self.events, self.regions) = (events, regions)
        }
        /// Whether every event may use it.
        public var isFree: Bool { events == nil && regions == nil }
    }

    /// `nil` where everything is offered.
    private let terms: [String: Terms]?
    /// Why a channel that is not offered is not, to follow its name; "is not offered here" where nothing is said.
    private let reasons: [String: String]
    /// Whether every channel is offered to every event, so that none needs to be asked about.
    public let isFree: Bool

    /// Every channel for every event.
    public static let everything = ChannelOffer(terms: nil, reasons: [:])

    /// Offers these channels and no others.
    ///
    /// - Parameter reasons: why others are not, to follow the channel's name.
    public init(_ terms: [String: Terms], reasons: [String: String] = [:]) {
        self.init(terms: terms, reasons: reasons)
    }

    private init(terms: [String: Terms]?, reasons: [String: String]) {
        (self.terms, self.reasons) = (terms, reasons)
        isFree = terms?.values.allSatisfy(\.isFree) ?? true
    }

    /// Whether a channel is offered to every event.
    public func isFree(_ channel: String) -> Bool { terms.map { $0[channel]?.isFree ?? false } ?? true }

    /// The channels offered; `nil` for all.
    public var channels: Set<String>? { terms.map { Set($0.keys) } }

    /// Why a rule may not name the channel at all, in words; `nil` when it may.
    public func refusal(of channel: String) -> String? {
        guard let terms, terms[channel] == nil else { return nil }
        let offered = terms.keys.sorted().joined(separator: ", ")
        return "\(channel) \(reasons[channel] ?? "is not offered here"); offered: \(offered)"
    }

    /// Which of a rule's event selectors may not use the channel, never and in part.
    public func barred(
        _ events: [EventSelector], from channel: String
    ) -> (never: [EventSelector], partly: [EventSelector], allowed: [EventSelector]) {
        guard let allowed = terms?[channel]?.events else { return ([], [], []) }
        let never = events.filter { wanted in !allowed.contains { $0.overlaps(wanted) } }
        let partly = events.filter { wanted in
            !never.contains(wanted)
                && !Self.types(of: wanted).allSatisfy { part in allowed.contains { $0.covers(part) } }
        }
        return (never, partly, allowed)
    }

    /// An alias as its types, so that several selectors together may cover it.
    private static func types(of selector: EventSelector) -> [EventSelector] {
        guard let types = selector.types, types.count > 1 else { return [selector] }
        return types.compactMap { type in try? EventSelector(type) }
    }

    /// Whether this event may use the channel.
    ///
    /// An event's region is its `data.region`. Where that is absent, a segment of its `source` that is one of the
    /// channel's regions is as good: `/schedulers/cn-hangzhou/a`. An event of no region uses no channel that has regions.
    public func allows(_ channel: String, type: String, _ outline: EventOutline, in text: Span<UInt8>) -> Bool {
        guard !isFree, let terms = terms?[channel] else { return true }
        if let events = terms.events, !events.contains(where: { $0.selects(type) }) { return false }
        guard let regions = terms.regions else { return true }
        if let data = outline.data, let region = JSON.member("region", of: data, in: text) {
            return JSON.string(region, in: text).map(regions.contains) ?? false
        }
        let source = JSON.string(outline.source, in: text) ?? ""
        return source.split(separator: "/").contains { regions.contains(String($0)) }
    }
}

extension ChannelOffer {
    /// Says what a rule may not send over a channel, where the rule names it.
    func check(_ channel: String, for events: [EventSelector], at place: Place, _ findings: inout Findings) {
        if let refusal = refusal(of: channel) { return findings.report("channel \(refusal)", at: place) }
        let (never, partly, allowed) = barred(events, from: channel)
        let may = "only \(allowed.map(\.text).joined(separator: ", ")) may use channel \(channel)"
        if !never.isEmpty {
            findings.report("\(may), and this rule's \(never.map(\.text).joined(separator: ", ")) may not", at: place)
        } else if !partly.isEmpty {
            findings.warn(
                "\(may): others of \(partly.map(\.text).joined(separator: ", ")) will not be sent over it", at: place)
        }
    }
}
