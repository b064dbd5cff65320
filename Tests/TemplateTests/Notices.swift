import CarillonEvents
import CarillonRules
import Testing

private let sample = event(
    more: #""time":"2026-01-05T08:00:00Z","traceparent":"00-a","#,
    data: #"{"name":"resnet","attempt":2,"final":true,"gone":null,"big":1.50e3,"reason":"OOM\n\"x\" \u00fc","#
        + #""labels":{"team":"vision", "a" : [1, "b c"]},"items":[{"n":"zero"},["x","y"]],"a":{"b":{"c":{}}}}"#)

@Suite("Titles and messages: fields are filled in, and what is missing is told as '-'", .timeLimit(.minutes(5)))
struct NoticeTests {
    @Test(
        "a field is written as Jinja writes it",
        arguments: [
            ("{{ subject }} {{ type }}: {{ data.reason }}", "dlc-7 job.failed: OOM\n\"x\" ü"),
            ("{{subject}}{{  type  }}", "dlc-7job.failed"), ("{{\n data.name\t}}", "resnet"),
            ("{{ data.attempt }} {{ data.big }} {{ data.final }}", "2 1500.0 True"),
            ("{{ data.labels.team }} {{ data.labels }}", "vision {'team': 'vision', 'a': [1, 'b c']}"),
            ("{{ data.labels | tojson }}", #"{"a": [1, "b c"], "team": "vision"}"#),
            ("{{ data.items[0].n }} {{ data.items[1][1] }}", "zero y"),
            ("{{ id }} {{ source }} {{ workspace }} {{ time }}", "1 /s vision 2026-01-05T08:00:00Z"),
            ("{{ traceparent }} {{ specversion }}", "00-a 1.0"), ("{{ data.a.b.c }} {{ data.labels.a[1] }}", "{} b c"),
            ("{ } }} {x} %} #}", "{ } }} {x} %} #}"), ("", ""), ("no place", "no place"),
            ("😀{{ subject }}😀", "😀dlc-7😀"),
            ("{% if data.final %}for good{% else %}once more{% endif %}", "for good"),
            ("{% for k, v in data.labels.items() %}{{ k }}={{ v }};{% endfor %}", "team=vision;a=[1, 'b c'];"),
        ])
    func fields(template: String, expected: String) throws { #expect(try notice(template, sample) == expected) }

    @Test(
        "what is missing or null is '-', and so is a field of it",
        arguments: [
            ("{{ data.missing }} {{ nothing }} {{ data.gone }}", "- - -"),
            ("{{ data.name.deeper }} {{ data.missing.deeper[0].more }}", "- -"),
            ("{{ data.items[2] }} {{ data.name[99] }}", "- -"),
            ("{{ data.missing | upper }} {{ data.missing ~ '!' }}", "- -!"),
            ("{{ [data.missing, 'a'] | join(', ') }}", "-, a"), ("{{ data.missing | default('none') }}", "none"),
            ("{{ data.missing | default('') }}", ""), ("{{ 'yes' if data.missing }}", "-"),
            ("{{ data.missing is defined }}", "False"),
            ("{% if data.missing.deeper %}a{% else %}b{% endif %}", "b"),
            ("{% for x in data.missing %}x{% endfor %}", ""), ("{{ data.missing | length }}", "0"),
        ])
    func missing(template: String, expected: String) throws { #expect(try notice(template, sample) == expected) }

    @Test("a value is never read as a template")
    func noSecondReading() throws {
        #expect(try notice("{{ data.x }}", event(data: #"{"x":"{{ subject }}"}"#)) == "{{ subject }}")
    }

    @Test("of members with one name the last counts, as in Python")
    func lastCounts() throws {
        let twice = event(data: #"{"k":1,"k":2,"\u006b":3,"o":{"a":1},"o":{"b":2}}"#)
        #expect(
            try notice("{{ data.k }} {{ data['k'] }} {{ data.o }} {{ data.o.a }} {{ data.keys() | list }}", twice)
                == "3 3 {'b': 2} - ['k', 'o']")
    }

    @Test("a text is cut at 16 KiB, at a whole character", arguments: ["x", "ü", "€", "😀"])
    func bounded(character: String) throws {
        let text = event(data: "{\"x\":\"" + String(repeating: character, count: 50_000) + "\"}")
        let rendered = try notice("{{ data.x }}", text)
        #expect(rendered.utf8.count <= Template.longestText && rendered.utf8.count > Template.longestText - 8)
        #expect(rendered.hasSuffix(character + "…") && !rendered.contains("\u{FFFD}"))
        let many = try notice(String(repeating: "{{ data.x }}{{ data }}", count: 500), text)
        #expect(many.utf8.count <= Template.longestText)
        let loop = try notice("{% for i in range(9999) %}{{ data.x }}{% endfor %}", text)
        #expect(loop.hasSuffix(character + "…"))
    }

    @Test(
        "what is no template is refused with its place",
        arguments: [
            ("{{ a", 1, 1), ("a{{ a }", 1, 7), ("{{ a.b. }}", 1, 9), ("{{}}", 1, 3), ("ü{{ {{ a }} }}", 1, 10),
            ("{{", 1, 1), ("{% if a %}", 1, 4),
            ("a\n{% for x in %}", 2, 13), ("{# a", 1, 1), ("{% raw %}", 1, 1), ("x\ny{{ a | nope }}", 2, 9),
            ("{% include 'x' %}", 1, 4), ("{% endif %}", 1, 4),
        ])
    func refused(template: String, line: Int, column: Int) {
        let error = #expect(throws: TemplateError.self) { try Template(template) }
        #expect(
            error?.line == line && error?.column == column && error?.kind == .syntax, "\(String(describing: error))")
    }

    @Test("in HTML what the event brings is escaped and what the template says is not")
    func markup() throws {
        let hostile = event(data: #"{"x":"<script>'&\""}"#)
        let template = try Template("<b>{{ data.x }}</b> {{ data.missing }}", for: .markup)
        let text = try template.render(hostile.span, try CloudEvents.outline(hostile.span))
        #expect(text == "<b>&lt;script&gt;&#39;&amp;&#34;</b> -")
    }
}
