import CarillonEvents
import CarillonLedger
import CarillonRules
import Logging

/// The rules in force, compiled, and those of earlier revisions that waiting deliveries were decided by.
///
/// Only what changed is read and compiled anew. A document that this worker cannot read (a newer one applied it) leaves its
/// workspace's last good rules in force and says so.
struct CurrentRules {
    private struct Old: Hashable {
        let workspace: String
        let revision: Revision
    }
    private static let oldKept = 256

    private(set) var current = RuleBook(revision: 0, workspaces: [])
    private var changed: [String: Revision] = [:]
    private var old: [Old: WorkspaceRules] = [:]
    /// Read whenever the rules are: a new one is a new revision.
    private(set) var silences = CurrentSilences()
    private let clock: any Clock
    private let logger: Logger

    init(clock: any Clock, logger: Logger) { (self.clock, self.logger) = (clock, logger) }

    /// Reads what the ledger has now.
    mutating func refresh(from ledger: any Ledger) throws(LedgerError) {
        var sources = try ledger.rules(changedSince: current.revision)
        var (book, changed) = (current, changed)
        if sources.revision < current.revision {
            // An older ledger was put back: nothing we know holds.
            sources = try ledger.rules(changedSince: 0)
            (book, changed) = (RuleBook(revision: 0, workspaces: []), [:])
        }
        var changes: [String: WorkspaceRules?] = [:]
        for (workspace, texts) in sources.workspaces {
            changed[workspace] = texts.isEmpty ? nil : sources.changed[workspace]
            changes[workspace] =
                if texts.isEmpty {
                    .some(nil)
                } else if let compiled = compile(texts, of: workspace) ?? book.rules(of: workspace) {
                    compiled
                } else {
                    try lastGood(of: workspace, before: sources.changed[workspace] ?? 0, ledger)
                }
        }
        silences.replace(with: try ledger.silences(at: clock.now()), logger)
        self.changed = changed
        current = book.replacing(changes, revision: sources.revision)
        logger.debug("rules are at revision \(sources.revision)", metadata: ["changed": "\(changes.count)"])
    }

    /// The rules of a workspace as they were when `revision` decided; `nil` when there were none or they are unreadable.
    mutating func rules(
        of workspace: String, at revision: Revision, from ledger: any Ledger
    ) throws(LedgerError) -> WorkspaceRules? {
        if revision > current.revision { try refresh(from: ledger) }
        if let since = changed[workspace], since <= revision { return current.rules(of: workspace) }
        let name = Old(workspace: workspace, revision: revision)
        if let known = old[name] { return known }
        guard let compiled = compile(try ledger.rules(of: workspace, at: revision), of: workspace) else { return nil }
        if old.count >= Self.oldKept { old = [:] }
        old[name] = compiled
        return compiled
    }

    /// The newest form before `revision` that this worker can read.
    ///
    /// - Throws: when there is none. Without rules the workspace's events would count as unmatched and be gone.
    private func lastGood(
        of workspace: String, before revision: Revision, _ ledger: any Ledger
    ) throws(LedgerError) -> WorkspaceRules {
        for earlier in stride(from: revision - 1, to: max(0, revision - 1_000), by: -1) {
            let texts = try ledger.rules(of: workspace, at: earlier)
            if texts.isEmpty { break }
            if let compiled = compile(texts, of: workspace) { return compiled }
        }
        throw LedgerError(
            .other, doing: "read the rules of \(workspace)",
            cause: "a newer Carillon has applied them; run that one, or apply rules that this one reads")
    }

    private func compile(_ texts: [SourceText], of workspace: String) -> WorkspaceRules? {
        guard !texts.isEmpty else { return nil }
        let loaded = RuleDocuments.load(texts.map { (file: $0.file, text: $0.text) }, limits: .inForce)
        let problems = loaded.problems.filter { !$0.isWarning }
        if let problem = problems.first {
            logger.error("rules of \(workspace) keep their last good form: \(problem)")
            return nil
        }
        for problem in loaded.problems { logger.notice("rules of \(workspace): \(problem)") }
        return loaded.workspaces.first { $0.workspace == workspace }
    }
}
