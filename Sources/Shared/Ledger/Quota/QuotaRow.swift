import CarillonEvents

/// A scope of quotas, as people see it.
public struct QuotaRow: Sendable {
    /// The scope.
    public var scope: String
    /// The workspace and target it was last charged for.
    public var label: String
    /// What was sent.
    public var log: SendLog
    /// When it was last reset by hand, in milliseconds since the epoch, and by whom.
    public var resetAt: Int64?
    /// Who reset it.
    public var resetBy: String?
    /// Makes one.
    public init(scope: String, label: String, log: SendLog, resetAt: Int64? = nil, resetBy: String? = nil) {
        (self.scope, self.label, self.log) = (scope, label, log)
        (self.resetAt, self.resetBy) = (resetAt, resetBy)
    }
}

/// A lane by its name.
public struct LaneName: Sendable, Hashable {
    /// Whose rules, and what they tell.
    public var workspace, target: String
    /// Makes one.
    public init(workspace: String, target: String) { (self.workspace, self.target) = (workspace, target) }
}

/// How much a contact did not get in a window, as the contact is told.
public struct QuotaNotice: Sendable, Hashable {
    /// Who is told: the workspace, and the target; of an inbox it is a page there, of any other a message.
    public var workspace, target: String
    /// What was withheld, by the target it was for.
    public var spent: String
    /// From when to when it counts, in milliseconds since the epoch.
    public var since, until: Int64
    /// How many.
    public var count: Int64
    /// When the message is due, in milliseconds since the epoch; `nil` for a page, and once the message was decided.
    public var messageAt: Int64?
    /// Makes one.
    public init(
        workspace: String, target: String, spent: String, since: Int64, until: Int64, count: Int64,
        messageAt: Int64? = nil
    ) {
        (self.workspace, self.target, self.spent) = (workspace, target, spent)
        (self.since, self.until, self.count, self.messageAt) = (since, until, count, messageAt)
    }

    /// The first of what a toll withholds, or one more of it.
    package init(_ toll: Toll, of workspace: String, spent: String, at now: Int64, to target: String) {
        let window = toll.routes.first?.charges.flatMap(\.limits).map(\.window).max() ?? 1
        self.init(
            workspace: workspace, target: target, spent: spent, since: now, until: now + window, count: 1,
            messageAt: toll.noticeAfter.map { now + $0.milliseconds })
    }
}

extension QuotaNotice {
    /// Its page in the inbox; there is one for each window, and it counts on until the window is over.
    package var row: InboxRow {
        var key = KeyHasher("quota notice")
        for part in [workspace, target, spent, String(since)] { key.add(part) }
        let day = Timestamp(milliseconds: since).rfc3339
        let page = InboxPage(
            title: "\(count) withheld since \(day)",
            message: "\(count) of \(spent) were withheld since \(day), as their quota was used up; "
                + "carillon deliveries list --contact \(target.drop { $0 != "/" }.dropFirst()) --reason quota",
            severity: "warning")
        return InboxRow(key: key.key().description, at: since, page: page)
    }
}

extension [InboxRow] {
    /// The newest of these and of what their reader is told of quotas.
    package func with(_ notices: [QuotaNotice], of target: String, limit: Int) -> [InboxRow] {
        let told = notices.filter { $0.target == target }.map(\.row)
        return told.isEmpty ? self : Array((self + told).sorted { $0.at > $1.at }.prefix(limit))
    }
}
