/// A notification as a person will read it: what the channel `inbox` leaves in the ledger.
///
/// To whom it belongs and which event it is about is said by its delivery.
public struct InboxPage: Sendable, Hashable {
    /// The rendered text.
    public var title, message: String
    /// How much it matters, in the rules' words.
    public var severity: String
    /// Where to look, when the event had an address.
    public var url: String?

    /// Makes one.
    public init(title: String, message: String, severity: String, url: String? = nil) {
        (self.title, self.message, self.severity, self.url) = (title, message, severity, url)
    }
}

/// A page in somebody's inbox.
public struct InboxRow: Sendable {
    /// The delivery's key.
    public var key: String
    /// When it came, in milliseconds since the epoch.
    public var at: Int64
    /// What it says.
    public var page: InboxPage

    /// Makes one.
    public init(key: String, at: Int64, page: InboxPage) { (self.key, self.at, self.page) = (key, at, page) }
}
