// A YAML file as a tree of places and texts, before anyone asks what a text means.
//
// Yams reads the syntax; three things are ours. Which scalar is a number, a boolean or just text is decided by who asks
// (`Scalar`), by YAML 1.2's core schema: `NO` and `22:00` are text. An alias is expanded here and not by Yams, because
// a few lines of aliases to aliases are an exponential tree that Yams would walk: before it parses, each `*` becomes a
// private character that stands nowhere else, so that an alias arrives as a scalar with that first character.
// And a file is bounded in bytes, values and depth, so that none costs more than it is worth.

import CYaml
import Yams

/// A value of a YAML file with its place.
struct Tree {
    enum Content {
        case scalar(Scalar)
        case list([Tree])
        case mapping([(key: Tree, value: Tree)])
    }
    let place: Place
    let content: Content
    /// How many values it holds once its aliases are expanded, itself included, and how deep they go.
    let weight, depth: Int
    /// How many bytes of text it holds once its aliases are expanded.
    let bytes: Int

    init(place: Place, content: Content) {
        let parts: [Tree] =
            switch content {
            case .scalar: []
            case .list(let items): items
            case .mapping(let pairs): pairs.flatMap { [$0.key, $0.value] }
            }
        (self.place, self.content) = (place, content)
        weight = parts.reduce(1) { $0 + $1.weight }
        let own = if case .scalar(let scalar) = content { scalar.text.utf8.count } else { 0 }
        bytes = parts.reduce(own) { $0 + $1.bytes }
        depth = 1 + (parts.lazy.map(\.depth).max() ?? 0)
    }

    /// What it is, in words for a message.
    var kind: String {
        switch content {
        case .scalar(let scalar) where scalar.isNull: "nothing"
        case .scalar: "a single value"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }

    /// The scalar, if it is one.
    var scalar: Scalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
}

/// What one file may cost.
enum FileLimit {
    static let bytes = 4 << 20
    /// Signs that can begin a value: an upper bound of how many values a parser would make.
    static let separators = 500_000
    /// Values of a document with its aliases expanded.
    static let values = 200_000
    /// Bytes of text of a document with its aliases expanded.
    static let text = 2 * bytes
    static let depth = 64
    /// How deep the parser itself may go, which is beyond `depth`, so that most files are told the place.
    ///
    /// Its thousand levels would take four megabytes of stack, as in a list each bracket may also open a pair
    /// (`[a: [a: …`) and composing calls itself; a thread may have fewer.
    static let parserDepth: Int32 = 100

    /// Tells the parser, once for the process: libyaml keeps it in a global variable.
    static let boundParser: Void = yaml_set_max_nest_level(parserDepth)
}

/// Reads the documents of a file; after an error of syntax, those before it.
func documents(of source: Source, _ findings: inout Findings) -> [Tree] {
    guard isReadable(source, &findings) else { return [] }
    guard let masked = AliasMask(source.text) else {
        findings.report(
            "the file uses every private character of Unicode", at: Place(source: source, line: 1, column: 1))
        return []
    }
    var trees: [Tree] = []
    FileLimit.boundParser
    do {
        let parser = try Parser(yaml: masked.text, resolver: .basic, encoding: .utf8)
        while let root = try parser.nextRoot() {
            var reading = DocumentReading(source: source, mask: masked)
            // The parser owns the anchors' names, so it lives until they are read.
            if let tree = withExtendedLifetime(parser, { reading.tree(root, depth: 1, &findings) }) {
                trees.append(tree)
            }
        }
    } catch {
        report(error, of: source, mask: masked, &findings)
    }
    return trees
}

/// Checks size and characters, so that what follows meets only text it can place.
private func isReadable(_ source: Source, _ findings: inout Findings) -> Bool {
    let start = Place(source: source, line: 1, column: 1)
    guard source.text.utf8.count <= FileLimit.bytes else {
        findings.report("the file is larger than \(FileLimit.bytes >> 20) MiB", at: start)
        return false
    }
    let separators = source.text.utf8.count(where: beginsValues)
    guard separators <= FileLimit.separators else {
        findings.report("the file holds too many values; split it into several files", at: start)
        return false
    }
    var place = start
    for scalar in source.text.unicodeScalars {
        guard isAllowed(scalar) else {
            let code = String(scalar.value, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
            findings.report("the character U+\(padded) is not allowed in YAML", at: place)
            return false
        }
        place.column += 1
        if scalar == "\n" { (place.line, place.column) = (place.line + 1, 1) }
    }
    return true
}

/// Whether a value can begin behind this byte: line feed, `,` `-` `:` `?` `[` `{`.
private func beginsValues(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x0A, 0x2C, 0x2D, 0x3A, 0x3F, 0x5B, 0x7B: true
    default: false
    }
}

/// YAML's printable characters.
private func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
}

/// How Yams calls a key that is a list or a mapping.
private let yamsNoText = "<uncovertable>"

private func report(_ error: any Error, of source: Source, mask: AliasMask, _ findings: inout Findings) {
    func at(_ mark: Mark) -> Place { source.place(line: mark.line, column: mark.column) }
    func put(_ context: YamlError.Context?, _ problem: String, _ mark: Mark) {
        let begun = context.map { "\($0.text) from line \($0.mark.line), column \($0.mark.column): " } ?? ""
        findings.report(mask.restore("no YAML: \(begun)\(problem)"), at: at(mark))
    }
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _): put(context, problem, mark)
    case YamlError.parser(let context, let problem, let mark, _): put(context, problem, mark)
    case YamlError.composer(let context, let problem, let mark, _): put(context, problem, mark)
    case YamlError.duplicatedKeysInMapping(let keys, _) where keys.count > 1 && keys.contains(yamsNoText):
        // Yams sorts keys, but lists and mappings among them have no order: which it puts first changes from time to time.
        let texts = keys.filter { $0 != yamsNoText }.map { mask.restore($0).shortened }.sorted().prefix(3)
        let names = texts.isEmpty ? "" : ", with " + texts.map { "'\($0)'" }.joined(separator: ", ")
        findings.report(
            "duplicate keys that are not all text\(names): in a mapping a key stands once",
            at: Place(source: source, line: 1, column: 1))
    case YamlError.duplicatedKeysInMapping(let keys, let context):
        let names = keys.prefix(3).map { "'\(mask.restore($0).shortened)'" }.joined(separator: ", ")
        findings.report("duplicate key \(names): it stands here and again in the same mapping", at: at(context.mark))
    default: findings.report("the file is nested too deep or is no YAML", at: Place(source: source, line: 1, column: 1))
    }
}

/// The text of a file in which a private character stands for each `*`.
struct AliasMask {
    let text: String
    private let mask: Character?

    /// Nil when the text leaves no private character free.
    init?(_ plain: String) {
        // A parser of C strings wants a buffer that stays where it is; short Swift strings move.
        let padded = plain.utf8.count < 32 ? plain + String(repeating: "\n", count: 32) : plain
        guard plain.utf8.contains(UInt8(ascii: "*")) else {
            (text, mask) = (padded, nil)
            return
        }
        let used = Set(plain.unicodeScalars.lazy.filter { (0xE000...0xF8FF).contains($0.value) })
        guard
            let free = (UInt32(0xE000)...0xF8FF).lazy.compactMap(Unicode.Scalar.init).first(where: {
                !used.contains($0)
            })
        else { return nil }
        let scalars = padded.unicodeScalars.map { $0 == "*" ? free : $0 }
        text = String(String.UnicodeScalarView(scalars))
        mask = Character(free)
    }

    /// The text as it was written.
    func restore(_ masked: String) -> String {
        guard let mask = mask?.unicodeScalars.first, masked.unicodeScalars.contains(mask) else { return masked }
        return String(String.UnicodeScalarView(masked.unicodeScalars.map { $0 == mask ? "*" : $0 }))
    }

    /// The name of the anchor when a plain scalar is an alias.
    func alias(_ masked: String) -> String? {
        guard let mask = mask?.unicodeScalars.first, masked.unicodeScalars.first == mask else { return nil }
        return restore(String(masked.unicodeScalars.dropFirst()))
    }
}

/// Turns Yams' nodes of one document into a tree.
private struct DocumentReading {
    let source: Source
    let mask: AliasMask
    var anchors: [String: Tree] = [:]

    init(source: Source, mask: AliasMask) { (self.source, self.mask) = (source, mask) }

    mutating func tree(_ node: Node, depth: Int, _ findings: inout Findings) -> Tree? {
        let place = source.place(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        guard depth <= FileLimit.depth else {
            findings.report("nested deeper than \(FileLimit.depth) levels", at: place)
            return nil
        }
        switch content(node, at: place, depth: depth, &findings) {
        case nil: return nil
        case .aliased(let tree): return tree.fitting(below: depth, at: place, &findings)
        case .own(let content):
            let tree = Tree(place: place, content: content)
            if let anchor = node.anchor?.rawValue { anchors[mask.restore(anchor)] = tree }
            return tree.fitting(below: depth, at: place, &findings)
        }
    }

    private enum Found { case own(Tree.Content), aliased(Tree) }

    private mutating func content(
        _ node: Node, at place: Place, depth: Int, _ findings: inout Findings
    ) -> Found? {
        switch node {
        case .scalar(let scalar): return self.scalar(scalar, at: place, anchored: node.anchor != nil, &findings)
        case .sequence(let items):
            guard isPlain(items.tag, ["tag:yaml.org,2002:seq"], at: place, &findings) else { return nil }
            var trees: [Tree] = []
            for item in items {
                guard let tree = tree(item, depth: depth + 1, &findings) else { return nil }
                trees.append(tree)
            }
            return .own(.list(trees))
        case .mapping(let pairs):
            guard isPlain(pairs.tag, ["tag:yaml.org,2002:map"], at: place, &findings) else { return nil }
            var trees: [(key: Tree, value: Tree)] = []
            for (key, value) in pairs {
                guard let key = tree(key, depth: depth + 1, &findings),
                    let value = tree(value, depth: depth + 1, &findings)
                else { return nil }
                trees.append((key, value))
            }
            return .own(.mapping(trees))
        case .alias: return nil  // Yams makes these for its emitter only.
        }
    }

    private func scalar(
        _ scalar: Node.Scalar, at place: Place, anchored: Bool, _ findings: inout Findings
    ) -> Found? {
        if scalar.style == .plain, let name = mask.alias(scalar.string) {
            let known = name.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
            guard !name.isEmpty, known.count == name.count, !anchored else {
                findings.report("a value that begins with '*' is an alias; put it in quotes if it is text", at: place)
                return nil
            }
            guard let tree = anchors[name] else {
                findings.report("the alias '*\(name.shortened)' has no anchor before it", at: place)
                return nil
            }
            return .aliased(tree)
        }
        let tags = ["str", "int", "float", "bool", "null"].map { "tag:yaml.org,2002:\($0)" } + ["!"]
        guard isPlain(scalar.tag, tags, at: place, &findings) else { return nil }
        let style: Scalar.Style =
            switch scalar.style {
            case .plain, .any: .plain
            case .singleQuoted, .doubleQuoted: .quoted
            case .literal: .literal
            case .folded: .folded
            }
        let tag = scalar.tag.rawValue
        return .own(
            .scalar(
                Scalar(
                    text: mask.restore(scalar.string), style: style,
                    type: tag.isEmpty ? nil : tag == "!" ? "str" : String(tag.drop { $0 != "," }.dropFirst(6)))))
    }

    private func isPlain(_ tag: Tag, _ allowed: [String], at place: Place, _ findings: inout Findings) -> Bool {
        let name = tag.rawValue
        guard name.isEmpty || allowed.contains(name) else {
            findings.report("the tag '\(mask.restore(name).shortened)' means nothing here", at: place)
            return false
        }
        return true
    }
}

extension Tree {
    /// The tree itself, unless its aliases make it too much for a document.
    fileprivate func fitting(below depth: Int, at place: Place, _ findings: inout Findings) -> Tree? {
        guard weight <= FileLimit.values else {
            findings.report("its aliases expand to more than \(FileLimit.values) values", at: place)
            return nil
        }
        guard bytes <= FileLimit.text else {
            findings.report("its aliases expand to more than \(FileLimit.text >> 20) MiB", at: place)
            return nil
        }
        guard depth - 1 + self.depth <= FileLimit.depth else {
            findings.report("its aliases nest deeper than \(FileLimit.depth) levels", at: place)
            return nil
        }
        return self
    }
}

extension StringProtocol {
    /// A text cut to what fits a message, with control characters shown as `?`.
    var shortened: String {
        let clean = unicodeScalars.prefix(60).map { $0.isControl ? "?" : $0 }
        return String(String.UnicodeScalarView(clean)) + (unicodeScalars.count > 60 ? "…" : "")
    }
}

extension Unicode.Scalar {
    /// Whether it is a control character: it has no place in names, headers and addresses.
    var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}
