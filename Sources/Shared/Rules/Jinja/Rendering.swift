import CarillonEvents

extension Run {
    /// Puts out a template's statements.
    mutating func render(_ body: [Statement], _ text: Span<UInt8>) throws(TemplateError) {
        for statement in body {
            switch statement {
            case .text(let start, let end):
                try charge(1 + (end - start) / 64)
                output += program.literals[start..<end]
            case .output(let node): try put(node, text)
            case .assign(let assignment):
                try check(assignment.target)
                let value = try evaluate(assignment.value, text)
                try assign(value, to: assignment.target, text)
            case .branch(let branch): try render(branch, text)
            case .loop(let loop): try render(loop, text)
            case .capture(let capture): try render(capture, text)
            case .scope(let scoped): try render(scoped, text)
            }
            guard output.count <= style.cuts ?? style.limit.text else {
                if style.cuts != nil, captured.isEmpty { return }
                throw failure("makes a text longer than \(style.limit.text >> 10) KiB", .limit)
            }
        }
    }

    private mutating func render(_ branch: Branch, _ text: Span<UInt8>) throws(TemplateError) {
        for (test, body) in branch.arms {
            let value = try evaluate(test, text)
            if try isTrue(value, text) { return try render(body, text) }
        }
        try render(branch.otherwise, text)
    }

    private mutating func render(_ scoped: Scoped, _ text: Span<UInt8>) throws(TemplateError) {
        let mark = locals.count
        defer { locals.removeLast(locals.count - mark) }
        var values: [Value] = []
        for assignment in scoped.assignments { values.append(try evaluate(assignment.value, text)) }
        for (assignment, value) in zip(scoped.assignments, values) {
            try define(value, as: assignment.target, text)
        }
        try inScope { (run) throws(TemplateError) in try run.render(scoped.body, text) }
    }

    /// What is set inside ends with it, and hides what was set outside.
    private mutating func inScope(_ body: (inout Run) throws(TemplateError) -> Void) throws(TemplateError) {
        let (mark, outer) = (locals.count, scopeStart)
        scopeStart = mark
        defer {
            locals.removeLast(locals.count - mark)
            scopeStart = outer
        }
        try body(&self)
    }
}

// MARK: - Assignments

extension Run {
    /// Jinja looks whether a namespace is one before the value is reckoned.
    private func check(_ target: Target) throws(TemplateError) {
        switch target {
        case .name: return
        case .tuple(let parts): for part in parts { try check(part) }
        case .member(let name, let member, let place):
            for local in locals.reversed() where local.name == name {
                if case .namespace = local.value { return }
                break
            }
            throw program.error(
                .value,
                "'\(program.names[name].text).\(member)' can be set only after {% set \(program.names[name].text)"
                    + " = namespace() %}", at: place)
        }
    }

    private mutating func assign(_ value: Value, to target: Target, _ text: Span<UInt8>) throws(TemplateError) {
        switch target {
        case .name(let name):
            for i in stride(from: locals.count - 1, through: scopeStart, by: -1) where locals[i].name == name {
                locals[i].value = value
                return
            }
            locals.append(Local(name: name, value: value))
        case .tuple(let parts):
            for (part, item) in zip(parts, try unpacked(value, parts.count, text)) { try assign(item, to: part, text) }
        case .member(let name, let member, _):
            for local in locals.reversed() where local.name == name {
                guard case .namespace(let index) = local.value else { return }
                namespaces[index].set(.text(member), .text(Array(member.utf8)), value)
                _ = try checked(namespaces[index])
                return
            }
        }
    }

    /// Brings a name into being, whatever stood under it.
    private mutating func define(_ value: Value, as target: Target, _ text: Span<UInt8>) throws(TemplateError) {
        switch target {
        case .name(let name): locals.append(Local(name: name, value: value))
        case .tuple(let parts):
            for (part, item) in zip(parts, try unpacked(value, parts.count, text)) { try define(item, as: part, text) }
        case .member: break  // The parser lets none through.
        }
    }

    private mutating func unpacked(_ value: Value, _ count: Int, _ text: Span<UInt8>) throws(TemplateError) -> [Value] {
        let items = try elements(value, text)
        guard items.count == count else {
            throw failure("\(items.count) values do not fit \(count) names")
        }
        return items
    }
}

// MARK: - Loops

extension Run {
    private mutating func render(_ loop: Loop, _ text: Span<UInt8>) throws(TemplateError) {
        let sequence = try evaluate(loop.sequence, text)
        current = loop.sequence
        if case .loop = sequence { throw failure("the loop cannot be looped over") }
        var items = try elements(sequence, text)
        if let filter = loop.filter, loop.loopName != nil { items = try filtered(items, loop, filter, text) }
        let number = loops.count
        if loop.loopName != nil { loops.append(LoopState(items: items)) }
        var isEmpty = true
        for (index, item) in items.enumerated() {
            try charge(1)
            let mark = locals.count
            defer { locals.removeLast(locals.count - mark) }
            current = loop.sequence
            try define(item, as: loop.target, text)
            if let filter = loop.filter, loop.loopName == nil {
                let value = try evaluate(filter, text)
                if try !isTrue(value, text) { continue }
            }
            isEmpty = false
            if let name = loop.loopName {
                loops[number].index = index
                locals.append(Local(name: name, value: .loop(number)))
            }
            try inScope(from: mark) { (run) throws(TemplateError) in try run.render(loop.body, text) }
            if style.cuts.map({ output.count > $0 }) ?? false, captured.isEmpty { return }
        }
        if isEmpty { try inScope { (run) throws(TemplateError) in try run.render(loop.otherwise, text) } }
        if loop.loopName != nil, number < loops.count { loops[number].index = max(0, items.count - 1) }
    }

    /// The items that the loop's condition lets through.
    private mutating func filtered(
        _ items: [Value], _ loop: Loop, _ filter: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> [Value] {
        var kept: [Value] = []
        for item in items {
            try charge(1)
            let mark = locals.count
            defer { locals.removeLast(locals.count - mark) }
            try define(item, as: loop.target, text)
            let value = try evaluate(filter, text)
            if try isTrue(value, text) { kept.append(item) }
        }
        return kept
    }

    /// As `inScope`, when the scope's first names stand already.
    private mutating func inScope(
        from mark: Int, _ body: (inout Run) throws(TemplateError) -> Void
    ) throws(TemplateError) {
        let outer = scopeStart
        scopeStart = mark
        defer { scopeStart = outer }
        try body(&self)
    }
}

// MARK: - Captured texts

extension Run {
    private mutating func render(_ capture: Capture, _ text: Span<UInt8>) throws(TemplateError) {
        let outside = output
        output = []
        captured.append(Text([]))
        try inScope { (run) throws(TemplateError) in try run.render(capture.body, text) }
        let made = Text(output, isSafe: style.escapes)
        output = outside
        captured[captured.count - 1] = made
        var value = Value.text(made)
        if let filter = capture.filter { value = try evaluate(filter, text) }
        captured.removeLast()
        guard let target = capture.target else {
            guard value.isString else {
                throw failure("the filters of a block give text, not \(value.typeName); add '| string'")
            }
            return output += try string(value, text)
        }
        if style.escapes, !value.isSafe { value = .text(Text(try string(value, text), isSafe: true)) }
        try assign(value, to: target, text)
    }
}
