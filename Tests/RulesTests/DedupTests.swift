import CarillonEvents
import CarillonRules
import Testing

@Suite("Dedup: equal values are one window, however they are spelled", .timeLimit(.minutes(5)))
struct DedupTests {
    /// What an event says at `paths`.
    private func values(_ paths: String, _ data: String, more: String = "") throws -> [String] {
        let compiled = try rules(["name: r, events: [job.failed], dedup: {by: [\(paths)], within: 90s}"])
        let dedup = try #require(compiled.rules[0].dedup)
        #expect(dedup.within == .seconds(90))
        let event = event(more: more, data: data)
        return try dedup.values(in: event.span, CloudEvents.outline(event.span)).map {
            String(decoding: $0.value, as: UTF8.self)
        }
    }

    @Test(
        "values that are equal are spelled alike",
        arguments: [
            ("1", ["1.0", "10e-1", "1E0", "0.1e1"]), ("0", ["-0", "0.0", "0e9"]),
            (#""a/b""#, [#""a\/b""#, #""\u0061/b""#]), (#""é""#, [#""\u00e9""#]),
            (#"{"a":1,"b":[1,{"c":null}]}"#, [#"{ "b" : [ 1.0 , {"c" : null} ] , "\u0061" : 1 }"#]),
            ("[]", ["[ ]"]), ("{}", ["{ }"]), ("1e9999999999999", ["1e9999999999999"]),
        ] as [(String, [String])])
    func equal(one: String, others: [String]) throws {
        for other in others {
            #expect(try values("data.x", #"{"x":\#(one)}"#) == values("data.x", #"{"x":\#(other)}"#), "\(other)")
        }
    }

    @Test("values of other kinds and lists of another order are apart, and absence is a value of its own")
    func apart() throws {
        let spelled = [
            #"{"x":1}"#, #"{"x":"1"}"#, #"{"x":[1]}"#, #"{"x":{"1":1}}"#, #"{"x":null}"#, #"{"x":"null"}"#,
            #"{"x":""}"#,
            #"{"x":true}"#, #"{"x":false}"#, "{}", #"{"x":[1,2]}"#, #"{"x":[2,1]}"#, #"{"x":[]}"#, #"{"x":{}}"#,
            #"{"x":9007199254740993}"#, #"{"x":9007199254740992}"#, #"{"x":"a\"],[\""}"#, #"{"x":["a",""]}"#,
        ]
        let all = try spelled.map { try values("data.x", $0) }
        #expect(Set(all).count == spelled.count)
    }

    @Test("a path leads through objects and, by number, through lists; what is not there is absent")
    func paths() throws {
        let data = #"{"a":{"b":[{"c":7}],"0":8},"d.e":9}"#
        let paths =
            "subject, data.a.b.0.c, data.a.0, data.a.b.1, data.a.b.c, data.a.b.-0, data.d.e, data.a.b.0.c.x, extra"
        #expect(
            try values(paths, data, more: #""extra":true,"#) == [#""dlc-7""#, "7e0", "8e0", "", "", "", "", "", "true"])
        #expect(try values("data", data).first?.hasPrefix(#"{"a":{"0":8e0,"b""#) == true)
    }

    @Test("what changes in a dedup window is told when it is applied")
    func difference() throws {
        let before = try rules(["name: r, events: [job.failed]"])
        let after = try rules(["name: r, events: [job.failed], dedup: {by: [subject, data.node], within: 90s}"])
        #expect(
            RuleDifference.between(old: before, new: after) == [
                "~ rule r: dedup none → {by: [subject, data.node], within: 1m30s}"
            ])
        #expect(RuleDifference.between(old: after, new: after).isEmpty)
    }
}
