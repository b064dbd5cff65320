// Reading a mapping whose keys are known: what is not known is refused with the nearest known word, what CONTRACT
// promises but is not built is refused as "not yet", and never is a key ignored.

/// The keys a kind of mapping may have.
struct Vocabulary {
    /// What the mapping is, with its article: "a rule".
    let what: String
    let known: [String]
    /// Keys that are promised and not built, with what they would do.
    let later: [String: String]

    init(_ what: String, known: [String], later: [String: String] = [:]) {
        (self.what, self.known, self.later) = (what, known, later)
    }
}

/// The values of a mapping by their keys.
struct Fields {
    let place: Place
    private var values: [String: (key: Place, value: Tree)] = [:]
    /// Known keys that refused ones were taken for: their absence needs no further word.
    private var meant: Set<String> = []
    /// Whether some key is promised and not built.
    private(set) var hasUnbuilt = false

    /// Reads a mapping; reports and leaves out what the vocabulary lacks.
    ///
    /// `nil` when the tree is no mapping.
    init?(_ tree: Tree, _ vocabulary: Vocabulary, _ findings: inout Findings) {
        guard case .mapping(let pairs) = tree.content else {
            findings.report("\(vocabulary.what) is a mapping, not \(tree.kind)", at: tree.place)
            return nil
        }
        place = tree.place
        for (key, value) in keyed(pairs, &findings) {
            let (name, place) = key
            if vocabulary.known.contains(name) {
                values[name] = (place, value)
            } else if let what = vocabulary.later[name] {
                findings.notYet("'\(name)' (\(what))", at: place)
                hasUnbuilt = true
            } else if name == "<<" {
                findings.report("merge keys ('<<') are not part of YAML 1.2", at: place)
            } else {
                let words = vocabulary.known + vocabulary.later.keys
                findings.report("unknown key '\(name.shortened)' in \(vocabulary.what)\(hint(name, words))", at: place)
                if let word = nearest(name, words) { meant.insert(word) }
            }
        }
    }

    /// The value of a key; `nil` when it is absent.
    subscript(_ key: String) -> Tree? { values[key]?.value }

    /// Whether a refused key was near to one of these.
    func meantOne(of keys: [String]) -> Bool { !meant.isDisjoint(with: keys) }

    /// Where the key stands.
    func place(of key: String) -> Place { values[key]?.key ?? place }

    /// The value of a key that has to be there.
    func required(_ key: String, in what: String, _ findings: inout Findings) -> Tree? {
        guard let value = self[key] else {
            if !meant.contains(key) { findings.report("\(what) needs '\(key)'", at: place) }
            return nil
        }
        return value
    }
}

/// The pairs of a mapping whose keys are free text, each key once.
func keyed(
    _ pairs: [(key: Tree, value: Tree)], _ findings: inout Findings
) -> [(key: (name: String, place: Place), value: Tree)] {
    var seen: Set<String> = []
    return pairs.compactMap { key, value in
        guard let scalar = key.scalar else {
            findings.report("a key is text, not \(key.kind)", at: key.place)
            return nil
        }
        guard seen.insert(scalar.text).inserted else {
            findings.report("duplicate key '\(scalar.text.shortened)'", at: key.place)
            return nil
        }
        return ((scalar.text, key.place), value)
    }
}

/// "; did you mean 'x'?" when a known word is near.
func hint(_ word: String, _ known: some Sequence<String>) -> String {
    nearest(word, known).map { "; did you mean '\($0)'?" } ?? ""
}

/// The known word that was probably meant; `nil` when none is near.
func nearest(_ word: String, _ known: some Sequence<String>) -> String? {
    guard word.utf8.count <= 40 else { return nil }
    let lowered = word.lowercased()
    let near = known.map { ($0, editDistance(lowered, $0.lowercased())) }
        .filter { $0.1 <= max(1, min(2, $0.0.count / 3)) }
    return near.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
}

/// How many letters must be put in, left out or changed, or neighbours swapped, to make one word the other.
func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard abs(a.count - b.count) <= 3 else { return .max }
    var before: [Int] = []
    var above = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var best = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
            row.append(best)
        }
        (before, above) = (above, row)
    }
    return above[b.count]
}

// MARK: - Single values

extension Tree {
    /// The text of a scalar, whatever it would mean elsewhere: `NO`, `22:00` and `1e5` are text here.
    func text(_ what: String, _ findings: inout Findings) -> String? {
        guard let scalar, !scalar.isNull else {
            findings.report("\(what) is text, not \(kind)", at: place)
            return nil
        }
        return scalar.text
    }

    /// A name of a workspace, rule, endpoint or secret: 1 to 128 bytes without control characters.
    func name(_ what: String, _ findings: inout Findings) -> String? {
        guard let name = text(what, &findings) else { return nil }
        if let fault = nameFault(name) {
            findings.report("\(what) \(fault)", at: place)
            return nil
        }
        return name
    }

    /// `true` or `false`, and nothing else that older YAML took for them.
    func bool(_ what: String, _ findings: inout Findings) -> Bool? {
        guard case .bool(let value)? = scalar?.meaning else {
            let found = scalar.map { "\($0.style == .plain ? "" : "the text ")'\($0.text.shortened)'" } ?? kind
            findings.report("\(what) is true or false, not \(found)", at: place)
            return nil
        }
        return value
    }

    /// The elements of a list.
    func list(_ what: String, _ findings: inout Findings) -> [Tree]? {
        guard case .list(let items) = content else {
            findings.report("\(what) is a list, such as [a, b], not \(kind)", at: place)
            return nil
        }
        return items
    }

    /// One of a few words.
    func word<Word: RawRepresentable<String> & CaseIterable>(
        _ what: String, as type: Word.Type, later: [String] = [], _ findings: inout Findings
    ) -> Word? {
        guard let text = text(what, &findings) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue)
        if later.contains(text) {
            findings.notYet("\(what) '\(text)'; this build knows \(words.joined(separator: ", "))", at: place)
        } else {
            let all = words.joined(separator: ", ")
            findings.report("\(what) is one of \(all), not '\(text.shortened)'\(hint(text, words))", at: place)
        }
        return nil
    }

    /// A span of time: whole numbers with units, largest first, such as `30s`, `10m`, `6h`, `7d` or `1h30m`.
    func duration(_ what: String, in range: ClosedRange<Duration>, _ findings: inout Findings) -> Duration? {
        guard let text = text(what, &findings) else { return nil }
        guard let span = Duration(spelled: text) else {
            findings.report(
                "\(what) is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '\(text.shortened)'", at: place)
            return nil
        }
        guard range.contains(span) else {
            let (low, high) = (range.lowerBound.spelled, range.upperBound.spelled)
            findings.report("\(what) is between \(low) and \(high), not \(text)", at: place)
            return nil
        }
        return span
    }
}

/// What is wrong with the name of a workspace, rule, endpoint or secret, to follow what it names; `nil` when nothing is.
public func nameFault(_ name: String) -> String? {
    if name.isEmpty { return "is empty" }
    if name.utf8.count > 128 { return "is longer than 128 bytes" }
    if name.unicodeScalars.contains(where: \.isControl) { return "has a control character" }
    return nil
}

extension Duration {
    private static let units: [(sign: UInt8, seconds: Int64)] = [
        (UInt8(ascii: "d"), 86_400), (UInt8(ascii: "h"), 3600), (UInt8(ascii: "m"), 60), (UInt8(ascii: "s"), 1),
    ]

    /// Reads `30s`, `10m`, `6h`, `7d` and combinations from the largest unit down, each at most once.
    init?(spelled text: String) {
        var rest = text.utf8[...]
        var units = Self.units[...]
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count), let count = Int64(Substring(digits)),
                let unit = units.firstIndex(where: { $0.sign == rest.dropFirst(digits.count).first })
            else { return nil }
            total += count * units[unit].seconds
            units = units[(unit + 1)...]
            rest = rest.dropFirst(digits.count + 1)
        }
        self = .seconds(total)
    }

    /// The duration as documents spell it, whole seconds.
    var spelled: String {
        var rest = components.seconds
        var text = ""
        for (sign, seconds) in Self.units where rest >= seconds {
            text += "\(rest / seconds)\(Character(UnicodeScalar(sign)))"
            rest %= seconds
        }
        return text.isEmpty ? "0s" : text
    }
}
