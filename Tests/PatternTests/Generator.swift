import CarillonKit

/// Makes patterns and events that often meet, and the odd corners of both.
struct Generator {
    var random: SplitMix
    /// How odd: repeated members, points in names, values beside objects in lists.
    let isOdd: Bool

    private static let texts = [
        "", "a", "b", "ab", "abc", "abcabc", "ABC", "aBc", "*", "\\", "a*b", "train-1", "Train-12", "ß", "SS", "é",
        "e\u{301}", "Éa", "\u{1F600}", "\u{10428}b", "\u{10400}B", "ⱥx", "Ⱥx", "10.0.0.7", "10.0.1.200", "10.0.0.300",
        "2001:db8::", "2001:db8:0:0:0:0:0:1", "true", "null", "1", "a\"b", "tab\t", "x.y",
    ]
    private static let numbers = [
        "0", "-0", "0.0", "1", "1.0", "10e-1", "300", "3.0e2", "3E+2", "-1", "2.5", "0.1", "0.10000000000000001",
        "9007199254740992", "9007199254740993", "9007199254740993.0", "1e400", "-1e400", "5e-324", "1e-400", "1e23",
        "123456789012345680", "123456789012345678", "-122.42200952094587", "27.807807921694092", "27.80780792169409",
    ]
    private static let names = ["a", "b", "c"]
    private static let oddNames = ["a", "b", "c", "a.b", "b.c", "a.b.c", "", "é", "a."]

    mutating func chance(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }

    mutating func pick<T>(_ all: [T]) -> T { all[Int.random(in: 0..<all.count, using: &random)] }

    mutating func some<T>(_ range: ClosedRange<Int>, _ make: (inout Generator) -> T) -> [T] {
        (0..<Int.random(in: range, using: &random)).map { _ in make(&self) }
    }

    mutating func name() -> String { pick(isOdd && chance(3) ? Self.oddNames : Self.names) }
}

// MARK: - Events

extension Generator {
    mutating func event() -> Tree { .object(members(3)) }

    fileprivate mutating func members(_ depth: Int) -> [(String, Tree)] {
        var all = some(0...3) { ($0.name(), $0.value(depth - 1)) }
        if !isOdd {
            var seen: Set<String> = []
            all = all.filter { seen.insert($0.0).inserted }
        }
        return all
    }

    private mutating func value(_ depth: Int) -> Tree {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3 where depth > 0: return .object(members(depth))
        case 3..<6 where depth > 0:
            // A list of one kind of values, unless it shall be odd.
            if isOdd, chance(3) { return .list(some(0...3) { $0.value(depth - 1) }) }
            let kind = Int.random(in: 0..<3, using: &random)
            return .list(
                some(0...3) { make in
                    switch kind {
                    case 0: .object(make.members(depth))
                    case 1: .list(make.some(0...2) { $0.scalar() })
                    default: make.scalar()
                    }
                })
        default: return scalar()
        }
    }

    mutating func scalar() -> Tree {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: .null
        case 1: .bool(chance(2))
        case 2..<5: .number(pick(Self.numbers))
        default: .text(pick(Self.texts))
        }
    }
}

// MARK: - Events that are near to a pattern

extension Generator {
    /// An event of the pattern's shape, most of whose values meet its tests; objects may be elements of lists.
    mutating func event(near pattern: Tree) -> Tree {
        guard case .object(let fields) = pattern else { return .object([]) }
        return .object(members(near: fields))
    }

    private mutating func members(near fields: [(String, Tree)]) -> [(String, Tree)] {
        var all: [(String, Tree)] = []
        for (name, value) in fields where !chance(12) {
            switch value {
            case .list(let choices) where name == "$or":
                if case .object(let fields) = pick(choices) { all += members(near: fields) }
            case .list(let tests): all += nearly(pick(tests)).map { [(name, $0)] } ?? []
            case .object(let fields):
                let object = Tree.object(members(near: fields))
                all.append((name, chance(2) ? object : listed(object, fields)))
            default: break
            }
        }
        if chance(3) { all += members(1) }
        if !isOdd {
            var seen: Set<String> = []
            all = all.filter { seen.insert($0.0).inserted }
        }
        return all
    }

    private mutating func listed(_ object: Tree, _ fields: [(String, Tree)]) -> Tree {
        var items = some(0...2) { Tree.object($0.members(near: fields)) }
        items.append(object)
        items.shuffle(using: &random)
        return chance(5) ? .list([.list(items), .list([.object(members(near: fields))])]) : .list(items)
    }

    /// A value that most likely meets a test; `nil` for none.
    private mutating func nearly(_ test: Tree) -> Tree? {
        if chance(8) { return scalar() }
        let value = met(by: test)
        guard let value, chance(4) else { return value }
        return .list(some(0...2) { $0.scalar() } + [value])
    }

    private mutating func met(by test: Tree) -> Tree? {
        guard case .object(let members) = test, let (name, argument) = members.first else { return test }
        switch (name, argument) {
        case ("exists", .bool(false)): return nil
        case ("prefix", .text(let text)): return .text(text + pick(["", "x", "é"]))
        case ("suffix", .text(let text)): return .text(pick(["", "x", "é"]) + text)
        case ("prefix", .object(let inner)), ("suffix", .object(let inner)): return met(by: .object(inner))
        case ("equals-ignore-case", .text(let text)): return .text(chance(2) ? text.uppercased() : text.lowercased())
        case ("wildcard", .text(let text)):
            let unescaped = text.split(separator: "*", omittingEmptySubsequences: false)
                .joined(separator: pick(["", "a", "abc"])).filter { $0 != "\\" }
            return .text(unescaped)
        case ("numeric", .list(let items)):
            return chance(2) ? items[1] : .number(pick(["1", "2.5", "300", "-1", "0"]))
        case ("cidr", .text(let block)): return .text(String(block.prefix { $0 != "/" }))
        case ("exactly", .text): return argument
        default: return scalar()
        }
    }
}

// MARK: - Patterns

extension Generator {
    mutating func pattern() -> Tree { .object(fields(2)) }

    private mutating func fields(_ depth: Int) -> [(String, Tree)] {
        var all = some(1...3) { make -> (String, Tree) in
            if depth > 0, make.chance(8) {
                return ("$or", .list(make.some(2...3) { .object($0.fields(depth - 1)) }))
            }
            return (make.name(), depth > 0 && make.chance(2) ? .object(make.fields(depth - 1)) : make.leaf())
        }
        if !isOdd {
            var seen: Set<String> = []
            all = all.filter { seen.insert($0.0).inserted }
        }
        return all
    }

    mutating func leaf() -> Tree { .list(some(1...3) { $0.test() }) }

    private mutating func one(_ name: String, _ value: Tree) -> Tree { .object([(name, value)]) }

    mutating func test() -> Tree {
        let text = Tree.text(pick(Self.texts))
        switch Int.random(in: 0..<18, using: &random) {
        case 0: return one("prefix", chance(3) ? one("equals-ignore-case", text) : beginning())
        case 1: return one("suffix", chance(3) ? one("equals-ignore-case", text) : ending())
        case 2: return one("equals-ignore-case", text)
        case 3: return one("wildcard", wildcard())
        case 4, 5: return one("anything-but", exclusion())
        case 6, 7: return one("numeric", comparison())
        case 8:
            return one("cidr", .text(pick(["10.0.0.0/24", "10.0.1.7/8", "0.0.0.0/0", "2001:db8::/32", "10.0.0.7/32"])))
        case 9: return one("exists", .bool(chance(2)))
        case 10: return one("exactly", text)
        default: return scalar()
        }
    }

    private mutating func beginning() -> Tree {
        .text(String(pick(Self.texts).unicodeScalars.prefix(Int.random(in: 0...2, using: &random))))
    }

    private mutating func ending() -> Tree {
        .text(
            String(
                String.UnicodeScalarView(pick(Self.texts).unicodeScalars.suffix(Int.random(in: 0...2, using: &random))))
        )
    }

    private mutating func wildcard() -> Tree {
        let pieces = some(0...4) { $0.pick(["a", "b", "c", "abc", "*", "\\*", "\\\\", "train", "é", "1"]) }
        let single = pieces.indices.filter { $0 == 0 || pieces[$0] != "*" || pieces[$0 - 1] != "*" }
        return .text(single.map { pieces[$0] }.joined())
    }

    private mutating func exclusion() -> Tree {
        func full(_ text: String) -> Tree { .text(text.isEmpty ? "a" : text) }
        let texts = some(1...3) { $0.pick(Self.texts) }
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return .text(texts[0])
        case 1: return .list(texts.map { .text($0) })
        case 2: return .number(number())
        case 3: return .list(some(1...3) { .number($0.number()) })
        case 4: return one(chance(2) ? "prefix" : "suffix", chance(2) ? full(texts[0]) : .list(texts.map(full)))
        case 5: return one("equals-ignore-case", chance(2) ? .text(texts[0]) : .list(texts.map { .text($0) }))
        default: return one("wildcard", chance(2) ? wildcard() : .list(some(1...2) { $0.wildcard() }))
        }
    }

    private mutating func number() -> String {
        while true {
            let text = pick(Self.numbers)
            if Naive.comparable(text) != nil { return text }
        }
    }

    private mutating func comparison() -> Tree {
        let (a, b) = (number(), number())
        if let low = Double(a), let high = Double(b), low < high, chance(2) {
            return .list([.text(pick([">", ">="])), .number(a), .text(pick(["<", "<="])), .number(b)])
        }
        return .list([.text(pick(["=", "<", "<=", ">", ">="])), .number(a)])
    }
}

// MARK: - JSON

extension Generator {
    /// Writes a tree as JSON, with white space and escapes here and there.
    mutating func json(_ tree: Tree) -> String {
        let space = chance(20) ? " " : ""
        switch tree {
        case .null: return "null"
        case .bool(let bool): return "\(bool)"
        case .number(let text): return text
        case .text(let text): return quoted(text)
        case .list(let items): return "[" + space + items.map { json($0) }.joined(separator: "," + space) + "]"
        case .object(let members):
            return "{" + members.map { quoted($0.0) + space + ":" + space + json($0.1) }.joined(separator: ",") + space
                + "}"
        }
    }

    private mutating func quoted(_ text: String) -> String {
        let isEscaped = chance(12)
        var json = "\""
        for unit in text.unicodeScalars {
            switch unit {
            case "\"", "\\": json += "\\" + String(unit)
            case _ where unit.value < 0x20 || (isEscaped && chance(2)):
                for half in UTF16.encode(unit).map({ Array($0) }) ?? [] {
                    let hex = String(half, radix: 16, uppercase: chance(2))
                    json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                }
            default: json.unicodeScalars.append(unit)
            }
        }
        return json + "\""
    }
}
