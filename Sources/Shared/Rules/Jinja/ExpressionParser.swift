// Expressions, by Jinja's precedence: inline if, or, and, not, comparison, + -, ~, * / // %, **, sign, then what stands
// behind a value: attributes, items, calls, filters and tests. A sign binds tighter than a power and than a filter.

/// Reads tokens into a program.
struct TemplateParser {
    let tokens: [Token]
    var next = 0
    var draft = ProgramDraft()
    var depth = 0
    /// Whether `loop` was spoken of in each loop around.
    var speaksOfLoop: [Bool] = []
    let source: String

    init(_ source: String, _ tokens: [Token]) { (self.source, self.tokens) = (source, tokens) }

    var token: Token { tokens[next] }

    func fault(_ reason: String, at offset: Int) -> TemplateError {
        let before = source.unicodeScalars.prefix(offset)
        return TemplateError(
            reason: reason, offset: offset, line: 1 + before.count { $0 == "\n" },
            column: 1 + before.reversed().prefix { $0 != "\n" }.count)
    }

    func unexpected(_ wanted: String) -> TemplateError {
        fault("\(wanted) is expected, not \(token.words)", at: token.offset)
    }

    func at(_ sign: Token.Sign) -> Bool { token.kind == .sign(sign) }
    func at(name: String) -> Bool { token.kind == .name(name) }

    mutating func skip(_ sign: Token.Sign) -> Bool {
        guard at(sign) else { return false }
        next += 1
        return true
    }

    mutating func skip(name: String) -> Bool {
        guard at(name: name) else { return false }
        next += 1
        return true
    }

    mutating func expect(_ sign: Token.Sign) throws(TemplateError) {
        guard skip(sign) else { throw unexpected("'\(sign.rawValue)'") }
    }

    mutating func expectName(_ what: String) throws(TemplateError) -> String {
        guard case .name(let name) = token.kind else { throw unexpected(what) }
        next += 1
        return name
    }

    mutating func add(_ node: Operation, at place: Int, over parts: NodeID...) throws(TemplateError) -> NodeID {
        try add(node, at: place, overAll: parts)
    }

    mutating func add(_ node: Operation, at place: Int, overAll parts: [NodeID]) throws(TemplateError) -> NodeID {
        let id = draft.add(node, at: place, over: parts)
        guard draft.heights[id] <= TemplateLimit.height else {
            throw fault("the expression goes deeper than \(TemplateLimit.height) operations; split it", at: place)
        }
        return id
    }

    /// Reads something that may hold itself.
    mutating func nested<T>(
        _ read: (inout Self) throws(TemplateError) -> T
    ) throws(TemplateError) -> T {
        depth += 1
        defer { depth -= 1 }
        guard depth <= TemplateLimit.nesting else {
            throw fault("nested deeper than \(TemplateLimit.nesting) levels", at: token.offset)
        }
        return try read(&self)
    }
}

// MARK: - From the loosest to the tightest

extension TemplateParser {
    mutating func expression(mayBeChoice: Bool = true) throws(TemplateError) -> NodeID {
        try nested { (parser) throws(TemplateError) in
            mayBeChoice ? try parser.choice() : try parser.disjunction()
        }
    }

    private mutating func choice() throws(TemplateError) -> NodeID {
        var value = try disjunction()
        while at(name: "if") {
            let place = token.offset
            next += 1
            let test = try disjunction()
            let other = skip(name: "else") ? try expression() : -1
            value = try add(.choice(if: test, then: value, else: other), at: place, over: test, value, other)
        }
        return value
    }

    private mutating func disjunction() throws(TemplateError) -> NodeID {
        var left = try conjunction()
        while at(name: "or") {
            let place = token.offset
            next += 1
            let right = try conjunction()
            left = try add(.or(left, right), at: place, over: left, right)
        }
        return left
    }

    private mutating func conjunction() throws(TemplateError) -> NodeID {
        var left = try negation()
        while at(name: "and") {
            let place = token.offset
            next += 1
            let right = try negation()
            left = try add(.and(left, right), at: place, over: left, right)
        }
        return left
    }

    private mutating func negation() throws(TemplateError) -> NodeID {
        guard at(name: "not") else { return try comparison() }
        let place = token.offset
        next += 1
        let inner = try nested { (parser) throws(TemplateError) in try parser.negation() }
        return try add(.not(inner), at: place, over: inner)
    }

    private mutating func comparison() throws(TemplateError) -> NodeID {
        let place = token.offset
        let first = try sum()
        var links: [Int] = []
        var parts = [first]
        while let comparison = skipComparison() {
            let value = try sum()
            links += [comparison.rawValue, value]
            parts.append(value)
        }
        guard !links.isEmpty else { return first }
        return try add(.compare(first, draft.link(links)), at: place, overAll: parts)
    }

    private mutating func skipComparison() -> Comparison? {
        var length = 1
        let found: Comparison? =
            switch token.kind {
            case .sign(.equal): .equal
            case .sign(.unequal): .unequal
            case .sign(.less): .less
            case .sign(.lessEqual): .lessEqual
            case .sign(.greater): .greater
            case .sign(.greaterEqual): .greaterEqual
            case .name("in"): .within
            case .name("not") where tokens[next + 1].kind == .name("in"): .without
            default: nil
            }
        if found == .without { length = 2 }
        if found != nil { next += length }
        return found
    }

    private mutating func sum() throws(TemplateError) -> NodeID {
        var left = try concatenation()
        while at(.add) || at(.sub) {
            let (operation, place) = (at(.add) ? Arithmetic.add : .sub, token.offset)
            next += 1
            let right = try concatenation()
            left = try add(.arithmetic(operation, left, right), at: place, over: left, right)
        }
        return left
    }

    private mutating func concatenation() throws(TemplateError) -> NodeID {
        let place = token.offset
        var parts = [try product()]
        while skip(.tilde) { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : try add(.concat(draft.link(parts)), at: place, overAll: parts)
    }

    private mutating func product() throws(TemplateError) -> NodeID {
        var left = try power()
        while true {
            let operation: Arithmetic
            switch token.kind {
            case .sign(.mul): operation = .mul
            case .sign(.div): operation = .div
            case .sign(.floor): operation = .floor
            case .sign(.mod): operation = .mod
            default: return left
            }
            let place = token.offset
            next += 1
            let right = try power()
            left = try add(.arithmetic(operation, left, right), at: place, over: left, right)
        }
    }

    private mutating func power() throws(TemplateError) -> NodeID {
        var left = try unary(mayBeFiltered: true)
        while at(.pow) {
            let place = token.offset
            next += 1
            let right = try unary(mayBeFiltered: true)
            left = try add(.arithmetic(.pow, left, right), at: place, over: left, right)
        }
        return left
    }

    private mutating func unary(mayBeFiltered: Bool) throws(TemplateError) -> NodeID {
        let place = token.offset
        var node: NodeID
        if at(.sub) || at(.add) {
            let isNegative = at(.sub)
            next += 1
            let inner = try nested { (parser) throws(TemplateError) in try parser.unary(mayBeFiltered: false) }
            node = try add(isNegative ? .negative(inner) : .positive(inner), at: place, over: inner)
        } else {
            node = try primary()
        }
        node = try postfix(node)
        return mayBeFiltered ? try filtered(node) : node
    }
}

// MARK: - Values

extension TemplateParser {
    mutating func primary() throws(TemplateError) -> NodeID {
        let place = token.offset
        switch token.kind {
        case .name(let name):
            next += 1
            switch name {
            case "true", "True": return draft.constant(.bool(true), at: place)
            case "false", "False": return draft.constant(.bool(false), at: place)
            case "none", "None": return draft.constant(.none, at: place)
            default: return variable(name, at: place)
            }
        case .string(var bytes):
            next += 1
            while case .string(let more) = token.kind {
                bytes += more
                next += 1
            }
            return draft.constant(.text(bytes), at: place)
        case .integer(let value):
            next += 1
            return draft.constant(value.int.map(Constant.integer) ?? .whole(value), at: place)
        case .float(let value):
            next += 1
            return draft.constant(.float(value), at: place)
        case .sign(.leftParen):
            next += 1
            let inner = try tuple(isInParentheses: true)
            try expect(.rightParen)
            return inner
        case .sign(.leftBracket): return try list()
        case .sign(.leftBrace): return try dict()
        default: throw unexpected("a value")
        }
    }

    private mutating func variable(_ name: String, at place: Int) -> NodeID {
        if name == "loop", !speaksOfLoop.isEmpty { speaksOfLoop[speaksOfLoop.count - 1] = true }
        return draft.add(.name(draft.name(name)), at: place)
    }

    /// One expression, or several with commas between.
    mutating func tuple(
        mayBeChoice: Bool = true, isInParentheses: Bool = false, endsBefore word: String? = nil
    ) throws(TemplateError) -> NodeID {
        let place = token.offset
        var parts: [NodeID] = []
        var isTuple = false
        while true {
            if !parts.isEmpty { try expect(.comma) }
            if isTupleEnd(word) { break }
            parts.append(try expression(mayBeChoice: mayBeChoice))
            guard at(.comma) else { break }
            isTuple = true
        }
        if !isTuple, let only = parts.first { return only }
        guard isTuple || isInParentheses else { throw unexpected("an expression") }
        return try add(.tuple(draft.link(parts)), at: place, overAll: parts)
    }

    func isTupleEnd(_ word: String?) -> Bool {
        switch token.kind {
        case .outputEnd, .statementEnd, .sign(.rightParen), .end: true
        case .name(let name): name == word
        default: false
        }
    }

    private mutating func list() throws(TemplateError) -> NodeID {
        let place = token.offset
        next += 1
        var parts: [NodeID] = []
        while !at(.rightBracket) {
            if !parts.isEmpty { try expect(.comma) }
            if at(.rightBracket) { break }
            parts.append(try expression())
        }
        try expect(.rightBracket)
        return try add(.list(draft.link(parts)), at: place, overAll: parts)
    }

    private mutating func dict() throws(TemplateError) -> NodeID {
        let place = token.offset
        next += 1
        var parts: [NodeID] = []
        while !at(.rightBrace) {
            if !parts.isEmpty { try expect(.comma) }
            if at(.rightBrace) { break }
            parts.append(try expression())
            try expect(.colon)
            parts.append(try expression())
        }
        try expect(.rightBrace)
        return try add(.dict(draft.link(parts)), at: place, overAll: parts)
    }
}
