import CarillonEvents

// Why an event does not fit a pattern: the first field, in the order of the paths, that makes it so. It is asked of the
// matcher itself, with the beginnings of the pattern as patterns of their own, so the answer cannot stray from what
// decided. Slow, and only for people who ask.

/// The first of a pattern's fields that an event does not fit.
public struct PatternMiss: Sendable, Hashable {
    /// The field's path.
    public let path: String
    /// What the pattern wants there, as the pattern says it.
    public let expected: String
    /// The values that stand there, as JSON, shortened; empty when there is none.
    public let found: [String]
    /// Whether a value that fits is there, but in another element of a list than the fields before.
    public let isApart: Bool
    /// How many combinations of `$or` there are, of which this is the one the event comes nearest to.
    public let branches: Int
}

extension Pattern {
    /// How many combinations are looked at; the others are of no more use to whoever reads the answer.
    private static let looked = 64
    private static let valuesShown = 4

    /// Why the object does not fit; `nil` when it does.
    func miss(_ text: Span<UInt8>) -> PatternMiss? {
        var nearest: (branch: Branch, fits: Int, share: Double)?
        for branch in branches.prefix(Self.looked) {
            let fits = branch.longestFit(text)
            if fits == branch.fields.count { return nil }
            let share = Double(fits) / Double(branch.fields.count)
            if let known = nearest, known.share >= share { continue }
            nearest = (branch, fits, share)
        }
        guard let (branch, fits, _) = nearest, branches.count <= Self.looked || !fit(text) else { return nil }
        let field = branch.fields[fits]
        return PatternMiss(
            path: field.path.text, expected: field.tests.words, found: Self.values(at: field.path.text, in: text),
            isApart: Pattern(branches: [Branch(fields: [field])]).fit(text), branches: branches.count)
    }

    /// Whether the object fits.
    func fit(_ text: Span<UInt8>) -> Bool {
        var scratch = MatchScratch()
        PatternMatcher([(0, self)]).match(text, using: &scratch)
        return !scratch.hits.isEmpty
    }

    private static func values(at path: String, in text: Span<UInt8>) -> [String] {
        guard let root = JSON.value(in: text, at: 0) else { return [] }
        var found: [String] = []
        collect(path[...], root, text, &found)
        return found
    }

    /// Follows a path; `nil` when all its names are followed.
    private static func collect(_ path: Substring?, _ value: Slice, _ text: Span<UInt8>, _ found: inout [String]) {
        guard found.count < valuesShown else { return }
        switch JSON.kind(of: value, in: text) {
        case .array:
            JSON.elements(of: value, in: text) { element in
                collect(path, element, text, &found)
                return found.count < valuesShown
            }
        case .object:
            guard let path else { return }
            JSON.members(of: value, in: text) { key, inner in
                guard let name = JSON.string(key, in: text) else { return true }
                if path.utf8.elementsEqual(name.utf8) {
                    collect(nil, inner, text, &found)
                } else if path.utf8.starts(with: (name + ".").utf8) {
                    collect(Substring(path.utf8.dropFirst(name.utf8.count + 1)), inner, text, &found)
                }
                return found.count < valuesShown
            }
        default: if path == nil { found.append(shown(value, text)) }
        }
    }

    private static func shown(_ value: Slice, _ text: Span<UInt8>) -> String {
        let limit = 120
        let raw = text.extracting(value.start..<min(value.end, value.start + limit))
        return String(decoding: Array(copying: raw), as: UTF8.self) + (value.count > limit ? "…" : "")
    }
}

extension Pattern.Branch {
    /// How many of the fields, from the first on, the object fits together.
    ///
    /// More fields never fit what fewer did not, so it is searched by halves.
    fileprivate func longestFit(_ text: Span<UInt8>) -> Int {
        var (fits, fails) = (0, fields.count + 1)
        while fails - fits > 1 {
            let middle = (fits + fails) / 2
            let part = Pattern(branches: [Pattern.Branch(fields: Array(fields[..<middle]))])
            if part.fit(text) { fits = middle } else { fails = middle }
        }
        return fits
    }
}
