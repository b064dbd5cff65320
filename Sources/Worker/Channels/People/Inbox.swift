public import CarillonEvents
import CarillonLedger

/// A page in the ledger that a person will read.
///
/// Nothing is sent: the courier says yes at once, and the settlement keeps the page beside the delivery, in the one
/// transaction that ends it. So there is neither a page without its delivery nor a copy.
public struct InboxChannel: PersonalChannel {
    /// `inbox`.
    public var name: String { "inbox" }

    /// Makes the channel from `channels.inbox`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> InboxChannel {
        _ = try SettingsReading("inbox", settings, known: [])
        return InboxChannel()
    }

    /// The page; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let notice = outgoing.notice
        let page = InboxPage(
            title: notice.title.onOneLine.shortened(bytes: 1024), message: notice.message,
            severity: notice.severity, url: notice.link)
        return Request(method: "", url: "", headers: HeaderLines(), body: [], transport: .page(page))
    }

    /// Never asked: a page has no answer.
    public func outcome(of answer: Response) -> Outcome { .delivered }
}
