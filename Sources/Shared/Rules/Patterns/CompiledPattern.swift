import CarillonEvents

/// Why a text is no pattern.
public struct PatternError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The names and list places that lead to the fault, `data.state[0].prefix`; empty for the pattern itself.
    public let path: String
    /// What is wrong there and, where it can be said, what to write instead.
    public let reason: String
    /// The path and what is wrong there.
    public var description: String { path.isEmpty ? "the pattern: \(reason)" : "the pattern's \(path): \(reason)" }
}

/// One pattern, ready to be met by any JSON objects.
public final class CompiledPattern: Sendable {
    private let matcher: PatternMatcher

    /// Reads a pattern from its JSON.
    ///
    /// - Throws: the first fault, with its path.
    public init(_ json: String) throws(PatternError) {
        guard json.utf8.count <= PatternLimit.bytes else {
            throw PatternError(path: "", reason: "a pattern may have \(PatternLimit.bytes >> 20) MiB")
        }
        let pattern = try Pattern(json: json.utf8.span)
        if let cost = PatternCost.worst(of: CollectionOfOne(pattern)), cost.wildcards > PatternCost.limit {
            throw PatternError(path: cost.path, reason: cost.reason)
        }
        matcher = PatternMatcher([(0, pattern)])
    }

    /// Whether an object fits the pattern.
    ///
    /// - Parameters:
    ///   - text: one JSON object that has been checked (`JSON.check`); anything else does not fit.
    ///   - scratch: the caller's memory; with it an object costs no allocation.
    public func matches(_ text: Span<UInt8>, using scratch: inout MatchScratch) -> Bool {
        scratch.hits.removeAll(keepingCapacity: true)
        matcher.match(text, using: &scratch)
        return !scratch.hits.isEmpty
    }
}

extension Pattern {
    /// Reads a pattern from JSON text.
    init(json text: Span<UInt8>) throws(PatternError) {
        do throws(JSONError) {
            try JSON.check(text)
        } catch {
            throw PatternError(path: "", reason: "\(error)")
        }
        guard let root = JSON.value(in: text, at: 0) else { throw PatternError(path: "", reason: "there is none") }
        var reader = PatternReader()
        if let pattern = reader.read(PatternForm(root, in: text)) {
            self = pattern
            return
        }
        let fault = reader.faults.first { !$0.isWarning }
        throw PatternError(path: fault?.path ?? "", reason: fault?.reason ?? "it cannot be read")
    }
}

/// Many patterns, met by an event at once: what the rules of a workspace are made of.
public final class CompiledPatterns: Sendable {
    private let matcher: PatternMatcher

    /// Reads patterns from their JSON.
    ///
    /// - Throws: the first fault, with its path.
    public init(_ patterns: some Sequence<String>) throws(PatternError) {
        var plan = PatternPlan()
        for (place, json) in patterns.enumerated() { plan.add(try Pattern(json: json.utf8.span), of: place) }
        plan.finish()
        matcher = PatternMatcher(plan)
    }

    /// Appends the places of the patterns that an object fits, in rising order, each once.
    ///
    /// - Parameters:
    ///   - text: one JSON object that has been checked (`JSON.check`); anything else does not fit.
    ///   - hits: where the places go.
    ///   - scratch: the caller's memory; with it an object costs no allocation.
    public func match(_ text: Span<UInt8>, into hits: inout [Int], using scratch: inout MatchScratch) {
        scratch.hits.removeAll(keepingCapacity: true)
        matcher.match(text, using: &scratch)
        scratch.collect(into: &hits)
    }
}
