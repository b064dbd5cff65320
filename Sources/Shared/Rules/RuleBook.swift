/// The rules of all workspaces at one revision.
///
/// Never changes; workers swap it whole.
public final class RuleBook: Sendable {
    /// The workspace whose rules see the events of every workspace.
    public static let everywhereName = "*"

    /// The revision of rules and secrets that made it.
    public let revision: Int64
    /// All workspaces that have documents, but for the one named `*`.
    public let workspaces: [WorkspaceRules]
    /// The rules that see every workspace; `nil` when there are none, so that they cost nothing then.
    public let everywhere: WorkspaceRules?
    private let places: ByteTable

    /// Binds workspaces to a book.
    ///
    /// Of two with one name the first counts.
    public init(revision: Int64, workspaces: [WorkspaceRules]) {
        self.revision = revision
        self.workspaces = workspaces.filter { $0.workspace != Self.everywhereName }
        everywhere = workspaces.first { $0.workspace == Self.everywhereName }
        var places = ByteTable()
        for (place, rules) in self.workspaces.enumerated() where places.find(0, rules.workspace.utf8.span) == nil {
            places.insert(0, rules.workspace.utf8.span, place)
        }
        self.places = places
    }

    private init(_ revision: Int64, _ workspaces: [WorkspaceRules], _ everywhere: WorkspaceRules?, _ places: ByteTable)
    {
        (self.revision, self.workspaces, self.everywhere, self.places) = (revision, workspaces, everywhere, places)
    }

    /// The book of a later revision, in which some workspaces are other ones and the rest is shared.
    ///
    /// - Parameters:
    ///   - revision: the later revision.
    ///   - changed: each changed workspace by its name; `nil` for those that have no documents any more.
    public func replacing(_ changed: [String: WorkspaceRules?], revision: Int64) -> RuleBook {
        var everywhere = everywhere
        var workspaces = workspaces
        var places = places
        var isRemoved = false
        for (name, rules) in changed {
            if name == Self.everywhereName {
                everywhere = rules
            } else if let place = places.find(0, name.utf8.span) {
                if let rules { workspaces[place] = rules } else { isRemoved = true }
            } else if let rules {
                places.insert(0, name.utf8.span, workspaces.count)
                workspaces.append(rules)
            }
        }
        guard isRemoved else { return RuleBook(revision, workspaces, everywhere, places) }
        let left = workspaces.filter { changed[$0.workspace, default: $0] != nil } + [everywhere].compactMap(\.self)
        return RuleBook(revision: revision, workspaces: left)
    }

    /// The rules of a workspace, its name given as UTF-8 without quotes.
    ///
    /// Allocates nothing.
    public func rules(of workspace: Span<UInt8>) -> WorkspaceRules? {
        places.find(0, workspace).map { workspaces[$0] }
    }

    /// The rules of a workspace; those of `*` by that name.
    public func rules(of workspace: String) -> WorkspaceRules? {
        workspace == Self.everywhereName ? everywhere : rules(of: workspace.utf8.span)
    }

    /// Whether some rule, the workspace's own or one for every workspace, wants this type of event.
    ///
    /// Allocates nothing. Both names are given as UTF-8 without quotes.
    public func wants(workspace: Span<UInt8>, type: Span<UInt8>) -> Bool {
        if let everywhere, everywhere.interest(inType: type) != nil { return true }
        return rules(of: workspace)?.interest(inType: type) != nil
    }
}
