// Reading a pattern. The first fault of a form ends the reading of that form, not of its neighbours, so that a document
// hears of all of them.

/// Something wrong with a pattern, at its path.
struct PatternFault {
    /// The names and list places that lead there, `data.state[0].prefix`; empty for the pattern itself.
    let path: String
    let reason: String
    let place: Place?
    /// Whether the pattern works as written.
    var isWarning = false
}

/// What a pattern may cost before anything is compiled.
enum PatternLimit {
    /// How many branches its `$or`s may multiply out to.
    static let branches = 1_000
    /// How many fields a branch may have.
    static let fields = 256
    /// How many bytes of JSON a pattern may have.
    static let bytes = 1 << 20
    /// How many bytes the path of a field may have.
    static let path = 4_096
    /// How many fields all branches together may have: more than any pattern within the other bounds needs.
    static let combined = branches * fields
    /// How many fields the patterns of a workspace may have, by branch and event type.
    static let workspace = 1_000_000
}

/// Reads one pattern.
struct PatternReader {
    private(set) var faults: [PatternFault] = []
    /// Where the reading is.
    var trail: [Step] = []
    /// Whether `$or` was met as a choice, and as the name of a field.
    private var choices = false
    private var fieldsNamedOr = false
    /// How many fields were put into branches, and whether that was too much to go on.
    private var combined = 0
    private var isSpent = false
    /// The paths met so far with their numbers: long paths are compared once and not in each branch.
    private var paths: [ByteText: Int] = [:]

    enum Step {
        case name(String)
        case item(Int)
    }

    /// Names that a field beside or below `$or` may not have, as they look like operators there.
    private static let reserved: Set<String> = [
        "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr",
        "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after",
        "date-on-or-after", "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range",
        "ip-address-not-in-range",
    ]

    /// Reads a pattern; `nil` when a fault is more than a warning.
    mutating func read(_ form: PatternForm) -> Pattern? {
        guard case .object(let members) = form.content else {
            report("a pattern is a mapping of the event's fields, not \(form.kind)", form.place)
            return nil
        }
        var branches: [Pattern.Branch] = []
        read(members, of: form, into: &branches, path: nil, inChoice: false)
        if choices, fieldsNamedOr {
            report("'$or' is a choice in one place and a field's name in another; rename the field", form.place)
        }
        guard faults.allSatisfy(\.isWarning) else { return nil }
        order(&branches)
        return Pattern(branches: branches)
    }

    /// Puts the fields of each branch in the order of their paths; those of many branches are compared once.
    private func order(_ branches: inout [Pattern.Branch]) {
        if branches.count == 1 { return branches[0].fields.sort { $0.path.precedes($1.path) } }
        var ranks = Array(repeating: 0, count: paths.count)
        for (rank, path) in paths.sorted(by: { $0.key.precedes($1.key) }).enumerated() { ranks[path.value] = rank }
        for place in branches.indices { branches[place].fields.sort { ranks[$0.number] < ranks[$1.number] } }
    }

    mutating func report(_ reason: String, _ place: Place?, isWarning: Bool = false) {
        faults.append(PatternFault(path: spelled(trail), reason: reason, place: place, isWarning: isWarning))
    }

    private func spelled(_ trail: [Step]) -> String {
        trail.reduce(into: "") { path, step in
            switch step {
            case .name(let name): path += path.isEmpty ? name.shortened : ".\(name.shortened)"
            case .item(let place): path += "[\(place)]"
            }
        }
    }

    mutating func inside<Result>(_ step: Step, _ body: (inout PatternReader) -> Result) -> Result {
        trail.append(step)
        defer { trail.removeLast() }
        return body(&self)
    }
}

// MARK: - Fields

extension PatternReader {
    private mutating func read(
        _ members: [PatternForm.Member], of form: PatternForm, into branches: inout [Pattern.Branch], path: String?,
        inChoice: Bool
    ) {
        if members.isEmpty { report("an empty mapping in a pattern matches nothing", form.place) }
        for member in members where !isSpent {
            inside(.name(member.key)) { reader in
                if member.key == "$or", let choices = Self.choices(member.value) {
                    reader.read(choices, of: member, into: &branches, path: path)
                } else {
                    reader.read(member, into: &branches, path: path, inChoice: inChoice)
                }
            }
        }
    }

    private mutating func read(
        _ member: PatternForm.Member, into branches: inout [Pattern.Branch], path: String?, inChoice: Bool
    ) {
        if member.key == "$or" { fieldsNamedOr = true }
        if inChoice, Self.reserved.contains(member.key) {
            return report("'\(member.key)' cannot name a field inside '$or'", member.place)
        }
        guard (path?.utf8.count ?? 0) + member.key.utf8.count < PatternLimit.path else {
            return report("the path of a field may have \(PatternLimit.path) bytes", member.place)
        }
        let path = path.map { "\($0).\(member.key)" } ?? member.key
        switch member.value.content {
        case .object(let members):
            read(members, of: member.value, into: &branches, path: path, inChoice: inChoice)
        case .list(let items): readTests(items, of: member, into: &branches, path: path)
        default:
            let example = member.value.example.map { ": [\($0)]" } ?? ""
            report("a pattern's values stand in a list\(example)", member.value.place)
        }
    }

    private mutating func readTests(
        _ items: [PatternForm], of member: PatternForm.Member, into branches: inout [Pattern.Branch], path: String
    ) {
        if items.isEmpty { return report("an empty list in a pattern matches nothing", member.value.place) }
        var tests: [ValueTest] = []
        for (place, item) in items.enumerated() {
            if let test = inside(.item(place), { $0.test(item) }), !tests.contains(test) || tests.count > 100 {
                tests.append(test)
            }
        }
        let field = Pattern.Field(path: ByteText(path), tests: tests, number: number(of: ByteText(path)))
        if branches.isEmpty { branches.append(.init()) }
        combined += branches.count
        guard combined <= PatternLimit.combined else {
            return spend("the pattern's fields and '$or's make more than \(PatternLimit.combined) fields", member.place)
        }
        var replaced = false
        for place in branches.indices where branches[place].set(field) { replaced = true }
        if replaced {
            report("'\(path.shortened)' stands before already; the last one counts", member.place, isWarning: true)
        }
        if branches.contains(where: { $0.fields.count > PatternLimit.fields }) {
            spend("a pattern may name \(PatternLimit.fields) fields", member.place)
        }
    }

    private mutating func number(of path: ByteText) -> Int {
        if let known = paths[path] { return known }
        paths[path] = paths.count
        return paths.count - 1
    }

    /// Reports a bound that was passed and reads no further: what comes would cost as much again.
    private mutating func spend(_ reason: String, _ place: Place?) {
        report(reason, place)
        isSpent = true
    }
}

// MARK: - $or

extension PatternReader {
    /// The alternatives, if the value is that of a choice: two mappings or more whose names are no operators.
    private static func choices(_ form: PatternForm) -> [PatternForm]? {
        guard case .list(let items) = form.content, !items.isEmpty else { return nil }
        var mappings = 0
        for item in items {
            guard case .object(let members) = item.content else { continue }
            if members.contains(where: { reserved.contains($0.key) }) { return nil }
            mappings += 1
        }
        return mappings > 0 ? items : nil
    }

    private mutating func read(
        _ choices: [PatternForm], of member: PatternForm.Member, into branches: inout [Pattern.Branch], path: String?
    ) {
        self.choices = true
        if choices.count < 2 { return report("'$or' needs two mappings or more to choose from", member.place) }
        var all: [Pattern.Branch] = []
        for (place, choice) in choices.enumerated() where !isSpent {
            let more = inside(.item(place)) { reader -> [Pattern.Branch] in
                guard case .object(let members) = choice.content else {
                    reader.report("'$or' chooses between mappings, not \(choice.kind)", choice.place)
                    return []
                }
                var more = branches
                reader.read(members, of: choice, into: &more, path: path, inChoice: true)
                return more
            }
            all += more
            guard all.count <= PatternLimit.branches else {
                spend(
                    "the pattern's '$or's make more than \(PatternLimit.branches) combinations; the limit is "
                        + "\(PatternLimit.branches)", member.place)
                break
            }
        }
        branches = Array(all.prefix(PatternLimit.branches))
    }
}

extension PatternForm {
    /// What it is, in words for a message.
    var kind: String {
        switch content {
        case .object: "a mapping"
        case .list: "a list"
        case .null: "nothing"
        case .text, .number, .bool, .incomparable: "a single value"
        }
    }

    /// The value as a message shows it; `nil` for what is no single value.
    var example: String? {
        switch content {
        case .text(let text), .number(let text), .incomparable(let text): text.shortened
        case .bool(let bool): "\(bool)"
        case .null, .object, .list: nil
        }
    }
}

// MARK: - From outside

extension Pattern {
    /// Reads a pattern of a document; `nil` when something in it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard let form = PatternForm(tree, &findings) else { return nil }
        var reader = PatternReader()
        let pattern = reader.read(form)
        for fault in reader.faults {
            findings.report(fault.reason, at: fault.place ?? tree.place, isWarning: fault.isWarning)
        }
        guard let pattern else { return nil }
        findings.patternFields += pattern.branches.reduce(0) { $0 + $1.fields.count }
        guard findings.patternFields <= PatternLimit.workspace else {
            findings.report(
                "the patterns of the file have more than \(PatternLimit.workspace) fields, counted for each combination "
                    + "of '$or's", at: tree.place)
            return nil
        }
        self = pattern
    }
}
