/// A text of a rule document with the name people know it by.
public struct SourceText: Sendable, Hashable, Codable {
    /// The file's name, for messages.
    public var file: String
    /// Its YAML.
    public var text: String
    /// Makes one.
    public init(file: String, text: String) { (self.file, self.text) = (file, text) }
}

/// All documents in force.
public struct RuleSources: Sendable {
    /// The revision they make together.
    public var revision: Revision
    /// By workspace.
    public var workspaces: [String: [SourceText]]
    /// The revision each workspace last changed at.
    public var changed: [String: Revision]
    /// Makes one.
    public init(revision: Revision, workspaces: [String: [SourceText]], changed: [String: Revision]) {
        (self.revision, self.workspaces, self.changed) = (revision, workspaces, changed)
    }
}
