// Cases of DocumentTests: what is written, and every problem that is told, with its line and column.

extension DocumentCase {
    /// Lines of a rule, from line 9, column 5 on.
    static let rules: [DocumentCase] = [
        .init(
            "an unknown key is refused with the nearest known one",
            "severty: info",
            [
                "9:5: unknown key 'severty' in a rule; did you mean 'severity'?"
            ]),
        .init(
            "an unknown key far from all is just refused",
            "zzzzzz: 1",
            [
                "9:5: unknown key 'zzzzzz' in a rule"
            ]),
        .init(
            "a merge key is not YAML 1.2",
            "<<: {a: b}",
            [
                "9:5: merge keys ('<<') are not part of YAML 1.2"
            ]),
        .init(
            "severity is one of three",
            "severity: loud",
            [
                "9:15: 'severity' is one of info, warning, critical, not 'loud'"
            ]),
        .init(
            "severity is written in lower case",
            "severity: Critical",
            [
                "9:15: 'severity' is one of info, warning, critical, not 'Critical'; did you mean 'critical'?"
            ]),
        .init(
            "severity is no list",
            "severity: [info]",
            [
                "9:15: 'severity' is text, not a list"
            ]),
        .init(
            "severity is not empty",
            "severity:",
            [
                "9:14: 'severity' is text, not nothing"
            ]),
        .init(
            "enabled is no older YAML's yes",
            "enabled: yes",
            [
                "9:14: 'enabled' is true or false, not 'yes'"
            ]),
        .init(
            "enabled is no older YAML's on",
            "enabled: on",
            [
                "9:14: 'enabled' is true or false, not 'on'"
            ]),
        .init(
            "enabled is not text",
            "enabled: 'true'",
            [
                "9:14: 'enabled' is true or false, not the text 'true'"
            ]),
        .init("enabled may be TRUE", "enabled: TRUE", []),
        .init(
            "expire_after wants a unit",
            "expire_after: 30",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '30'"
            ]),
        .init(
            "expire_after knows its units",
            "expire_after: 30x",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '30x'"
            ]),
        .init(
            "expire_after counts each unit once",
            "expire_after: 1h1h",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '1h1h'"
            ]),
        .init(
            "expire_after goes from the largest unit down",
            "expire_after: 30m1h",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '30m1h'"
            ]),
        .init("expire_after may combine units", "expire_after: 1d12h30m5s", []),
        .init(
            "expire_after is not nothing",
            "expire_after: 0s",
            [
                "9:19: 'expire_after' is between 1s and 365d, not 0s"
            ]),
        .init(
            "expire_after ends at a year",
            "expire_after: 366d",
            [
                "9:19: 'expire_after' is between 1s and 365d, not 366d"
            ]),
        .init(
            "expire_after is no fraction",
            "expire_after: 1.5h",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '1.5h'"
            ]),
        .init(
            "expire_after does not overflow",
            "expire_after: 99999999999999999999d",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '99999999999999999999d'"
            ]),
        .init(
            "expire_after is not negative",
            "expire_after: -5m",
            [
                "9:19: 'expire_after' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '-5m'"
            ]),
        .init(
            "order knows subject, none and supersede",
            "order: fifo",
            [
                "9:12: 'order' is one of subject, none, supersede, not 'fifo'"
            ]),
        .init("order supersede works", "order: supersede", []),
        .init("order none works", "order: none", []),
        .init("a condition is an expression", "condition: data.x > 1 and data.labels.team in ['a', 'b']", []),
        .init(
            "a condition that cannot be read is refused",
            "condition: data.x >",
            [
                "9:24: the condition: a value is expected, not the end"
            ]),
        .init(
            "on_error sends or skips",
            "on_error: maybe",
            [
                "9:15: 'on_error' is one of send, skip, not 'maybe'"
            ]),
        .init("on_error works", "on_error: skip", []),
        .init("a group has a wait and an every of its own accord", "group: {by: [data.x]}", []),
        .init("a group says how long it waits", "group: {by: [data.array.id, type], wait: 1m, every: 30m}", []),
        .init("a group may speak at once", "group: {by: [workspace], wait: 0s}", []),
        .init(
            "a group needs what tells groups apart", "group: {wait: 1m}", ["9:12: a group needs 'by'"]),
        .init(
            "a group by nothing", "group: {by: []}",
            ["9:17: 'by' is empty; name what tells events apart, such as subject, or workspace for one group in all"]),
        .init(
            "a group knows its keys", "group: {by: [data.x], wait: 1m, evry: 1h}",
            ["9:37: unknown key 'evry' in a group; did you mean 'every'?"]),
        .init(
            "a group's times have bounds", "group: {by: [data.x], wait: 2d, every: 0s}",
            ["9:33: 'wait' is between 0s and 1d, not 2d", "9:44: 'every' is between 1s and 7d, not 0s"]),
        .init(
            "a group keeps all its messages", "group: {by: [data.x]}\n    order: supersede",
            [
                "10:5: 'order: supersede' drops older messages, and those of a group tell of different events; drop one of both"
            ]),
        .init(
            "thresholds are not built",
            "after: {count: 3, within: 10m}",
            [
                "9:5: not yet: 'after' (thresholds)"
            ]),
        .init(
            "an incident is for pagers",
            "incident: {key: [data.pipeline], resolve_on: [job.succeeded]}",
            [
                "6:5: 'incident' is for pagerduty, and rule 'failures' names no such endpoint"
            ]),
        .init(
            "an incident's key names fields",
            "incident: {key: []}",
            [
                "9:21: 'key' names 1 to 16 fields, not 0"
            ]),
        .init(
            "per_rule is true or false",
            "per_rule: always",
            [
                "9:15: 'per_rule' is true or false, not 'always'"
            ]),
        .init(
            "for is not built",
            "for: 30m",
            [
                "9:5: not yet: 'for' (timers)"
            ]),
        .init(
            "expect is not built",
            "expect: {events: [a], by: \"06:00\"}",
            [
                "9:5: not yet: 'expect' (timers)"
            ]),
        .init(
            "a rule's id is not empty",
            "id: ''",
            [
                "9:9: a rule's id is empty"
            ]),
        .init(
            "a rule's id has no control character",
            "id: \"a\\tb\"",
            [
                "9:9: a rule's id has a control character"
            ]),
        .init("a rule's id may look like a number", "id: 17", []),
        .init(
            "a scope names one thing",
            "scope: {pipeline: a, owner: b}",
            [
                "9:12: a scope names one of pipeline, owner and model"
            ]),
        .init(
            "a scope names something",
            "scope: {}",
            [
                "9:12: a scope names one of pipeline, owner and model"
            ]),
        .init(
            "a scope is a mapping",
            "scope: nightly",
            [
                "9:12: a scope is a mapping, not a single value"
            ]),
        .init(
            "a scope knows its keys",
            "scope: {pipline: a}",
            [
                "9:13: unknown key 'pipline' in a scope; did you mean 'pipeline'?"
            ]),
        .init(
            "a scope's name is text",
            "scope: {pipeline: [a]}",
            [
                "9:23: the pipeline of a scope is text, not a list"
            ]),
        .init("a scope's name may look like a number", "scope: {owner: 22:00}", []),
        .init(
            "the scope model is for model events",
            "scope: {model: m-1}",
            [
                "7:14: the scope 'model' does not fit 'job.failed': it is for model.* events"
            ]),
        .init(
            "the scope pipeline is for pipeline events",
            "scope: {pipeline: nightly}",
            [
                "7:14: the scope 'pipeline' does not fit 'job.failed': it is for pipeline.* events"
            ]),
        .init("the scope owner fits jobs", "scope: {owner: alice}", []),
        .init(
            "a pattern is a mapping",
            "pattern: [job.failed]",
            [
                "9:14: a pattern is a mapping of the event's fields, not a list"
            ]),
        .init(
            "an empty pattern is refused",
            "pattern: {}",
            [
                "9:14: an empty mapping in a pattern matches nothing"
            ]),
        .init(
            "an empty mapping in a pattern is refused",
            "pattern: {data: {}}",
            [
                "9:21: an empty mapping in a pattern matches nothing"
            ]),
        .init(
            "an empty list in a pattern is refused",
            "pattern: {data: {final: []}}",
            [
                "9:29: an empty list in a pattern matches nothing"
            ]),
        .init(
            "a leaf of a pattern is a list",
            "pattern: {data: {final: true}}",
            [
                "9:29: a pattern's values stand in a list: [true]"
            ]),
        .init(
            "a null leaf of a pattern is no list",
            "pattern: {data: {final: }}",
            [
                "9:29: a pattern's values stand in a list"
            ]),
        .init(
            "lists in lists are refused",
            "pattern: {data: {final: [[true]]}}",
            [
                "9:30: a list in a pattern holds values, not lists"
            ]),
        .init(
            "operators take what they can compare",
            "pattern: {data: {a: [{prefix: 1}], b: [{exists: yes}], c: [{numeric: ['>', x]}], d: [{cidr: 10/8}]}}",
            [
                "9:35: 'prefix' takes a text, not '1', which is none",
                "9:53: 'exists' is true or false",
                "9:75: 'numeric' takes a comparison such as [\"=\", 3], [\">\", 0] or [\">=\", 0, \"<\", 5]",
                "9:97: '10/8' begins with no IPv4 or IPv6 address",
            ]),
        .init(
            "a path stands once, however it is written",
            "pattern: {data: {a: [1]}, data.a: [2]}",
            [
                "9:31: warning: 'data.a' stands before already; the last one counts"
            ]),
        .init(
            "a choice replaces a field before it",
            "pattern: {data: {a: [1], $or: [{a: [2]}, {b: [3]}]}}",
            [
                "9:37: warning: 'data.a' stands before already; the last one counts"
            ]),
        .init(
            "an unknown operator is refused with the nearest",
            "pattern: {data: {n: [{prefx: a}]}}",
            [
                "9:26: unknown pattern operator 'prefx'; did you mean 'prefix'?"
            ]),
        .init(
            "an operator without a name is refused",
            "pattern: {data: {n: [{}]}}",
            [
                "9:26: an operator stands alone in its mapping; here is an empty mapping"
            ]),
        .init(
            "$or chooses between mappings",
            "pattern: {$or: [{a: [1]}, [b]], d: {$or: [{a: [1]}]}}",
            [
                "9:31: '$or' chooses between mappings, not a list",
                "9:41: '$or' needs two mappings or more to choose from",
            ]),
        .init(
            "every fault of a pattern is told",
            "pattern: {data: {a: [], b: 1, c: [{prefix: 7}]}, d: {}}",
            [
                "9:25: an empty list in a pattern matches nothing",
                "9:32: a pattern's values stand in a list: [1]",
                "9:48: 'prefix' takes a text, not '7', which is none",
                "9:57: an empty mapping in a pattern matches nothing",
            ]),
        .init(
            "infinity is no value",
            "pattern: {data: {n: [.inf]}}",
            [
                "9:26: '.inf' cannot be compared as a number; put it in quotes if it is text"
            ]),
        .init(
            "a number beyond comparing is no value",
            "pattern: {data: {n: [1e99999999999]}}",
            [
                "9:26: '1e99999999999' cannot be compared as a number; put it in quotes if it is text"
            ]),
        .init("text that looks like infinity is text in quotes", "pattern: {data: {n: ['.inf']}}", []),
        .init("a pattern may hold every scalar", "pattern: {data: {a: [x, 1, 1.5, true, ~, NO, 22:00, 0x1F]}}", []),
        .init(
            "a key of a pattern is text",
            "pattern: {data: {[a]: [1]}}",
            [
                "9:22: a key is text, not a list"
            ]),
        .init(
            "a key of a pattern stands once",
            "pattern: {data: {a: [1], 'a': [2]}}",
            [
                "9:22: duplicate key 'a': it stands here and again in the same mapping"
            ]),
    ]
}
