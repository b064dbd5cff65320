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

// MARK: - Behind a value

extension TemplateParser {
    private mutating func postfix(_ node: NodeID) throws(TemplateError) -> NodeID {
        var node = node
        while true {
            let place = token.offset
            if skip(.dot) {
                node = try attribute(of: node, at: place)
            } else if at(.leftBracket) {
                node = try item(of: node)
            } else if at(.leftParen) {
                node = try call(node)
            } else {
                return node
            }
        }
    }

    private mutating func attribute(of node: NodeID, at place: Int) throws(TemplateError) -> NodeID {
        if case .integer(let value) = token.kind {
            let index = draft.constant(value.int.map(Constant.integer) ?? .whole(value), at: token.offset)
            next += 1
            return try add(.item(node, index), at: place, over: node)
        }
        let name = try expectName("a field's name")
        return try add(.attribute(node, name: draft.name(name)), at: place, over: node)
    }

    private mutating func item(of node: NodeID) throws(TemplateError) -> NodeID {
        let place = token.offset
        next += 1
        var parts: [NodeID] = []
        var slice: Int?
        while !at(.rightBracket) {
            if !parts.isEmpty || slice != nil { try expect(.comma) }
            if let links = try self.slice() {
                slice = links
            } else {
                parts.append(try expression())
                if at(.colon) { slice = try self.slice(from: parts.removeLast()) }
            }
        }
        try expect(.rightBracket)
        if let slice {
            guard parts.isEmpty else { throw fault("a slice stands alone in its brackets", at: place) }
            let bounds = draft.links[slice..<slice + 3]
            return try add(.slice(node, links: slice), at: place, overAll: [node] + bounds)
        }
        guard parts.count != 1 else { return try add(.item(node, parts[0]), at: place, over: node, parts[0]) }
        let key = try add(.tuple(draft.link(parts)), at: place, overAll: parts)
        return try add(.item(node, key), at: place, over: node, key)
    }

    /// The links of a slice that begins with a colon.
    private mutating func slice() throws(TemplateError) -> Int? {
        at(.colon) ? try slice(from: -1) : nil
    }

    private mutating func slice(from start: NodeID) throws(TemplateError) -> Int {
        try expect(.colon)
        func isBound() -> Bool { !at(.colon) && !at(.rightBracket) && !at(.comma) }
        let stop = isBound() ? try expression() : -1
        let step = skip(.colon) && isBound() ? try expression() : -1
        return draft.link([start, stop, step]).start
    }

    mutating func call(_ node: NodeID) throws(TemplateError) -> NodeID {
        let place = token.offset
        let site = try arguments()
        let parts = site.positional + site.named.map(\.value)
        let call = draft.call(site)
        guard case .attribute(let object, let name) = draft.nodes[node] else {
            return try add(.call(node, call: call), at: place, overAll: [node] + parts)
        }
        return try add(.method(object, name: name, call: call), at: draft.places[node], overAll: [object] + parts)
    }

    mutating func arguments() throws(TemplateError) -> CallSite {
        try expect(.leftParen)
        var site = CallSite()
        while !at(.rightParen) {
            if !site.isEmpty {
                try expect(.comma)
                if at(.rightParen) { break }
            }
            if at(.mul) || at(.pow) {
                throw fault("'*' and '**' in calls are not known here; name each argument", at: token.offset)
            }
            if case .name(let name) = token.kind, tokens[next + 1].kind == .sign(.assign) {
                let place = token.offset
                next += 2
                if site.named.contains(where: { $0.name == name }) {
                    throw fault("the argument '\(name.shortened)' stands here twice", at: place)
                }
                site.named.append((name, try expression()))
            } else {
                guard site.named.isEmpty else {
                    throw fault("an argument without a name follows one with a name", at: token.offset)
                }
                site.positional.append(try expression())
            }
        }
        try expect(.rightParen)
        return site
    }

    private mutating func filtered(_ node: NodeID) throws(TemplateError) -> NodeID {
        var node = node
        while true {
            if at(.pipe) {
                node = try filter(node)
            } else if at(name: "is") {
                node = try test(node)
            } else if at(.leftParen) {
                node = try call(node)
            } else {
                return node
            }
        }
    }

    /// Reads filters; `node` is -1 for those of a block.
    mutating func filter(_ node: NodeID) throws(TemplateError) -> NodeID {
        try expect(.pipe)
        return try filterName(node)
    }

    mutating func filterName(_ node: NodeID) throws(TemplateError) -> NodeID {
        let place = token.offset
        let name = try expectName("a filter's name")
        guard let filter = Filter(rawValue: name) else {
            throw fault(Filter.unknown(name), at: place)
        }
        let site = at(.leftParen) ? try arguments() : .none
        let parts = site.positional + site.named.map(\.value)
        return try add(.filter(filter, node, call: draft.call(site)), at: place, overAll: [node] + parts)
    }

    private mutating func test(_ node: NodeID) throws(TemplateError) -> NodeID {
        next += 1
        let isNegated = skip(name: "not")
        let place = token.offset
        let name = try expectName("a test's name")
        guard let test = ValueTest(rawValue: name) else { throw fault(ValueTest.unknown(name), at: place) }
        var site = CallSite.none
        if at(.leftParen) {
            site = try arguments()
        } else if isArgument {
            if at(name: "is") { throw fault("tests do not chain; write 'and' between them", at: token.offset) }
            let value = try nested { (parser) throws(TemplateError) in
                let value = try parser.primary()
                return try parser.postfix(value)
            }
            site.positional = [value]
        }
        let parts = site.positional + site.named.map(\.value)
        let found = try add(.test(test, node, call: draft.call(site)), at: place, overAll: [node] + parts)
        return isNegated ? try add(.not(found), at: place, over: found) : found
    }

    /// Whether what follows a test's name is its argument without parentheses.
    private var isArgument: Bool {
        switch token.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .integer, .float, .sign(.leftBracket), .sign(.leftBrace): true
        default: false
        }
    }
}
