import CarillonEvents
import CarillonLedger
import CarillonRules

/// Brings rule documents into force: what `rules apply` does, and a watched folder.
struct RuleApplication {
    /// What came of it.
    struct Result {
        /// The difference, by workspace in order of names.
        var differences: [(workspace: String, lines: [String])] = []
        /// The revision in force.
        var revision: Revision = 0
        /// Pending deliveries that ended, as their rule or target is gone.
        var expired = 0
        /// Secrets that documents name and nobody has set.
        var missingSecrets: [(workspace: String, name: String)] = []
        /// Whether anything was changed.
        var isChange = false
    }

    private static let tries = 20

    let files: RuleFiles
    /// Whether what the documents omit is dropped.
    var prunes = false
    /// Whether deliveries of dropped rules and targets stay pending.
    var keepsPending = false

    /// Applies all workspaces in one transaction.
    ///
    /// - Throws: when the documents omit what is in force and `prunes` is false; then nothing is changed.
    func apply(_ workspaces: [WorkspaceRules], to desk: any LedgerDesk) throws -> Result {
        let sources = files.sources()
        for _ in 0..<Self.tries {
            let inForce = try desk.rules()
            var result = Result(revision: inForce.revision)
            let changes = try changes(workspaces, sources, inForce, &result)
            for rules in workspaces {
                let known = try desk.secrets(of: rules.workspace).map(\.name)
                result.missingSecrets += rules.secretNames.subtracting(known).sorted().map { (rules.workspace, $0) }
            }
            guard !changes.isEmpty else { return result }
            let applied = try desk.apply(
                changes, base: inForce.revision, keepPending: keepsPending, now: clock.now())
            if let applied {
                (result.revision, result.expired, result.isChange) = (applied.revision, applied.expired, true)
                return result
            }
        }
        throw Failure("the rules were changed by others at every try; try again when they are done")
    }

    private func changes(
        _ workspaces: [WorkspaceRules], _ sources: [String: [SourceText]], _ inForce: RuleSources,
        _ result: inout Result
    ) throws(Failure) -> [RuleChange] {
        var changes: [RuleChange] = []
        for rules in workspaces.sorted(by: { $0.workspace < $1.workspace }) {
            let texts = sources[rules.workspace] ?? []
            guard inForce.workspaces[rules.workspace] != texts else { continue }
            try note(old: inForce.workspaces[rules.workspace], new: rules, rules.workspace, &result)
            changes.append(RuleChange(workspace: rules.workspace, sources: texts, living: rules.livingTargets))
        }
        guard prunes, files.hasFolder else { return changes }
        for workspace in inForce.workspaces.keys.sorted() where sources[workspace] == nil {
            try note(old: inForce.workspaces[workspace], new: nil, workspace, &result)
            changes.append(RuleChange(workspace: workspace, sources: [], living: [:]))
        }
        return changes
    }

    private func note(
        old: [SourceText]?, new: WorkspaceRules?, _ workspace: String, _ result: inout Result
    ) throws(Failure) {
        let before = old.flatMap { texts in
            RuleDocuments.load(texts.map { (file: $0.file, text: $0.text) }, limits: .inForce)
                .workspaces.first { $0.workspace == workspace }
        }
        let lines = RuleDifference.between(old: before, new: new)
        let dropped = lines.filter { $0.hasPrefix("- ") }.map { $0.dropFirst(2) }
        guard prunes || dropped.isEmpty else {
            throw Failure(
                "nothing applied: the files omit \(dropped.joined(separator: ", ")) of \(printable(workspace)); "
                    + "give --prune to drop what they omit, or add it to the files")
        }
        result.differences.append((workspace, lines))
    }
}
