// Cases of DocumentTests: what is written, and every problem that is told, with its line and column.

extension DocumentCase {
    /// Titles and messages of a rule, from line 9, column 5 on.
    static let texts: [DocumentCase] = [
        .init(
            "a title is text",
            "title: [a]",
            [
                "9:12: the title is text, not a list"
            ]),
        .init(
            "a title is not empty",
            "title:",
            [
                "9:11: the title is text, not nothing"
            ]),
        .init(
            "a title's place is never closed",
            "title: \"failed: {{ subject\"",
            [
                "9:21: the title: '{{' is never closed by '}}'"
            ]),
        .init(
            "an empty place names nothing",
            "title: \"{{ }}\"",
            [
                "9:16: the title: an expression is expected, not '}}'"
            ]),
        .init("filters are known", "title: \"{{ subject | upper }}\"", []),
        .init(
            "an unknown filter is refused, with the nearest",
            "title: \"{{ subject | uper }}\"",
            [
                "9:26: the title: there is no filter 'uper'; did you mean 'upper'?"
            ]),
        .init(
            "an unknown test is refused, with the nearest",
            "title: \"{{ subject is defind }}\"",
            [
                "9:27: the title: there is no test 'defind'; did you mean 'defined'?"
            ]),
        .init("calls of what is known work", "title: \"{{ range(3) | join }}\"", []),
        .init("statements work", "title: \"a {% if x %}b{% endif %}\"", []),
        .init(
            "statements that reach for other files are refused",
            "title: \"a {% include 'x' %}\"",
            [
                "9:18: the title: 'include' is not known here: a template stands alone; there are if, for, set, with, filter and raw"
            ]),
        .init("comments work", "title: \"a {# x #}\"", []),
        .init(
            "operators, literals, indices and white space control work", "title: \"{{- a.b[-1] + 'x' if not y -}}\"", []
        ),
        .init(
            "a place does not end in a dot",
            "title: \"{{ data. }}\"",
            [
                "9:22: the title: a field's name is expected, not '}}'"
            ]),
        .init(
            "an index is closed",
            "title: \"{{ data.items[0 }}\"",
            [
                "9:29: the title: ']' is expected before '}'"
            ]),
        .init(
            "a plain title has its place too",
            "title: x {{ a||b }}",
            [
                "9:19: the title: a filter's name is expected, not '|'"
            ]),
        .init(
            "an escaped title has at least its character",
            "title: \"\\u0041 {{ a b }}\"",
            [
                "9:12: the title: line 1, column 8: '}}' is expected, not 'b'"
            ]),
        .init(
            "a fault in a block of text has its line",
            "message: |\n      first\n      then {{ a b }}",
            [
                "11:17: the message: '}}' is expected, not 'b'"
            ]),
        .init(
            "a fault in a folded text has its character",
            "message: >\n      first\n      then {{ a b }}",
            [
                "9:14: the message: line 1, column 17: '}}' is expected, not 'b'"
            ]),
        .init("braces that are no place stay text", "message: 'a } b }} c { d'", []),
        .init(
            "a template reads fields of every kind",
            "message: '{{subject}} {{ data.a.b_c[0][12].d }} {{ traceparent }}'", []),
        .init(
            "a message is not larger than 16 KiB",
            "message: '" + String(repeating: "x", count: 16385) + "'",
            [
                "9:15: the message: longer than 16 KiB"
            ]),
        .init(
            "an alias that begins a value wants quotes",
            "title: *",
            [
                "9:12: a value that begins with '*' is an alias; put it in quotes if it is text"
            ]),
        .init(
            "an unknown alias is refused",
            "title: *nobody",
            [
                "9:12: the alias '*nobody' has no anchor before it"
            ]),
        .init(
            "an alias is not text",
            "title: *.failed",
            [
                "9:12: a value that begins with '*' is an alias; put it in quotes if it is text"
            ]),
        .init(
            "a tag of one's own means nothing",
            "title: !mine x",
            [
                "9:12: the tag '!mine' means nothing here"
            ]),
        .init("an explicit string is one", "id: !!str 1", []),
        .init("a plain text may hold stars", "message: 2 * 3 * four*", []),
    ]

    /// A rule's `notify`, at line 8, column 13.
    static let targets: [DocumentCase] = [
        .init(
            "notify is a list",
            "hook",
            [
                "8:13: 'notify' is a list, such as [a, b], not a single value"
            ]),
        .init(
            "notify is not empty",
            "[]",
            [
                "8:13: 'notify' is empty; name an endpoint, or a channel with people"
            ]),
        .init(
            "notify names endpoints that exist",
            "[hok]",
            [
                "8:14: there is no endpoint 'hok'; did you mean 'hook'?"
            ]),
        .init(
            "an endpoint far from all is just unknown",
            "[elsewhere]",
            [
                "8:14: there is no endpoint 'elsewhere'"
            ]),
        .init(
            "every unknown endpoint is told",
            "[a, hook, b]",
            [
                "8:14: there is no endpoint 'a'",
                "8:23: there is no endpoint 'b'",
            ]),
        .init(
            "an endpoint named twice counts once, with a warning",
            "[hook, hook]",
            [
                "8:20: warning: endpoint 'hook' is named twice and counts once"
            ]),
        .init("the owner of an event may be told on a channel", "[{mail: [$owner]}]", []),
        .init("what finds no quota has a ladder", "[{sms: [$owner], overflow: [mail, inbox, defer]}]", []),
        .init("a ladder may end in suppress", "[{overflow: [suppress], sms: [$owner]}]", []),
        .init(
            "a ladder ends at its last step", "[{sms: [$owner], overflow: [defer, mail]}]",
            ["8:41: 'defer' ends the ladder; nothing can follow it"]),
        .init(
            "a ladder leads away from its channel", "[{sms: [$owner], overflow: [sms, defer]}]",
            ["8:41: 'sms' has no room by then; name another channel"]),
        .init("a ladder may end in a digest", "[{sms: [$owner], overflow: [mail, digest]}]", []),
        .init(
            "a digest is the last step", "[{sms: [$owner], overflow: [digest, suppress]}]",
            ["8:41: 'digest' ends the ladder; nothing can follow it"]),
        .init(
            "a step is a channel or an end", "[{sms: [$owner], overflow: [difer]}]",
            ["8:41: 'difer' is no step of 'overflow'; did you mean 'defer'?"]),
        .init(
            "a ladder stands beside a channel", "[{overflow: [defer]}]",
            ["8:15: 'overflow' stands beside a channel with people: - sms: [$owner]; an endpoint always waits"]),
        .init(
            "voice is not built",
            "[{voice: [$owner]}]",
            [
                "8:15: not yet: the channel 'voice'"
            ]),
        .init(
            "a channel alone tells nobody",
            "[inbox]",
            [
                "8:14: the channel 'inbox' tells people; name them: - inbox: [$owner]"
            ]),
        .init(
            "$owner alone is told nowhere",
            "[$owner]",
            [
                "8:14: '$owner' is told on a channel: - mail: [$owner]"
            ]),
        .init(
            "a channel with nobody",
            "[{mail: []}]",
            [
                "8:21: 'mail' tells nobody; name contacts, groups or $owner"
            ]),
        .init(
            "a channel with a name and no list",
            "[{mail: alice}]",
            [
                "8:21: whom mail tells is a list, such as [a, b], not a single value"
            ]),
        .init(
            "two channels in one item",
            "[{mail: [$owner], sms: [$owner]}]",
            [
                "8:31: one channel an item; write '- sms: …' as an item of its own"
            ]),
        .init(
            "a channel misspelt",
            "[{mial: [$owner]}]",
            [
                "8:15: unknown channel 'mial'; did you mean 'mail'?"
            ]),
        .init(
            "of an event's people there is the owner only",
            "[{mail: [$team]}]",
            [
                "8:22: '$team' means nobody; of an event's people there is '$owner'"
            ]),
        .init(
            "an endpoint is no contact",
            "[{mail: [hook]}]",
            [
                "8:22: there is no contact or group 'hook'; an endpoint stands alone in 'notify': - hook"
            ]),
        .init(
            "the owner named twice on a channel counts once",
            "[{mail: [$owner, $owner]}]",
            [
                "8:30: warning: '$owner' is named twice on mail and counts once"
            ]),
        .init(
            "an endpoint has no list of people",
            "[{hook: [alice]}]",
            [
                "8:15: an endpoint stands alone in 'notify': - hook"
            ]),
        .init(
            "a target is no list",
            "[[hook]]",
            [
                "8:14: a target is an endpoint's name or a channel with people, not a list"
            ]),
        .init(
            "a target is no empty mapping",
            "[{}]",
            [
                "8:14: a target is an endpoint's name, not an empty mapping"
            ]),
        .init(
            "a target is not nothing",
            "[~]",
            [
                "8:14: a target is text, not nothing"
            ]),
        .init(
            "a star of a target has to be in quotes",
            "[*hook]",
            [
                "8:14: the alias '*hook' has no anchor before it"
            ]),
    ]

    /// A rule's `events`, at line 7, column 13.
    static let types: [DocumentCase] = [
        .init(
            "events is a list",
            "job.failed",
            [
                "7:13: 'events' is a list, such as [a, b], not a single value"
            ]),
        .init(
            "events is not empty",
            "[]",
            [
                "7:13: 'events' is empty; name an event type, such as job.failed"
            ]),
        .init(
            "an event type is not nothing",
            "[~]",
            [
                "7:14: an event type is text, not nothing"
            ]),
        .init(
            "an event type is not empty",
            "['']",
            [
                "7:14: the event type '' is empty; name an event type, such as job.failed"
            ]),
        .init(
            "an event type has no space",
            "['job failed']",
            [
                "7:14: the event type 'job failed' contains white space or a control character; one entry names one type"
            ]),
        .init(
            "a star stands for a whole segment",
            "[job.fail*]",
            [
                "7:14: the event type 'job.fail*' has '*' within a segment; '*' stands for one whole segment, as in job.*"
            ]),
        .init(
            "segments are not empty",
            "['job..*']",
            [
                "7:14: the event type 'job..*' has an empty segment; write segments as in job.*"
            ]),
        .init(
            "an event type is no list",
            "[[job.failed]]",
            [
                "7:14: an event type is text, not a list"
            ]),
        .init(
            "an event type is not longer than 256 bytes",
            "[" + String(repeating: "a", count: 257) + "]",
            [
                "7:14: the event type 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…' is longer than 256 bytes"
            ]),
        .init("a star may stand first in quotes", "['*.failed']", []),
        .init(
            "a star that stands first is an alias",
            "[*.failed]",
            [
                "7:14: a value that begins with '*' is an alias; put it in quotes if it is text"
            ]),
        .init("aliases and types may be mixed", "[job.finished, model.changed, custom.Type, 17, NO]", []),
    ]
}
