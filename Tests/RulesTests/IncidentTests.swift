import CarillonEvents
import CarillonRules
import Testing

@Suite("Incidents: what opens one and what ends it", .timeLimit(.minutes(5)))
struct IncidentTests {
    private func rules(_ more: String) throws -> WorkspaceRules {
        let text = """
            version: 1
            workspace: vision
            endpoints:
              hook: {webhook: "https://x.example"}
              pager: {kind: pagerduty, routing_key: {secret: pd}}
            rules:
              - name: nightly
                events: [pipeline.failed]
                notify: [hook, pager]
                \(more)

            """
        let (workspaces, problems) = RuleDocuments.load([("f.yaml", text)])
        #expect(problems.isEmpty, "\(problems)")
        return try #require(workspaces.first)
    }

    private func event(_ type: String, _ data: String) -> [UInt8] {
        Array(
            #"{"specversion":"1.0","id":"1","source":"/s","type":"\#(type)","subject":"run-7","workspace":"vision","data":\#(data)}"#
                .utf8)
    }

    private func selects(_ rules: WorkspaceRules, _ event: [UInt8]) throws -> Bool {
        let outline = try CloudEvents.outline(event.span)
        var hits: [Int] = []
        rules.match(event.span, outline, into: &hits)
        _ = rules.judge(event.span, outline, &hits)
        return hits == [0]
    }

    @Test("what ends an incident is selected by scope and pattern, and its condition is not asked")
    func selection() throws {
        let rules = try rules(
            """
            scope: {pipeline: etl}
                pattern: {data: {team: [vision]}}
                condition: data.errors > 3
                incident: {key: [data.pipeline], resolve_on: [pipeline.succeeded]}
            """)
        #expect(try selects(rules, event("pipeline.failed", #"{"pipeline":"etl","team":"vision","errors":4}"#)))
        #expect(try !selects(rules, event("pipeline.failed", #"{"pipeline":"etl","team":"vision","errors":2}"#)))
        #expect(try selects(rules, event("pipeline.succeeded", #"{"pipeline":"etl","team":"vision","errors":0}"#)))
        #expect(try !selects(rules, event("pipeline.succeeded", #"{"pipeline":"etl","team":"speech"}"#)))
        #expect(try !selects(rules, event("pipeline.succeeded", #"{"pipeline":"other","team":"vision"}"#)))
    }

    @Test("an event that only ends an incident is known as such, one that is selected anyway is not")
    func resolving() throws {
        let rule = try rules("incident: {resolve_on: [pipeline.succeeded, pipeline.failed]}").rules[0]
        // An expectation cannot hold a span.
        func onlyResolves(_ type: String) -> Bool { rule.onlyResolves(type.utf8.span) }
        #expect(onlyResolves("pipeline.succeeded"))
        #expect(!onlyResolves("pipeline.failed"))
        #expect(!onlyResolves("pipeline.stopped"))
    }

    @Test("the key's fields make the incident, without a key the subject")
    func key() throws {
        let (failed, succeeded) = (
            event("pipeline.failed", #"{"pipeline":"etl","n":1}"#),
            event("pipeline.succeeded", #"{"n":2,"pipeline":"etl"}"#)
        )
        func values(_ rule: Rule, _ event: [UInt8]) throws -> [[UInt8]] {
            let outline = try CloudEvents.outline(event.span)
            return try #require(rule.incident).values(in: event.span, outline).map(\.value)
        }
        let keyed = try rules("incident: {key: [data.pipeline], resolve_on: [pipeline.succeeded]}").rules[0]
        #expect(try values(keyed, failed) == values(keyed, succeeded))
        #expect(try values(keyed, failed) == [Array(#""etl""#.utf8)])
        let bare = try rules("incident: {resolve_on: [pipeline.succeeded]}").rules[0]
        #expect(try values(bare, failed) == [Array(#""run-7""#.utf8)])
    }
}
