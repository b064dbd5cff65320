// What stands behind a value: fields, items, calls, filters and tests.

extension TemplateParser {
    mutating func postfix(_ node: NodeID) throws(TemplateError) -> NodeID {
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

    mutating func filtered(_ node: NodeID) throws(TemplateError) -> NodeID {
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
        guard let test = JinjaTest(rawValue: name) else { throw fault(JinjaTest.unknown(name), at: place) }
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
