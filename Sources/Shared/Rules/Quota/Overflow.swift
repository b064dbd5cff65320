/// What becomes of a message to a person when its channel's quota is used up.
public struct Overflow: Sendable, Hashable {
    /// Other channels of the same contact, in the order in which they are tried.
    public let channels: [PeopleChannel]
    /// What becomes of it when none of them has room, in the words of documents.
    public enum Last: String, Sendable, CaseIterable {
        /// It waits.
        case waits = "defer"
        /// It is told with others in one message, when there is room again.
        case digested = "digest"
        /// It is withheld.
        case suppressed = "suppress"
    }
    /// What becomes of it when none of them has room.
    public let last: Last

    init(_ channels: [PeopleChannel], last: Last = .waits) { (self.channels, self.last) = (channels, last) }

    /// Of messages that tell what was withheld.
    public static let withheld = Overflow([.inbox])

    /// The ladder where the rule says none: what costs money goes where the contact prefers, else by mail, before it waits.
    public static func standard(on channel: PeopleChannel, for contact: Contact) -> Overflow {
        switch channel {
        case .sms, .voice:
            Overflow((contact.prefer.isEmpty ? [.mail] : contact.prefer).filter { $0 != channel })
        case .mail, .inbox: Overflow([])
        }
    }
}

extension Overflow {
    /// Reads a ladder of a channel; what is wrong is reported and `nil` returned.
    init?(_ tree: Tree, on channel: PeopleChannel?, _ findings: inout Findings) {
        guard let items = tree.list("'overflow'", &findings) else { return nil }
        guard !items.isEmpty else {
            findings.report("'overflow' is empty; write channels, then defer, digest or suppress", at: tree.place)
            return nil
        }
        var channels: [PeopleChannel] = []
        var last = Last.waits
        for (index, item) in items.enumerated() {
            guard let word = item.text("a step of 'overflow'", &findings) else { return nil }
            if let end = Last(rawValue: word) {
                guard index == items.count - 1 else {
                    findings.report("'\(word)' ends the ladder; nothing can follow it", at: item.place)
                    return nil
                }
                last = end
            } else if let step = Self.channel(word, on: channel, after: channels, item.place, &findings) {
                channels.append(step)
            } else {
                return nil
            }
        }
        self.init(channels, last: last)
    }

    private static func channel(
        _ word: String, on own: PeopleChannel?, after known: [PeopleChannel], _ place: Place, _ findings: inout Findings
    ) -> PeopleChannel? {
        guard let channel = PeopleChannel(rawValue: word) else {
            let words = PeopleChannel.allCases.map(\.rawValue) + Last.allCases.map(\.rawValue)
            findings.report("'\(word.shortened)' is no step of 'overflow'\(hint(word, words))", at: place)
            return nil
        }
        guard PeopleChannel.built.contains(channel) else {
            findings.notYet("the channel '\(word)'", at: place)
            return nil
        }
        if channel == own || known.contains(channel) {
            findings.report("'\(word)' has no room by then; name another channel", at: place)
            return nil
        }
        return channel
    }
}
