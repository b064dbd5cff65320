import CarillonEvents
import CarillonKit
import CarillonRules
import Testing

@Suite("Patterns: rules of many tenants that ask for nearly the same", .timeLimit(.minutes(5)))
struct ManyRulesTests {
    /// Few kinds of type stand as gates before the workspaces, many do not, and rules without a type open them.
    @Test("each rule is met as if it were alone", arguments: [1, 2, 8, 9, 30], [false, true])
    func together(kinds: Int, isOpen: Bool) throws {
        var random = SplitMix(seed: UInt64(kinds))
        let patterns = (0..<120).map { number in
            let workspace = #""workspace":["ws-\#(number % 40)"]"#
            if isOpen, number % 17 == 3 { return "{\(workspace)}" }
            let type = #""type":[\#(Self.type(number % kinds, among: kinds))]"#
            switch number % 5 {
            case 0: return #"{\#(workspace),\#(type),"data":{"name":[{"prefix":"train-"}]}}"#
            case 1: return #"{\#(workspace),\#(type),"data":{"retries":[{"exists":false}]}}"#
            case 2: return #"{\#(workspace),"$or":[{\#(type)},{"data":{"name":["other"]}},{\#(type)}]}"#
            default: return "{\(workspace),\(type)}"
            }
        }
        let alone = try patterns.map { pattern throws(PatternError) in try CompiledPattern(pattern) }
        let together = try CompiledPatterns(patterns)
        var scratch = MatchScratch()
        var met = 0
        for _ in 0..<400 {
            let event = Array(Self.event(&random, kinds: kinds).utf8)
            let expected = alone.indices.filter { alone[$0].matches(event.span, using: &scratch) }
            var hits: [Int] = []
            together.match(event.span, into: &hits, using: &scratch)
            #expect(hits == expected, "\(String(decoding: event, as: UTF8.self))")
            met += hits.count
        }
        #expect(met > 20)
    }

    @Test("a rule that asks the same twice is met once, and equal rules are all met")
    func equalRules() throws {
        let patterns = [
            #"{"a":[1]}"#, #"{"$or":[{"a":[1]},{"a":[1.0]}]}"#, #"{"a":[1.0]}"#, #"{"a":[1,1]}"#, #"{"a":[2,1]}"#,
            #"{"$or":[{"a":["x"]},{"b":["x"]},{"a":[1]}]}"#,
        ]
        let together = try CompiledPatterns(patterns)
        var scratch = MatchScratch()
        var hits: [Int] = []
        together.match(Array(#"{"a":1e0}"#.utf8).span, into: &hits, using: &scratch)
        #expect(hits == [0, 1, 2, 3, 4, 5])
    }

    private static func type(_ kind: Int, among kinds: Int) -> String {
        kinds > 8 || kind % 3 == 0 ? #""job.type-\#(kind)""# : #""job.type-\#(kind)",{"suffix":"-\#(kind)x"}"#
    }

    /// Some have several types or workspaces, some none, and in some they stand in the elements of a list.
    private static func event(_ random: inout SplitMix, kinds: Int) -> String {
        func workspace() -> String { #""ws-\#(random.below(42))""# }
        func type() -> String { #""job.type-\#(random.below(kinds + 1))\#(random.below(4) == 0 ? "x" : "")""# }
        let names = ["train-1", "other", "eval"]
        let data = #"{"name":"\#(names[random.below(3)])"\#(random.below(2) == 0 ? "" : #","retries":1"#)}"#
        switch random.below(6) {
        case 0:
            let (types, workspaces) = ("[\(type()),\(type())]", "[\(workspace()),\(workspace())]")
            return #"{"type":\#(types),"workspace":\#(workspaces),"data":[\#(data)]}"#
        case 1: return #"{"workspace":\#(workspace()),"data":[\#(data),\#(data)]}"#
        case 2: return #"{"data":\#(data),"workspace":\#(workspace()),"type":\#(type())}"#
        default: return #"{"type":\#(type()),"workspace":\#(workspace()),"data":\#(data)}"#
        }
    }
}

extension SplitMix {
    fileprivate mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }
}
