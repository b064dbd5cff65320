import CarillonEvents
import CarillonRules

// Rule documents, patterns and templates: what a tenant may write must be refused or work, within bounds.

/// A document is read twice with the same result; what it selects is rendered.
func probeDocument(_ text: Span<UInt8>) {
    guard let text = String(validating: Array(copying: text), as: UTF8.self) else { return }
    let loaded = RuleDocuments.load([(file: "fuzz.yaml", text: text)])
    let again = RuleDocuments.load([(file: "fuzz.yaml", text: text)])
    precondition(loaded.problems == again.problems, "one document, two answers")
    for problem in loaded.problems {
        precondition(problem.line >= 1 && problem.column >= 1, "a problem outside the file: \(problem)")
    }
    for rules in loaded.workspaces { meet(rules) }
}

private func meet(_ rules: WorkspaceRules) {
    _ = rules.secretNames
    var scratch = MatchScratch()
    for event in sampleEvents {
        guard let outline = try? CloudEvents.outline(event.span) else { preconditionFailure("a sample is no event") }
        var hits: [Int] = []
        rules.match(event.span, outline, into: &hits, using: &scratch)
        _ = rules.judge(event.span, outline, &hits)
        precondition(zip(hits, hits.dropFirst()).allSatisfy(<), "rules were found twice or out of order")
        for hit in hits {
            let rule = rules.rules[hit]
            precondition(rule.enabled, "a disabled rule selected an event")
            _ = rule.title(for: event.span, outline)
            _ = rule.message(for: event.span, outline)
            _ = rule.dedup?.values(in: event.span, outline)
        }
    }
}

/// A pattern is refused or says the same of an event each time, alone and beside others.
func probePattern(_ input: Span<UInt8>) {
    let (first, rest) = parts(of: input)
    guard let source = String(validating: first, as: UTF8.self) else { return }
    guard let pattern = try? CompiledPattern(source) else { return }
    guard let both = try? CompiledPatterns([source, #"{"data":{"labels":{"team":["vision"]}}}"#]) else {
        preconditionFailure("a pattern that is one alone is none beside another")
    }
    precondition((try? JSON.check(source.utf8.span)) != nil, "a pattern is no JSON")
    var scratch = MatchScratch()
    for event in sampleEvents + rest.split(separator: UInt8(ascii: "\n")).map(Array.init) {
        guard (try? JSON.check(event.span)) != nil else { continue }
        let fits = pattern.matches(event.span, using: &scratch)
        var hits: [Int] = []
        both.match(event.span, into: &hits, using: &scratch)
        precondition(hits.contains(0) == fits, "a neighbour changed a pattern")
        var fresh = MatchScratch()
        precondition(pattern.matches(event.span, using: &fresh) == fits, "a pattern changed its mind")
    }
}

/// A template or condition is refused or, for every event, makes a text of bounded length or fails with a reason.
func probeTemplate(_ input: Span<UInt8>) {
    let (first, rest) = parts(of: input)
    guard let source = String(validating: first, as: UTF8.self) else { return }
    for purpose in [Template.Purpose.notice, .markup, .body] {
        guard let template = try? Template(source, for: purpose) else { continue }
        fill(template, from: rest)
    }
    guard let condition = try? Condition(source) else { return }
    for event in sampleEvents + [rest] {
        guard let outline = try? CloudEvents.outline(event.span) else { continue }
        let (once, again) = (judgement(condition, event, outline), judgement(condition, event, outline))
        precondition(once == again, "a condition changed its mind")
    }
}

private func judgement(
    _ condition: Condition, _ event: [UInt8], _ outline: EventOutline
) -> Result<Bool, TemplateError> {
    Result { () throws(TemplateError) in try condition.holds(event.span, outline) }
}

private func fill(_ template: Template, from rest: [UInt8]) {
    for event in sampleEvents + [rest] {
        let text: Result<String, TemplateError>
        if let outline = try? CloudEvents.outline(event.span) {
            text = Result { () throws(TemplateError) in try template.render(event.span, outline) }
        } else if (try? JSON.check(event.span)) != nil {
            text = Result { () throws(TemplateError) in try template.render(object: event.span) }
        } else {
            continue
        }
        switch text {
        case .success(let text):
            precondition(text.utf8.count <= Template.longestText * 16, "a text of \(text.utf8.count) bytes")
        case .failure(let error): precondition(!error.reason.isEmpty, "a failure without a reason")
        }
    }
}
