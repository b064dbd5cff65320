import CarillonEvents
import CarillonRules
import Testing

private let sample = event(
    more: #""time":"2026-01-05T08:00:00Z","traceparent":"00-a","#,
    data: #"{"name":"resnet","attempt":2,"final":true,"gone":null,"big":1.50e3,"reason":"OOM\n\"x\" \u00fc","#
        + #""labels":{"team":"vision", "a" : [1, "b c"]},"items":[{"n":"zero"},["x","y"]],"a":{"b":{"c":{}}}}"#)

private func render(_ template: String, _ text: [UInt8] = sample) throws -> String {
    try Template(template).render(text.span, try CloudEvents.outline(text.span))
}

@Suite("Templates: fields are filled in as they are", .timeLimit(.minutes(1)))
struct TemplateTests {
    @Test("a field is written as a reader wants it", arguments: [
        ("{{ subject }} {{ type }}: {{ data.reason }}", "dlc-7 job.failed: OOM\n\"x\" ü"),
        ("{{subject}}{{  type  }}", "dlc-7job.failed"),
        ("{{\n data.name\t}}", "resnet"),
        ("{{ data.attempt }} {{ data.big }} {{ data.final }}", "2 1.50e3 true"),
        ("{{ data.missing }} {{ data.name.deeper }} {{ data.gone }} {{ nothing }}", "- - - -"),
        ("{{ data.labels.team }} {{ data.labels }}", #"vision {"team":"vision","a":[1,"b c"]}"#),
        ("{{ data.items[0].n }} {{ data.items[1][1] }} {{ data.items[2] }} {{ data.name[0] }}", "zero y - -"),
        ("{{ id }} {{ source }} {{ workspace }} {{ time }}", "1 /s vision 2026-01-05T08:00:00Z"),
        ("{{ traceparent }} {{ specversion }}", "00-a 1.0"),
        ("{{ data.a.b.c }} {{ data.labels.a[1] }}", "{} b c"),
        ("{ } }} {x} %} #}", "{ } }} {x} %} #}"),
        ("", ""), ("no place", "no place"), ("😀{{ subject }}😀", "😀dlc-7😀"),
    ])
    func fields(template: String, expected: String) throws { #expect(try render(template) == expected) }

    @Test("a value is never read as a template")
    func noSecondReading() throws {
        #expect(try render("{{ data.x }}", event(data: #"{"x":"{{ subject }}"}"#)) == "{{ subject }}")
    }

    @Test("a text is cut at 16 KiB, at a whole character", arguments: ["x", "ü", "€", "😀"])
    func bounded(character: String) throws {
        let text = event(data: "{\"x\":\"" + String(repeating: character, count: 50_000) + "\"}")
        let rendered = try render("{{ data.x }}", text)
        #expect(rendered.utf8.count <= Template.longestText && rendered.utf8.count > Template.longestText - 8)
        #expect(rendered.hasSuffix(character + "…") && !rendered.contains("\u{FFFD}"))
        let many = try render(String(repeating: "{{ data.x }}{{ data }}", count: 500), text)
        #expect(many.utf8.count <= Template.longestText)
    }

    @Test("what is more than a field is refused with its place", arguments: [
        ("{{ a | b }}", 5), ("{% if a %}", 0), ("x{# a #}", 1), ("{{ a", 0), ("a{{ a }", 1), ("{{ a() }}", 4),
        ("{{ 1 }}", 3), ("{{ a.b. }}", 7), ("{{ a[b] }}", 5), ("{{ a[99999999999999999999] }}", 5), ("{{ not a }}", 3),
        ("{{}}", 0), ("{{ a == b }}", 5), ("ü{{ a~b }}", 5), ("{{ {{ a }} }}", 3), ("{{", 0),
    ])
    func refused(template: String, offset: Int) {
        let error = #expect(throws: TemplateError.self) { try Template(template) }
        #expect(error?.offset == offset, "\(String(describing: error))")
    }

    @Test("without texts of its own a rule says name or subject, type and the reason if there is one")
    func standard() throws {
        let compiled = try rules(["name: r, events: [a]", "name: s, events: [a], title: T, message: '{{ id }}'"])
        let bare = event()
        let (full, empty) = (try CloudEvents.outline(sample.span), try CloudEvents.outline(bare.span))
        let title = compiled.rules[0].title(for: sample.span, full)
        #expect(title == "resnet job.failed")
        let bareTitle = compiled.rules[0].title(for: bare.span, empty)
        #expect(bareTitle == "dlc-7 job.failed")
        let message = compiled.rules[0].message(for: sample.span, full)
        #expect(message == "dlc-7 job.failed: OOM\n\"x\" ü")
        let bareMessage = compiled.rules[0].message(for: bare.span, empty)
        #expect(bareMessage == "dlc-7 job.failed")
        let own = compiled.rules[1].title(for: bare.span, empty) + compiled.rules[1].message(for: bare.span, empty)
        #expect(own == "T1")
    }
}
