import CarillonEvents
import CarillonRules
import Testing

@Suite("Templates: what is hostile ends soon, with an error", .timeLimit(.minutes(5)))
struct LimitTests {
    private static let rows = "[" + Array(repeating: #"{"a":"x","b":1}"#, count: 6000).joined(separator: ",") + "]"
    private static let long = "\"" + String(repeating: "ab", count: 50_000) + "\""

    @Test(
        "work and text are bounded",
        arguments: [
            "{{ 'x' * 10 ** 9 }}", "{{ 'x' * 10 ** 30 }}", "{{ [0] * 10 ** 9 }}", "{{ 10 ** (10 ** 10) }}",
            "{{ 2 ** 99999 }}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "{{ range(10 ** 9) }}",
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(s=[1]) %}{% for i in range(999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
            "{% set ns = namespace(s={}) %}{% for i in range(999) %}{% set ns.s = {1: ns.s} %}{% endfor %}",
            "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
            "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
            "{{ ('a' * 2000)|replace('a', 'b' * 90000) }}", "{{ ('a' * 90000)|replace('', 'b' * 90000) }}",
            "{{ 'x'|center(10 ** 12) }}", "{{ 'x'|indent(10 ** 12) }}", "{{ '%999999999d' % 1 }}",
            "{{ [1]|batch(10 ** 12, 0)|list }}",
            "{{ [1]|slice(10 ** 12)|list }}",
            "{% for i in range(99999) %}{{ data.rows|sort(attribute='b') }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.rows[5999].b }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.long|length }}{% endfor %}",
            "{% for i in range(99999) %}{{ 'x' in data.long }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.long|upper }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.rows|tojson }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.rows == data.rows }}{% endfor %}",
            "{{ (data.long * 9)|list|sort|unique|list|reverse|list }}{% for i in range(99999) %}{{ data.long|sort }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.long.split('a') }}{% endfor %}",
            "{% for i in range(99999) %}{% filter upper %}{{ data.long }}{% endfilter %}{% endfor %}",
            "{% for i in range(99999) %}{% set x = data.long ~ i %}{% endfor %}",
            "{% for i in range(99999) %}{{ data.long[::-1] }}{% endfor %}",
            "{% for i in range(99999) %}{{ data.long|striptags }}{% endfor %}",
            "{{ ('<' * 100000)|striptags }}{% for i in range(99999) %}{{ ('<>' * 100000)|striptags }}{% endfor %}",
        ])
    func bounded(template: String) throws {
        let event = event(data: "{\"rows\":\(Self.rows),\"long\":\(Self.long)}")
        let outline = try CloudEvents.outline(event.span)
        let body = try Template(template, for: .body)
        let error = #expect(throws: TemplateError.self) { try body.render(event.span, outline) }
        #expect(error?.kind == .limit, "\(String(describing: error))")
    }

    @Test(
        "a trial has more room, and a bound too",
        arguments: ["{{ 'x' * 300000 }}", "{% for i in range(60000) %}{{ i }}{% endfor %}"])
    func trials(template: String) throws {
        let trial = try Template(template, for: .trial(escaping: false))
        #expect(try trial.render(object: Array("{}".utf8).span).utf8.count > 200_000)
        let more = try Template(String(repeating: template, count: 40), for: .trial(escaping: false))
        let error = #expect(throws: TemplateError.self) { try more.render(object: Array("{}".utf8).span) }
        #expect(error?.kind == .limit)
    }

    @Test(
        "what nests is bounded before it runs",
        arguments: [
            String(repeating: "(", count: 100_000), String(repeating: "[", count: 5000),
            String(repeating: "not ", count: 5000),
            String(repeating: "-", count: 5000) + "1", String(repeating: "1+", count: 5000) + "1",
            String(repeating: "a.", count: 5000) + "a", String(repeating: "a[", count: 5000),
            "a" + String(repeating: "|upper", count: 5000),
            String(repeating: "1 if a else ", count: 2000) + "2", "a" + String(repeating: "()", count: 5000),
            String(repeating: "{1:", count: 3000), "a" + String(repeating: " is odd", count: 2000),
            String(repeating: "a and ", count: 3000) + "a", "1" + String(repeating: " ** 1", count: 4000),
            String(repeating: "f(", count: 3000), "a is eq " + String(repeating: "[", count: 3000),
        ])
    func nested(expression: String) {
        #expect(throws: TemplateError.self) { try Template("{{ \(expression) }}", for: .trial(escaping: false)) }
        #expect(throws: TemplateError.self) { try Condition(expression) }
    }

    @Test("statements nest so deep and no deeper", arguments: ["if a", "for a in b", "with", "filter upper", "set a"])
    func statements(head: String) throws {
        let word = head.split(separator: " ")[0]
        func nest(_ depth: Int) -> String {
            String(repeating: "{% \(head) %}", count: depth) + String(repeating: "{% end\(word) %}", count: depth)
        }
        _ = try Template(nest(20))
        #expect(throws: TemplateError.self) { try Template(nest(1000)) }
    }

    @Test("an event as deep as events go is printed")
    func deepEvent() throws {
        let event = event(data: String(repeating: "[", count: 250) + String(repeating: "]", count: 250))
        #expect(try notice("{{ data }}", event).hasPrefix("[[[["))
        #expect(try notice("{{ data | tojson }}", event).hasPrefix("[[[["))
        #expect(try notice("{{ data == data }}{{ data | string | length }}", event) == "True500")
    }

    @Test("a template longer than its bound is refused")
    func longSource() {
        let long = String(repeating: "x", count: Template.longestSource + 1)
        #expect(throws: TemplateError.self) { try Template(long) }
        #expect(throws: TemplateError.self) { try Condition("'" + long + "'") }
    }
}
