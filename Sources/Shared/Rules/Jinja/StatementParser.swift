// Statements: what stands between `{%` and `%}`, and the text around it.

extension TemplateParser {
    /// Reads a whole template.
    static func program(_ source: String, limit: TemplateLimit) throws(TemplateError) -> Program {
        try check(source, limit)
        var parser = TemplateParser(source, try Lexer.tokens(of: source))
        let body = try parser.statements(until: [], of: nil)
        return Program(parser.draft, body: body, source: source)
    }

    /// Reads an expression that stands alone; the program's body puts it out.
    static func expression(_ source: String, limit: TemplateLimit) throws(TemplateError) -> Program {
        try check(source, limit)
        var parser = TemplateParser(source, try Lexer.expression(source))
        let node = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected("the end of the expression") }
        return Program(parser.draft, body: [.output(node)], source: source)
    }

    private static func check(_ source: String, _ limit: TemplateLimit) throws(TemplateError) {
        guard source.utf8.count <= limit.source else {
            throw TemplateError(kind: .limit, reason: "longer than \(limit.source >> 10) KiB", offset: 0)
        }
    }

    /// Reads up to one of the words as a tag, which is left to be read; to the template's end when there are none.
    private mutating func statements(
        until words: [String], of opening: (name: String, offset: Int)?
    ) throws(TemplateError) -> [Statement] {
        var body: [Statement] = []
        while true {
            switch token.kind {
            case .text(let bytes):
                body.append(draft.literal(bytes))
                next += 1
            case .outputBegin:
                next += 1
                body.append(.output(try tuple()))
                guard token.kind == .outputEnd else { throw unexpected("'}}'") }
                next += 1
            case .statementBegin:
                next += 1
                if case .name(let name) = token.kind, words.contains(name) { return body }
                if let statement = try nested({ (parser) throws(TemplateError) in try parser.statement(in: opening) }) {
                    body.append(statement)
                }
            default:
                guard let opening else { return body }
                let closing = words.map { "'{% \($0) %}'" }.joined(separator: " or ")
                throw fault("'{% \(opening.name) %}' is never closed by \(closing)", at: opening.offset)
            }
        }
    }

    /// The body of a statement whose head has been read, and the word it ended at.
    private mutating func body(
        until words: [String], of opening: (name: String, offset: Int)
    ) throws(TemplateError) -> (body: [Statement], word: String) {
        _ = skip(.colon)
        try endTag()
        let body = try statements(until: words, of: opening)
        return (body, try expectName("a statement"))
    }

    private mutating func endTag() throws(TemplateError) {
        guard token.kind == .statementEnd else { throw unexpected("'%}'") }
        next += 1
    }

    private mutating func statement(in opening: (name: String, offset: Int)?) throws(TemplateError) -> Statement? {
        let place = token.offset
        let name = try expectName("a statement")
        let head = (name: name, offset: place)
        let statement: Statement
        switch name {
        case "if": statement = .branch(try branch(head))
        case "for": statement = .loop(try loop(head))
        case "set": statement = try set(head)
        case "with": statement = .scope(try with(head))
        case "filter": statement = .capture(try filterBlock(head))
        default: throw fault(Self.unknown(name, in: opening?.name), at: place)
        }
        try endTag()
        return statement
    }

    private static func unknown(_ name: String, in opening: String?) -> String {
        let known = "if, for, set, with, filter and raw"
        switch name {
        case "elif", "else", "endif", "endfor", "endset", "endwith", "endfilter", "endraw":
            return opening.map { "'\(name)' stands inside '\($0)', which is still open" }
                ?? "'\(name)' closes nothing"
        case "macro", "call", "include", "import", "from", "extends", "block", "do", "autoescape", "break", "continue":
            return "'\(name)' is not known here: a template stands alone; there are \(known)"
        default: return "there is no statement '\(name.shortened)'; there are \(known)"
        }
    }
}

// MARK: - if, for

extension TemplateParser {
    private mutating func branch(_ head: (name: String, offset: Int)) throws(TemplateError) -> Branch {
        var arms: [(test: NodeID, body: [Statement])] = []
        while true {
            let test = try tuple(mayBeChoice: false)
            let (body, word) = try self.body(until: ["elif", "else", "endif"], of: head)
            arms.append((test, body))
            if word == "elif" { continue }
            guard word == "else" else { return Branch(arms: arms, otherwise: []) }
            return Branch(arms: arms, otherwise: try self.body(until: ["endif"], of: head).body)
        }
    }

    private mutating func loop(_ head: (name: String, offset: Int)) throws(TemplateError) -> Loop {
        let target = try self.target(endsBefore: "in", mayBeMember: false)
        guard skip(name: "in") else { throw unexpected("'in'") }
        let sequence = try tuple(mayBeChoice: false, endsBefore: "recursive")
        let filter = skip(name: "if") ? try expression() : nil
        if at(name: "recursive") { throw fault("recursive loops are not known here", at: token.offset) }
        speaksOfLoop.append(false)
        let (body, word) = try self.body(until: ["endfor", "else"], of: head)
        let speaks = speaksOfLoop.removeLast()
        let otherwise = word == "else" ? try self.body(until: ["endfor"], of: head).body : []
        return Loop(
            target: target, sequence: sequence, filter: filter, body: body, otherwise: otherwise,
            loopName: speaks ? draft.name("loop") : nil)
    }

    /// What is assigned to: a name, several with commas between, or a namespace's member.
    private mutating func target(endsBefore word: String?, mayBeMember: Bool) throws(TemplateError) -> Target {
        var parts: [Target] = []
        var isTuple = false
        let place = token.offset
        while true {
            if !parts.isEmpty { guard skip(.comma) else { throw unexpected("','") } }
            if isTupleEnd(word) || at(.assign) { break }
            parts.append(try singleTarget(mayBeMember: mayBeMember))
            guard at(.comma) else { break }
            isTuple = true
        }
        if !isTuple, let only = parts.first { return only }
        guard isTuple else { throw fault("a name is expected here", at: place) }
        return .tuple(parts)
    }

    private mutating func singleTarget(mayBeMember: Bool) throws(TemplateError) -> Target {
        let place = token.offset
        if skip(.leftParen) {
            let inner = try nested { (parser) throws(TemplateError) in
                try parser.target(endsBefore: nil, mayBeMember: false)
            }
            try expect(.rightParen)
            return inner
        }
        let name = try expectName("a name")
        if mayBeMember, skip(.dot) {
            return .member(of: draft.name(name), name: try expectName("a name"), at: place)
        }
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
            throw fault("'\(name)' cannot be assigned to", at: place)
        }
        if name == "loop", !mayBeMember || !speaksOfLoop.isEmpty {
            throw fault("'loop' is the loop's own name; take another", at: place)
        }
        return .name(draft.name(name))
    }
}

// MARK: - set, with, filter

extension TemplateParser {
    private mutating func set(_ head: (name: String, offset: Int)) throws(TemplateError) -> Statement {
        let target = try self.target(endsBefore: nil, mayBeMember: true)
        if skip(.assign) { return .assign(Assignment(target: target, value: try tuple())) }
        var filter: NodeID?
        while at(.pipe) { filter = try self.filter(filter ?? -1) }
        let (body, _) = try self.body(until: ["endset"], of: head)
        return .capture(Capture(target: target, filter: filter, body: body))
    }

    private mutating func with(_ head: (name: String, offset: Int)) throws(TemplateError) -> Scoped {
        var assignments: [Assignment] = []
        while token.kind != .statementEnd, !at(.colon) {
            if !assignments.isEmpty { try expect(.comma) }
            let target = try singleTarget(mayBeMember: false)
            try expect(.assign)
            assignments.append(Assignment(target: target, value: try expression()))
        }
        return Scoped(assignments: assignments, body: try body(until: ["endwith"], of: head).body)
    }

    private mutating func filterBlock(_ head: (name: String, offset: Int)) throws(TemplateError) -> Capture {
        var filter = try filterName(-1)
        while at(.pipe) { filter = try self.filter(filter) }
        return Capture(target: nil, filter: filter, body: try body(until: ["endfilter"], of: head).body)
    }
}
