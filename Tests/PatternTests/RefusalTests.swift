import CarillonEvents
import CarillonRules
import Testing

@Suite("Patterns: what is malformed is refused with its path and reason", .timeLimit(.minutes(5)))
struct RefusalTests {
    @Test("a malformed pattern names the place", arguments: Refused.all)
    func refusal(refused: Refused) {
        do throws(PatternError) {
            _ = try CompiledPattern(refused.pattern)
            Issue.record("accepted")
        } catch {
            #expect(error.path == refused.path)
            #expect(error.reason.contains(refused.reason), "\(error.reason)")
        }
    }

    @Test("choices that multiply are refused before they fill the memory")
    func product() {
        let choice =
            #""$or":[{"a":[1]},{"b":[1]},{"c":[1]},{"d":[1]},{"e":[1]},{"f":[1]},{"g":[1]},{"h":[1]},{"i":[1]}]"#
        let nested = (0..<40).map { "\"n\($0)\":{\(choice)}" }.joined(separator: ",")
        do throws(PatternError) {
            _ = try CompiledPattern("{\(nested)}")
            Issue.record("accepted")
        } catch {
            #expect(error.reason == "the pattern's '$or's make more than 1000 combinations; the limit is 1000")
        }
    }

    @Test("deep nesting and many fields are refused")
    func deep() {
        let deep = String(repeating: #"{"a":"#, count: 300) + "[1]" + String(repeating: "}", count: 300)
        #expect(throws: PatternError.self) { try CompiledPattern(deep) }
        let wide = "{" + (0..<300).map { "\"k\($0)\":[1]" }.joined(separator: ",") + "}"
        #expect(throws: PatternError.self) { try CompiledPattern(wide) }
    }
}

extension Refused {
    static let all: [Refused] = [
        Refused("", "", "there is no JSON value"),
        Refused("{", "", "ends before the JSON does"),
        Refused(#"{"a":[1]} x"#, "", "something follows"),
        Refused(#"{"a":[1,]}"#, "", "a JSON value is expected"),
        Refused(#"{"a":[01]}"#, "", "does not start with 0"),
        Refused("[1]", "", "not a list"),
        Refused(#""x""#, "", "not a single value"),
        Refused("null", "", "not nothing"),
        Refused("{}", "", "an empty mapping in a pattern matches nothing"),
        Refused(#"{"a":{}}"#, "a", "an empty mapping in a pattern matches nothing"),
        Refused(#"{"a":{"b":[]}}"#, "a.b", "an empty list in a pattern matches nothing"),
        Refused(#"{"a":1}"#, "a", "stand in a list: [1]"),
        Refused(#"{"a":"acs.pai"}"#, "a", "stand in a list: [acs.pai]"),
        Refused(#"{"a":null}"#, "a", "stand in a list"),
        Refused(#"{"a":[1,[2]]}"#, "a[1]", "holds values, not lists"),
        Refused(#"{"a":[{}]}"#, "a[0]", "here is an empty mapping"),
        Refused(#"{"a":[{"prefix":"x","foo":[]}]}"#, "a[0]", "'foo' beside it"),
        Refused(#"{"a":[{"prefx":"x"}]}"#, "a[0].prefx", "did you mean 'prefix'?"),
        Refused(#"{"a":[{"exactly":33}]}"#, "a[0].exactly", "takes a text"),
        Refused(#"{"a":[{"prefix":3}]}"#, "a[0].prefix", "takes a text"),
        Refused(#"{"a":[{"suffix":["x"]}]}"#, "a[0].suffix", "takes a text, not a list"),
        Refused(#"{"a":[{"prefix":{"foo":"x"}}]}"#, "a[0].prefix", "{equals-ignore-case: a text}"),
        Refused(#"{"a":[{"suffix":{"equals-ignore-case":5}}]}"#, "a[0].suffix.equals-ignore-case", "takes a text"),
        Refused(
            #"{"a":[{"suffix":{"equals-ignore-case":"x","y":1}}]}"#, "a[0].suffix", "{equals-ignore-case: a text}"),
        Refused(#"{"a":[{"equals-ignore-case":["x"]}]}"#, "a[0].equals-ignore-case", "takes a text"),
        Refused(#"{"a":[{"wildcard":5}]}"#, "a[0].wildcard", "takes a text"),
        Refused(#"{"a":[{"wildcard":"a**b"}]}"#, "a[0].wildcard", "two '*' side by side"),
        Refused(#"{"a":[{"wildcard":"a\\b"}]}"#, "a[0].wildcard", "a '\\' that is not followed by"),
        Refused(#"{"a":[{"wildcard":"a\\"}]}"#, "a[0].wildcard", "a '\\' that is not followed by"),
        Refused(#"{"a":[{"anything-but":true}]}"#, "a[0].anything-but", "takes texts and numbers"),
        Refused(#"{"a":[{"anything-but":null}]}"#, "a[0].anything-but", "takes texts and numbers"),
        Refused(#"{"a":[{"anything-but":[]}]}"#, "a[0].anything-but", "an empty list"),
        Refused(#"{"a":[{"anything-but":["x",1]}]}"#, "a[0].anything-but", "not both"),
        Refused(#"{"a":[{"anything-but":["x",null]}]}"#, "a[0].anything-but[1]", "takes texts and numbers"),
        Refused(#"{"a":[{"anything-but":9007199254740993}]}"#, "a[0].anything-but", "none that a double says exactly"),
        Refused(#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#, "a[0].anything-but", "one of prefix, suffix"),
        Refused(#"{"a":[{"anything-but":{"prefix":""}}]}"#, "a[0].anything-but.prefix", "would exclude every text"),
        Refused(#"{"a":[{"anything-but":{"suffix":["x",""]}}]}"#, "a[0].anything-but.suffix[1]", "would exclude"),
        Refused(#"{"a":[{"anything-but":{"prefix":27}}]}"#, "a[0].anything-but.prefix", "takes a text"),
        Refused(#"{"a":[{"anything-but":{"prefix":"x","a":1}}]}"#, "a[0].anything-but", "one of prefix, suffix"),
        Refused(#"{"a":[{"anything-but":{"wildcard":["x","a**"]}}]}"#, "a[0].anything-but.wildcard[1]", "side by side"),
        Refused(#"{"a":[{"anything-but":{"wildcard":[]}}]}"#, "a[0].anything-but.wildcard", "an empty list"),
        Refused(#"{"a":[{"numeric":5}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":[]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":["="]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":["=","3"]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":["==",3]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":["=",1E309]}]}"#, "a[0].numeric[1]", "none that a double says exactly"),
        Refused(#"{"a":[{"numeric":["=",1E-325]}]}"#, "a[0].numeric[1]", "none that a double says exactly"),
        Refused(#"{"a":[{"numeric":[">",0,"<"]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"numeric":["<",1,">",0]}]}"#, "a[0].numeric", "a lower one"),
        Refused(#"{"a":[{"numeric":[">",30,"<",1]}]}"#, "a[0].numeric", "not below"),
        Refused(#"{"a":[{"numeric":[">=",1,"<=",1]}]}"#, "a[0].numeric", "not below"),
        Refused(#"{"a":[{"numeric":[">",1,"<",30,false]}]}"#, "a[0].numeric", "takes a comparison"),
        Refused(#"{"a":[{"exists":"true"}]}"#, "a[0].exists", "true or false"),
        Refused(#"{"a":[{"exists":1}]}"#, "a[0].exists", "true or false"),
        Refused(#"{"a":[{"cidr":"foo"}]}"#, "a[0].cidr", "is no block"),
        Refused(#"{"a":[{"cidr":"10.0.0.1"}]}"#, "a[0].cidr", "is no block"),
        Refused(#"{"a":[{"cidr":"192.168.0.1/33"}]}"#, "a[0].cidr", "from 0 to 32"),
        Refused(#"{"a":[{"cidr":"192.168.0.1/-1"}]}"#, "a[0].cidr", "from 0 to 32"),
        Refused(#"{"a":[{"cidr":"10.10.10.10.10/3"}]}"#, "a[0].cidr", "no IPv4 or IPv6 address"),
        Refused(#"{"a":[{"cidr":"2400:6500:FF00::36FB:1F80/222"}]}"#, "a[0].cidr", "from 0 to 128"),
        Refused(#"{"a":[{"cidr":7}]}"#, "a[0].cidr", "takes a text"),
        Refused(#"{"$or":[{"a":[1]}]}"#, "$or", "two mappings or more"),
        Refused(#"{"d":{"$or":[{"a":[1]},[{"b":[2]}]]}}"#, "d.$or[1]", "not a list"),
        Refused(#"{"$or":[{"a":[1]},{}]}"#, "$or[1]", "an empty mapping"),
        Refused(#"{"$or":[{"a":{"prefix":["x"]}},{"b":[1]}]}"#, "$or[0].a.prefix", "cannot name a field inside '$or'"),
        Refused(#"{"$or":[]}"#, "$or", "an empty list"),
        Refused(#"{"$or":[{"a":[1]},{"b":{"$or":["x"]}}]}"#, "", "rename the field"),
        Refused(#"{"$or":[{"numeric":123},{"prefix":"abc"}]}"#, "$or[0].numeric", "takes a comparison"),
    ]
}
