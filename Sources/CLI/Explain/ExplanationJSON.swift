import CarillonAnswers
import CarillonEvents
import CarillonLedger
import CarillonRules

// The same answer for programs.

extension Explanation {
    var json: JSONValue {
        .object([
            JSONValue.Member("events", .array(events.map(\.json))),
            JSONValue.Member(
                "types", .object(types.sorted { $0.key < $1.key }.map { .integer($0.key, $0.value) })),
            JSONValue.Member(
                "absent",
                .array(
                    absences.map { absence in
                        .object([
                            .string("rule", absence.rule),
                            JSONValue.Member("types", .array(absence.types.map { .string($0) })),
                        ])
                    })),
            .integer("scanned", scanned), JSONValue.Member("rule_known", .bool(isRuleKnown)),
        ])
    }
}

extension EventAnswer {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .string("workspace", workspace), .string("source", source), .string("id", id), .string("type", type),
            .string("subject", subject), .integer("partition", partition), .integer("offset", offset),
            .time("appended", appended.milliseconds), .string("decision", fate.word),
        ]
        if case .parked(let reason) = fate { members.append(.string("reason", reason)) }
        if case .duplicate(let partition, let offset) = fate {
            members.append(.string("duplicate_of", "\(partition):\(offset)"))
        }
        members.append(JSONValue.Member("revision", batch.map { .integer($0.revision) } ?? .null))
        members.append(.time("decided", batch?.at.milliseconds))
        members.append(JSONValue.Member("rules", .array(rules.map(\.json))))
        return .object(members)
    }
}

extension RuleLine {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [.string("rule", name), .string("verdict", answer.verdict.word)]
        switch answer.verdict {
        case .selected(let failure): if let failure { members.append(.string("condition_failure", failure)) }
        case .disabled, .apart: break
        case .type(let expected, let found):
            members.append(JSONValue.Member("expected", .array(expected.map { .string($0) })))
            members.append(.string("found", found))
        case .scope(let miss), .pattern(let miss):
            members += [
                .string("path", miss.path), .string("expected", miss.expected),
                JSONValue.Member("found", .array(miss.found.map { .string($0) })),
                JSONValue.Member("apart", .bool(miss.isApart)), .integer("branches", miss.branches),
            ]
        case .condition(let source, let value): members += [.string("condition", source), .string("value", value)]
        case .conditionFailed(let source, let error):
            members += [.string("condition", source), .string("error", error)]
        }
        members.append(
            JSONValue.Member(
                "groups",
                .array(
                    groups.map { group in
                        .object([
                            .string("name", group.name), .time("opened", group.opened.milliseconds),
                            .integer("total", group.total), .time("due", group.due?.milliseconds),
                            JSONValue.Member("number", group.told.map { .integer($0.number) } ?? .null),
                            JSONValue.Member("size", group.told.map { .integer($0.size) } ?? .null),
                            .string("digest_of", group.digestOf),
                        ])
                    })))
        members.append(JSONValue.Member("deliveries", .array(deliveries.map { Self.json($0.row, $0.attempts) })))
        members.append(
            JSONValue.Member(
                "suppressed",
                .array(
                    suppressed.map { row in
                        .object([
                            .string("reason", row.reason), .string("by", row.by), .string("target", row.target),
                            .time("decided", row.decidedAt),
                        ])
                    })))
        members.append(.time("replayed", replayed?.milliseconds))
        return .object(members)
    }

    private static func json(_ row: DeliveryRow, _ attempts: [AttemptRow]) -> JSONValue {
        let tries = attempts.map { attempt in
            JSONValue.object([
                .integer("number", attempt.number), .time("at", attempt.at), .string("reason", attempt.reason),
                .integer("status", attempt.status), .string("words", attempt.words),
            ])
        }
        return .object(row.members + [JSONValue.Member("tries", .array(tries))])
    }
}

extension RuleAnswer.Verdict {
    /// The word for it.
    fileprivate var word: String {
        switch self {
        case .selected: "selected"
        case .disabled: "disabled"
        case .type: "type"
        case .scope: "scope"
        case .pattern, .apart: "pattern"
        case .condition, .conditionFailed: "condition"
        }
    }
}
