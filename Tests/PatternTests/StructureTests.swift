import CarillonEvents
import CarillonRules
import Testing

@Suite("Patterns: paths, lists of objects and choices", .timeLimit(.minutes(5)))
struct StructureTests {
    @Test("the examples of the design", arguments: StructureGoldens.seeds)
    func seeds(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("paths", arguments: StructureGoldens.paths)
    func paths(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("of each list one element has to fit alone", arguments: StructureGoldens.lists)
    func lists(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }

    @Test("$or", arguments: StructureGoldens.choices)
    func choices(golden: Golden) throws { #expect(try fits(golden.pattern, golden.event) == golden.fits) }
}

enum StructureGoldens {
    private static let event = #"""
        {"source":"acs.pai","type":"pai:DLC:JobFailed","subject":"acs:pai:cn-hangzhou:123:ws-7/dlc-1","data":{"state":
        "Failed","retries":3,"prio":9,"tags":["prod","nlp"],"ip":"10.0.0.251","note":null,"limit":300,"flag":true,
        "code":"137","obj":{"a":1},"empty":[]}}
        """#

    static let seeds: [Golden] =
        [
            #"{"source":["acs.ecs","acs.pai"]}"#, #"{"type":[{"prefix":"pai:DLC:"}]}"#,
            #"{"subject":[{"suffix":"dlc-1"}]}"#, #"{"data":{"retries":[{"numeric":[">",0,"<=",3]}]}}"#,
            #"{"data":{"ip":[{"cidr":"10.0.0.0/24"}]}}"#, #"{"data":{"missing":[{"exists":false}]}}"#,
            #"{"data":{"note":[null]}}"#, #"{"data":{"tags":["nlp","cv"]}}"#, #"{"data":{"limit":[3.0e2]}}"#,
            #"{"data":{"limit":[{"numeric":["=",3.0e2]}]}}"#, #"{"type":[{"prefix":""}]}"#,
        ].map { Golden(pattern: $0, event: event, fits: true) }
        + [
            #"{"source":["ACS.PAI"]}"#, #"{"data":{"state":[{"anything-but":["Failed","Stopped"]}]}}"#,
            #"{"data":{"state":[{"anything-but":{"prefix":"Fai"}}]}}"#, #"{"data":{"retries":[{"numeric":[">",3]}]}}"#,
            #"{"data":{"ip":[{"cidr":"10.0.1.0/24"}]}}"#, #"{"data":{"missing":[{"anything-but":"x"}]}}"#,
            #"{"data":{"obj":[{"exists":true}]}}"#, #"{"data":{"state":["Failed"],"prio":[1]}}"#,
            #"{"data":{"empty":[{"exists":true}]}}"#, #"{"data":{"code":[137]}}"#,
            #"{"data":{"prio":[{"numeric":[">",1e10]}]}}"#,
        ].map { Golden(pattern: $0, event: event, fits: false) }

    static let paths: [Golden] = all(
        // A point joins names, in patterns and in events.
        Golden.fits(#"{"a":{"b":[1]}}"#, #"{"a":{"b":1}}"#, #"{"a.b":1}"#, #"{"\u0061\u002eb":1}"#),
        Golden.fits(#"{"a.b":[1]}"#, #"{"a":{"b":1}}"#, #"{"a.b":1}"#),
        Golden.fits(#"{"a":{"b":{"c":[1]}}}"#, #"{"a.b":{"c":1}}"#, #"{"a":{"b.c":1}}"#, #"{"a.b.c":1}"#),
        Golden.fits(#"{"a":{"b":[1],"c":[2]}}"#, #"{"a.b":1,"a":{"c":2}}"#),
        Golden.not(#"{"a.b":[1]}"#, #"{"a":1,"b":1}"#),
        Golden.fits(#"{"":[1],"a":{"":[2]}}"#, #"{"":1,"a":{"":2}}"#, #"{"":1,"a.":2}"#),
        // Members that repeat count all; of fields of a pattern that repeat, the last.
        Golden.fits(#"{"a":[1]}"#, #"{"a":1,"a":2}"#, #"{"a":2,"a":1}"#, #"{"a":2,"\u0061":1}"#),
        Golden.fits(#"{"a":{"b":[1],"c":[2]}}"#, #"{"a":{"b":1},"a":{"c":2}}"#),
        Golden.fits(#"{"a":[1],"a":[2]}"#, #"{"a":2}"#),
        Golden.not(#"{"a":[1],"a":[2]}"#, #"{"a":1}"#),
        Golden.fits(#"{"a":{"b":[1]},"a":{"c":[2]}}"#, #"{"a":{"b":1,"c":2}}"#),
        Golden.not(#"{"a":{"b":[1]},"a":{"c":[2]}}"#, #"{"a":{"c":2}}"#),
        Golden.not(#"{"a.b":[1],"a":{"b":[2]}}"#, #"{"a":{"b":1}}"#),
        Golden.not(#"{"a":[1]}"#, #"[{"a":1}]"#, "1", #""a""#),
        Golden.fits(#"{"a":[1],"a.b":[2]}"#, #"{"a":[1,{"b":2}]}"#))

    static let lists: [Golden] = all(
        Golden.fits(
            #"{"e":{"f":["Anna"]}}"#, #"{"e":[{"f":"John"},{"f":"Anna"}]}"#, #"{"e":[[{"f":"Anna"}],[{"f":"X"}]]}"#),
        Golden.not(
            #"{"e":{"f":["Anna"],"l":["Jones"]}}"#, #"{"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]}"#),
        Golden.fits(#"{"e":{"f":["Anna"],"l":["Jones"]}}"#, #"{"e":[{"f":"X"},{"f":"Anna","l":"Jones"}]}"#),
        Golden.not(#"{"e":{"f":["Anna"],"l":["Jones"]}}"#, #"{"e":[[{"f":"Anna"}],[{"l":"Jones"}]]}"#),
        Golden.not(
            #"{"e":{"f":["Anna"],"i":{"n":[1]}}}"#, #"{"e":[{"f":"Anna","i":[{"n":2}]},{"f":"X","i":[{"n":1}]}]}"#),
        Golden.fits(#"{"e":{"f":["Anna"],"i":{"n":[1]}}}"#, #"{"e":[{"f":"Anna","i":[{"n":2},{"n":1}]}]}"#),
        Golden.not(#"{"e":{"i":{"m":[1],"n":[2]}}}"#, #"{"e":[{"i":[{"m":1,"n":1},{"m":2,"n":2}]}]}"#),
        Golden.fits(#"{"e":{"f":[1]},"g":{"h":[2]}}"#, #"{"e":[{"f":2},{"f":1}],"g":[{"h":1},{"h":2}]}"#),
        // Single values in one list are values of one field.
        Golden.fits(#"{"t":["b"],"v":[1]}"#, #"{"t":["a","b"],"v":[1,2]}"#),
        Golden.not(#"{"t":["b"],"v":[1]}"#, #"{"t":["a","b"],"v":[]}"#),
        // Absence is judged in the element that the fields before it chose.
        Golden.fits(#"{"a":{"b":[1],"c":[{"exists":false}]}}"#, #"{"a":[{"b":1},{"b":2,"c":3}]}"#),
        Golden.not(#"{"a":{"b":[1],"c":[{"exists":false}]}}"#, #"{"a":[{"b":1,"c":1},{"b":2}]}"#),
        Golden.not(#"{"a":{"b":[{"exists":false}]}}"#, #"{"a":[{"b":1},{"c":1}]}"#),
        Golden.not(#"{"a":{"b":[{"exists":false}],"c":[1]}}"#, #"{"a":[{"b":1},{"c":1}]}"#))

    static let choices: [Golden] = all(
        Golden.fits(#"{"s":["x"],"$or":[{"m":["a"]},{"n":["b"]}]}"#, #"{"s":"x","m":"a"}"#, #"{"s":"x","n":"b"}"#),
        Golden.not(#"{"s":["x"],"$or":[{"m":["a"]},{"n":["b"]}]}"#, #"{"s":"x"}"#, #"{"m":"a","n":"b"}"#),
        Golden.fits(
            #"{"$or":[{"m":[1]},{"n":[2]}],"d":{"$or":[{"s":[3]},{"t":[4]}]}}"#, #"{"n":2,"d":{"s":3}}"#,
            #"{"m":1,"d":{"t":4}}"#),
        Golden.not(#"{"$or":[{"m":[1]},{"n":[2]}],"d":{"$or":[{"s":[3]},{"t":[4]}]}}"#, #"{"n":2,"m":1,"s":3}"#),
        Golden.fits(#"{"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"d":[4]}]}]}"#, #"{"a":1}"#, #"{"b":2,"d":4}"#),
        Golden.not(#"{"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"d":[4]}]}]}"#, #"{"b":2}"#),
        // A choice does not loosen the lists.
        Golden.not(#"{"a":{"x":[1]},"$or":[{"a":{"y":[2]}},{"b":[3]}]}"#, #"{"a":[{"x":1},{"y":2}]}"#),
        // A field inside a choice replaces one before it, and one behind replaces all inside.
        Golden.fits(
            #"{"n":["a","b"],"$or":[{"n":[{"anything-but":"a"}]},{"c":["x"]}]}"#, #"{"n":"c"}"#, #"{"n":"a","c":"x"}"#),
        Golden.not(#"{"$or":[{"a":[1]},{"b":[2]}],"a":[3]}"#, #"{"a":1}"#),
        // Not a choice, so a field's name.
        Golden.fits(#"{"$or":{"m":["a"],"n":["b"]}}"#, #"{"$or":{"m":"a","n":"b"}}"#),
        Golden.fits(#"{"$or":[{"cidr":"10.0.0.0/24"}]}"#, #"{"$or":"10.0.0.1"}"#),
        Golden.fits(#"{"d":{"$or":[{"numeric":[">",0,"<=",5]},{"cidr":"10.0.0.0/8"}]}}"#, #"{"d":{"$or":3}}"#),
        Golden.fits(#"{"$or":["x"]}"#, #"{"$or":"x"}"#))
}
