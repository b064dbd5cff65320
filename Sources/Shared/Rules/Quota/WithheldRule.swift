import CarillonEvents

extension Rule {
    /// The rule behind messages that tell a contact what was withheld, in every workspace and in no document.
    ///
    /// Such a message is told like any other: charged, tried again, listed. Its event is Carillon's own.
    public static let withheld = Rule(
        name: withheldName, identity: withheldName, enabled: true, events: [], scope: nil, severity: .warning,
        targets: [], condition: nil, onError: .send,
        title: try? Template("{{ data.count }} withheld since {{ data.since }}"),
        message: try? Template(
            """
            {{ data.count }} messages for {{ data.target }} were withheld since {{ data.since }}, as their quota was used up.
            What is withheld since then is not told again before {{ data.until }}. To see it:
            carillon deliveries list --workspace {{ workspace }} --contact {{ data.contact }} --reason quota
            """), expireAfter: defaultExpiry, order: .none, file: "", line: 0, dedup: nil, pattern: nil,
        isPerRule: true)

    private static let withheldName = "$withheld"
}

extension WorkspaceRules {
    /// A rule by its identity: one of the documents', or Carillon's own.
    public func rule(_ identity: String) -> Rule? {
        rules.first { $0.identity == identity } ?? (identity == Rule.withheld.identity ? Rule.withheld : nil)
    }
}
