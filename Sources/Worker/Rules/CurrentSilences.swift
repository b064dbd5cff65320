import CarillonEvents
import CarillonLedger
import CarillonRules
import Logging

/// The silences in force, compiled; asked of events that rules have selected, and of no others.
struct CurrentSilences {
    private struct One {
        let id: SilenceID
        let pattern: CompiledPattern
        let until: Timestamp
    }
    private var workspaces: [String: [One]] = [:]
    private var compiled: [SilenceID: CompiledPattern] = [:]

    /// Takes over what the ledger has now.
    mutating func replace(with silences: [Silence], _ logger: Logger) {
        var (workspaces, compiled): ([String: [One]], [SilenceID: CompiledPattern]) = ([:], [:])
        for silence in silences {
            guard let pattern = self.compiled[silence.id] ?? Self.compile(silence, logger) else { continue }
            compiled[silence.id] = pattern
            workspaces[silence.workspace, default: []].append(
                One(id: silence.id, pattern: pattern, until: Timestamp(milliseconds: silence.until)))
        }
        (self.workspaces, self.compiled) = (workspaces, compiled)
    }

    /// One that this worker cannot read (a newer Carillon added it) silences nothing: better told than lost.
    private static func compile(_ silence: Silence, _ logger: Logger) -> CompiledPattern? {
        do throws(PatternError) { return try CompiledPattern(silence.pattern) } catch {
            logger.error("silence \(silence.id) of \(silence.workspace) holds back nothing: \(error)")
            return nil
        }
    }

    /// The silence that holds at a moment for a workspace's rules, or, without one, for the rules of all; `nil` for none.
    ///
    /// - Parameter text: an event that has been checked.
    func holds(
        _ workspace: String?, _ text: Span<UInt8>, at now: Timestamp, _ scratch: inout MatchScratch
    ) -> SilenceID? {
        guard !workspaces.isEmpty else { return nil }
        for name in [workspace, RuleBook.everywhereName] {
            guard let name, let silences = workspaces[name] else { continue }
            for one in silences where one.until > now {
                if one.pattern.matches(text, using: &scratch) { return one.id }
            }
        }
        return nil
    }
}
