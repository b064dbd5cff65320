import CarillonEvents
import CarillonKit
import Testing

@testable import CarillonRules

@Suite("Explaining a pattern: the field that is named is one the event does not fit", .timeLimit(.minutes(5)))
struct MissTests {
    @Test(
        "a reason is given exactly when the pattern does not fit, and taking its field away helps",
        arguments: UInt64(0)..<40)
    func random(seed: UInt64) throws {
        for round in 0..<50 {
            var make = Generator(random: SplitMix(seed: seed * 1_000 + UInt64(round)), isOdd: round % 3 == 0)
            let tree = make.pattern()
            let event = make.chance(3) ? make.event() : make.event(near: tree)
            let (json, spelled) = (make.json(event), make.json(tree))
            let text = Array(json.utf8)
            let pattern = try Pattern(json: spelled.utf8.span)
            let miss = pattern.miss(text.span)
            let fits = Naive.matches(tree, event)
            #expect((miss == nil) == fits, "seed \(seed), round \(round): \(spelled) on \(json)")
            guard let miss else { continue }
            let fields = pattern.branches.flatMap(\.fields).filter { $0.path.text == miss.path }
            #expect(fields.contains { $0.tests.words == miss.expected }, "\(miss)")
            let alone = fields.contains { Pattern(branches: [Pattern.Branch(fields: [$0])]).fit(text.span) }
            if !miss.isApart, pattern.branches.count == 1 { #expect(!alone, "\(miss)") }
        }
    }

    @Test(
        "what a pattern expects is written as a pattern has it",
        arguments: [
            #"["a",1,true,null]"#, #"[{"prefix":"tr"}]"#, #"[{"suffix":{"equals-ignore-case":"x"}}]"#,
            #"[{"wildcard":"a*b\\*c"}]"#, #"[{"numeric":[">",0]}]"#, #"[{"numeric":[">=",0.1,"<",5]}]"#,
            #"[{"numeric":["<=",-2.5]}]"#, #"[{"cidr":"10.1.0.0/16"}]"#, #"[{"exists":false}]"#,
            #"[{"anything-but":["a","b"]}]"#, #"[{"equals-ignore-case":"abc"}]"#,
        ])
    func words(tests: String) throws {
        let pattern = try Pattern(json: #"{"a":\#(tests)}"#.utf8.span)
        #expect(pattern.branches[0].fields[0].tests.words == tests)
    }

    @Test("found values, list elements and lists that keep fields apart are told")
    func found() throws {
        let pattern = try Pattern(json: #"{"data":{"final":[true]}}"#.utf8.span)
        let text = Array(#"{"data":{"final":false}}"#.utf8)
        let missed = pattern.miss(text.span)
        let miss = try #require(missed)
        #expect(miss.path == "data.final" && miss.expected == "[true]" && miss.found == ["false"] && !miss.isApart)
        let both = try Pattern(json: #"{"l":{"a":[1],"b":[2]}}"#.utf8.span)
        let list = Array(#"{"l":[{"a":1,"b":0},{"a":0,"b":2}]}"#.utf8)
        let missedApart = both.miss(list.span)
        let apart = try #require(missedApart)
        #expect(apart.path == "l.b" && apart.isApart && apart.found == ["0", "2"])
    }
}
