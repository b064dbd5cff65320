import CarillonEvents
import CarillonRules
import Testing

private let sample = event(
    data:
        #"{"reason":"OOMKilled","exitCode":137,"attempt":2,"flag":false,"txt":"off","none":null,"labels":{"team":"vision"},"#
        + #""results":{"drift":0.25,"accuracy":0.91}}"#)

@Suite("Conditions: an expression is true or false as Jinja has it", .timeLimit(.minutes(5)))
struct ConditionTests {
    @Test(
        "a condition holds",
        arguments: [
            "data.results.drift is not defined or data.results.drift > 0.1", "{{ data.results.drift > 0.1 }}",
            " {{ data.exitCode == 137 }} \n", "{{- data.exitCode in [137, 139] -}}",
            "data.reason == 'OOMKilled' and not data.flag",
            "data.labels.team in ['vision', 'speech']", "data.missing is not defined", "data.txt",
            "1 < data.attempt < 3", "type.startswith('job.')",
            "subject ~ '/' ~ data.attempt == 'dlc-7/2'", "data.results | length == 2", "{'a': 1}",
            "{{ {'a': {'b': 1}} }}", "none is none", "'False'",
            "data['results']['drift'] > 0.1", "data.exitCode > 128 if data.exitCode is defined else false",
        ])
    func truths(condition: String) throws { #expect(try holds(condition, sample)) }

    @Test(
        "a condition does not hold",
        arguments: [
            "data.results.drift > 0.5", "data.flag", "data.none", "missing", "data.missing", "''", "0.0", "[]",
            "data.reason == 'oomkilled'",
            "data.exitCode == '137'", "{{ data.flag or none }}", "{}",
        ])
    func falsehoods(condition: String) throws { #expect(try !holds(condition, sample)) }

    @Test(
        "a condition that cannot be judged fails with its place",
        arguments: [
            ("data.results.missing > 0.1", 23), ("data.gone.deeper", 10), ("data.txt > 1", 10),
            ("1 / (data.attempt - 2)", 3),
            ("data.none + 1", 11), ("{{ data.missing < 1 }}", 17), ("data.reason | abs", 15),
        ])
    func failures(condition: String, column: Int) throws {
        let error = #expect(throws: TemplateError.self) { try holds(condition, sample) }
        #expect(error?.kind == .value)
        #expect(error?.line == 1 && error?.column ?? 0 <= column, "\(String(describing: error))")
    }

    @Test(
        "what is no expression is refused with its place",
        arguments: [
            ("data.a >", 1, 9), ("data.a = 1", 1, 8), ("(data.a", 1, 8), ("data.a)", 1, 7), ("", 1, 1), ("  ", 1, 3),
            ("{{ a }} b", 1, 1),
            ("{{ a }}{{ b }}", 1, 1), ("{% if a %}yes{% endif %}", 1, 1), ("a | nope", 1, 5), ("a is nope", 1, 6),
            ("data.a ==\n  ==", 2, 3),
            ("run[\"status\"][\"drift\" > 0.1", 1, 28), ("a b", 1, 3), ("a, b", 1, 2), ("'open", 1, 1), ("a $ b", 1, 3),
            ("a ?? b", 1, 3), ("a && b", 1, 3),
            ("{{ a", 1, 1), ("{{ a } }", 1, 6),
        ])
    func refused(condition: String, line: Int, column: Int) {
        let error = #expect(throws: TemplateError.self) { try Condition(condition) }
        #expect(error?.kind == .syntax)
        #expect(error?.line == line && error?.column == column, "\(String(describing: error))")
    }

    @Test(
        "there is no way out of the sandbox",
        arguments: [
            "''.__class__.__mro__", "data.__class__.__init__", "range.__globals__",
            "[].__class__.__base__.__subclasses__()", "self.x()", "().__len__()",
            "data.items.__self__", "namespace().__init__.__globals__", "loop.x()", "cycler.__init__.__globals__",
            "'{0.__class__}'.format(1)",
        ])
    func sandboxed(condition: String) { #expect((try? holds(condition, sample)) != true) }
}
