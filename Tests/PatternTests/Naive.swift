// The language once more, as plainly as it can be said and with nothing of the library: the event becomes a list of
// fields with the list elements they stand in, the pattern a list of branches, and every choice is tried.

/// A JSON value as a tree; members may repeat, numbers keep their spelling.
indirect enum Tree {
    case null
    case bool(Bool)
    case number(String)
    case text(String)
    case list([Tree])
    case object([(String, Tree)])
}

/// A value that is no object and no list, and where it stands.
struct NaiveField {
    let path: String
    let value: Tree
    /// The lists around it with the element of each.
    let elements: [Int: Int]
}

/// Evaluates patterns slowly.
enum Naive {
    static func matches(_ pattern: Tree, _ event: Tree) -> Bool {
        guard case .object(let members) = pattern else { return false }
        var branches: [[String: [Tree]]] = []
        read(members, nil, &branches)
        let fields = fields(of: event)
        return branches.contains { branch in
            let paths = branch.keys.sorted {
                names($0).lexicographicallyPrecedes(names($1)) { $0.lexicographicallyPrecedes($1) }
            }
            return fits(paths[...], branch, fields, [:])
        }
    }

    private static func names(_ path: String) -> [[UInt8]] {
        path.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) }
    }

    // MARK: Patterns

    private static func read(_ members: [(String, Tree)], _ path: String?, _ branches: inout [[String: [Tree]]]) {
        for (key, value) in members {
            if key == "$or", case .list(let choices) = value {
                var all: [[String: [Tree]]] = []
                for case .object(let choice) in choices {
                    var more = branches.isEmpty ? [[:]] : branches
                    read(choice, path, &more)
                    all += more
                }
                branches = all
                continue
            }
            let inner = path.map { $0 + "." + key } ?? key
            switch value {
            case .object(let members): read(members, inner, &branches)
            case .list(let tests):
                if branches.isEmpty { branches = [[:]] }
                for place in branches.indices { branches[place][inner] = tests }
            default: break
            }
        }
    }

    // MARK: Events

    static func fields(of event: Tree) -> [NaiveField] {
        var found: [NaiveField] = []
        var lists = 0
        func walk(_ value: Tree, _ path: String?, _ elements: [Int: Int]) {
            switch value {
            case .object(let members):
                for (key, value) in members { walk(value, path.map { $0 + "." + key } ?? key, elements) }
            case .list(let items):
                let list = lists
                lists += 1
                for (place, item) in items.enumerated() {
                    switch item {
                    case .object, .list: walk(item, path, elements.merging([list: place]) { $1 })
                    default: walk(item, path, elements)
                    }
                }
            default: found.append(NaiveField(path: path ?? "", value: value, elements: elements))
            }
        }
        walk(event, nil, [:])
        return found
    }

    private static func fits(
        _ paths: ArraySlice<String>, _ branch: [String: [Tree]], _ fields: [NaiveField], _ chosen: [Int: Int]
    ) -> Bool {
        guard let path = paths.first, let tests = branch[path] else { return true }
        let there = fields.filter { field in
            field.path.utf8.elementsEqual(path.utf8)
                && field.elements.allSatisfy { chosen[$0.key] == nil || chosen[$0.key] == $0.value }
        }
        if there.isEmpty {
            return tests.contains(where: isAbsence) && fits(paths.dropFirst(), branch, fields, chosen)
        }
        return there.contains { field in
            tests.contains { meets(field.value, $0) }
                && fits(paths.dropFirst(), branch, fields, chosen.merging(field.elements) { $1 })
        }
    }

    private static func isAbsence(_ test: Tree) -> Bool {
        if case .object(let members) = test, members[0].0 == "exists", case .bool(false) = members[0].1 {
            true
        } else {
            false
        }
    }

    // MARK: Values

    static func meets(_ value: Tree, _ test: Tree) -> Bool {
        switch test {
        case .null: if case .null = value { true } else { false }
        case .bool(let wanted): if case .bool(let found) = value { wanted == found } else { false }
        case .text(let wanted): if case .text(let found) = value { same(wanted, found) } else { false }
        case .number(let wanted): if case .number(let found) = value { equal(wanted, found) } else { false }
        case .object(let members): operation(value, members[0].0, members[0].1)
        case .list: false
        }
    }

    private static func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    private static func equal(_ a: String, _ b: String) -> Bool {
        if let a = comparable(a), let b = comparable(b) { return a == b }
        return a == b
    }

    /// The double that a spelling says exactly.
    static func comparable(_ text: String) -> Double? {
        guard let value = Double(text), value.isFinite, digits(text) == digits("\(value)") else { return nil }
        return value
    }

    /// The sign, digits without zeros around them, and exponent of a spelling.
    private static func digits(_ text: String) -> [String] {
        let lowered = text.lowercased()
        let sign = lowered.hasPrefix("-") ? "-" : ""
        let parts = lowered.drop { $0 == "-" || $0 == "+" }.split(separator: "e")
        let halves = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var exponent = parts.count > 1 ? Int(parts[1].drop { $0 == "+" }) ?? 0 : 0
        var digits = halves.joined()
        if halves.count > 1 { exponent -= halves[1].count }
        digits = String(digits.drop { $0 == "0" })
        while digits.hasSuffix("0") {
            digits.removeLast()
            exponent += 1
        }
        return digits.isEmpty ? ["0"] : [sign, digits, "\(exponent)"]
    }

    private static func operation(_ value: Tree, _ name: String, _ argument: Tree) -> Bool {
        switch (name, argument) {
        case ("exists", .bool(let wanted)): return wanted
        case ("anything-but", _): return !excluded(value, argument)
        case ("numeric", .list(let items)): return numeric(value, items)
        default: break
        }
        guard case .text(let found) = value else { return false }
        switch (name, argument) {
        case ("prefix", .text(let wanted)): return found.utf8.starts(with: wanted.utf8)
        case ("suffix", .text(let wanted)): return found.utf8.reversed().starts(with: wanted.utf8.reversed())
        case ("prefix", .object(let inner)):
            guard case .text(let wanted) = inner[0].1 else { return false }
            return ends(of: spellings(wanted), in: Array(found.utf8), from: [0]).isEmpty == false
        case ("suffix", .object(let inner)):
            guard case .text(let wanted) = inner[0].1 else { return false }
            return ends(of: spellings(wanted), in: Array(found.utf8), from: Set(0...found.utf8.count))
                .contains(found.utf8.count)
        case ("equals-ignore-case", .text(let wanted)):
            return ends(of: spellings(wanted), in: Array(found.utf8), from: [0]).contains(found.utf8.count)
        case ("wildcard", .text(let wanted)): return wildcard(Array(wanted.utf8)[...], Array(found.utf8)[...])
        case ("cidr", .text(let block)): return inBlock(found, block)
        case ("exactly", .text(let wanted)): return same(wanted, found)
        default: return false
        }
    }

    private static func excluded(_ value: Tree, _ argument: Tree) -> Bool {
        switch argument {
        case .list(let items): items.contains { meets(value, $0) }
        case .object(let members):
            if case .list(let items) = members[0].1 {
                items.contains { operation(value, members[0].0, $0) }
            } else {
                operation(value, members[0].0, members[0].1)
            }
        default: meets(value, argument)
        }
    }

    private static func numeric(_ value: Tree, _ items: [Tree]) -> Bool {
        guard case .number(let text) = value, let number = comparable(text) else { return false }
        return stride(from: 0, to: items.count, by: 2).allSatisfy { place in
            guard case .text(let sign) = items[place], case .number(let bound) = items[place + 1],
                let bound = Double(bound)
            else { return false }
            return switch sign {
            case "=": number == bound
            case "<": number < bound
            case "<=": number <= bound
            case ">": number > bound
            default: number >= bound
            }
        }
    }

    private static func spellings(_ text: String) -> [[[UInt8]]] {
        text.unicodeScalars.map { scalar in
            [String(scalar), scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].map {
                Array($0.utf8)
            }
        }
    }

    private static func ends(of spellings: [[[UInt8]]], in text: [UInt8], from starts: Set<Int>) -> Set<Int> {
        var places = starts
        for all in spellings {
            var next: Set<Int> = []
            for place in places {
                for one in all where text[place...].starts(with: one) { next.insert(place + one.count) }
            }
            places = next
        }
        return places
    }

    private static func wildcard(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == UInt8(ascii: "*") {
            return wildcard(pattern.dropFirst(), text) || (!text.isEmpty && wildcard(pattern, text.dropFirst()))
        }
        let literal = first == UInt8(ascii: "\\") ? pattern.dropFirst() : pattern
        return text.first == literal.first && wildcard(literal.dropFirst(), text.dropFirst())
    }

    private static func inBlock(_ text: String, _ block: String) -> Bool {
        let parts = block.split(separator: "/")
        guard let length = Int(parts[1]), let address = bits(text), let base = bits(String(parts[0])),
            address.count == base.count
        else { return false }
        return address.prefix(length) == base.prefix(length)
    }

    /// The bits of an address; of IPv6 only what has eight groups, or ends in `::`.
    private static func bits(_ text: String) -> [Bool]? {
        if text.contains(":") {
            var groups = text.split(separator: ":").map { Int($0, radix: 16) }
            if text.hasSuffix("::") { groups += Array(repeating: 0, count: 8 - groups.count) }
            guard groups.count == 8 else { return nil }
            return groups.flatMap { group in (0..<16).map { ((group ?? 0) >> (15 - $0)) & 1 == 1 } }
        }
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 4, numbers.allSatisfy({ $0 == "0" || !$0.hasPrefix("0") }) else { return nil }
        var bits: [Bool] = []
        for number in numbers {
            guard let value = UInt8(number), number.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            bits += (0..<8).map { (value >> (7 - UInt8($0))) & 1 == 1 }
        }
        return bits
    }
}
