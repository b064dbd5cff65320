import CarillonEvents
import CarillonKit
import CarillonRules
import Testing

/// A value of an event or a pattern, as a tree: what the compiled matcher does without.
private indirect enum Value: Equatable {
    case scalar(Scalar)
    case list([Value])
    case object([(String, Value)])

    static func == (a: Value, b: Value) -> Bool { false }
}

/// A scalar by what it means, with the ways to write it.
private struct Scalar: Hashable {
    let meaning: String
    let json, yaml: [String]

    static let all = [
        Scalar(meaning: "text a", json: [#""a""#, #""\u0061""#], yaml: ["a", "'a'", #""a""#]),
        Scalar(meaning: "text ü", json: [#""ü""#, #""\u00FC""#], yaml: ["ü", #""\u00fc""#]),
        Scalar(meaning: "text 1", json: [#""1""#], yaml: ["'1'", "!!str 1"]),
        Scalar(meaning: "1", json: ["1", "1.0", "10e-1", "0.1E1"], yaml: ["1", "1.0", "+1", "0x1", "100e-2"]),
        Scalar(meaning: "0", json: ["0", "-0", "0.0", "0e5"], yaml: ["0", "-0", ".0", "0o0"]),
        Scalar(meaning: "-250", json: ["-250", "-2.5e2", "-2500E-1"], yaml: ["-250", "-25e1"]),
        Scalar(meaning: "true", json: ["true"], yaml: ["true", "True"]),
        Scalar(meaning: "false", json: ["false"], yaml: ["false", "FALSE"]),
        Scalar(meaning: "null", json: ["null"], yaml: ["null", "~"]),
    ]
}

private struct Maker {
    var random: SplitMix
    let keys = ["k", "l", "a b", "ü", "labels"]

    mutating func chance(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &random) == 0 }
    mutating func pick<T>(_ items: [T], _ fallback: T) -> T { items.randomElement(using: &random) ?? fallback }
    mutating func someKeys() -> [String] {
        Array(keys.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
    }
    mutating func scalar() -> Scalar { pick(Scalar.all, Scalar.all[0]) }

    mutating func value(_ depth: Int) -> Value {
        if depth > 0, chance(2) {
            return chance(3)
                ? .list((0..<Int.random(in: 0...3, using: &random)).map { _ in value(depth - 1) })
                : .object(someKeys().map { ($0, value(depth - 1)) })
        }
        return .scalar(scalar())
    }

    mutating func pattern(_ depth: Int) -> Value {
        guard depth == 0 || chance(2) else { return .object(someKeys().map { ($0, pattern(depth - 1)) }) }
        return .list((0..<Int.random(in: 1...4, using: &random)).map { _ in .scalar(scalar()) })
    }

    mutating func space() -> String { chance(4) ? " " : "" }

    mutating func json(_ value: Value) -> String {
        switch value {
        case .scalar(let scalar): return pick(scalar.json, "")
        case .list(let items): return "[" + items.map { space() + json($0) }.joined(separator: ",") + "]"
        case .object(let members):
            let written = members.map { key, value in
                "\(space())\"\(key == "ü" && chance(2) ? #"\u00fc"# : key)\"\(space()):\(json(value))"
            }
            return "{" + written.joined(separator: ",") + "}"
        }
    }

    mutating func yaml(_ value: Value) -> String {
        switch value {
        case .scalar(let scalar): return pick(scalar.yaml, "")
        case .list(let items): return "[" + items.map { yaml($0) }.joined(separator: ", ") + "]"
        case .object(let members): return "{" + members.map { "\($0): \(yaml($1))" }.joined(separator: ", ") + "}"
        }
    }
}

/// What a pattern means, said as plainly as it can be.
private func fits(_ value: Value?, _ pattern: Value) -> Bool {
    switch (value, pattern) {
    case (nil, _): return false
    case (.list(let elements), _): return elements.contains { fits($0, pattern) }
    case (.object(let members), .object(let wanted)):
        return wanted.allSatisfy { key, pattern in fits(members.first { $0.0 == key }?.1, pattern) }
    case (.scalar(let scalar), .list(let wanted)):
        return wanted.contains { if case .scalar(let other) = $0 { other.meaning == scalar.meaning } else { false } }
    default: return false
    }
}

@Suite("Matching agrees with its meaning", .timeLimit(.minutes(5)))
struct PropertyTests {
    @Test("the compiled patterns select what a naive reading selects", arguments: UInt64(1)...60)
    func patterns(seed: UInt64) throws {
        var make = Maker(random: SplitMix(seed: seed))
        let patterns = (0..<25).map { _ in Value.object(make.someKeys().map { ($0, make.pattern(3)) }) }
        let compiled = try rules(
            patterns.enumerated().map { "name: r\($0), events: [job.failed], pattern: {data: \(make.yaml($1))}" })
        var scratch = MatchScratch()
        var selected = 0
        for _ in 0..<20 {
            let data = Value.object(make.keys.map { ($0, make.value(4)) })
            let text = event(data: make.json(data))
            var hits: [Int] = []
            compiled.match(text.span, try CloudEvents.outline(text.span), into: &hits, using: &scratch)
            let expected = patterns.indices.filter { fits(data, patterns[$0]) }
            #expect(hits == expected, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
            selected += hits.count
        }
        #expect(selected > 0, "seed \(seed) selects nothing and shows nothing")
    }

    @Test("the index of types wants what the selectors want", arguments: UInt64(1)...40)
    func types(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        func text(_ words: [String]) -> String {
            (0..<Int.random(in: 1...3, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
                .joined(separator: ".")
        }
        let entries = (0..<30).map { _ in
            (0..<Int.random(in: 1...3, using: &random)).map { _ in text(["job", "a", "failed", "*"]) }
        }
        let compiled = try rules(
            entries.enumerated().map { "name: r\($0), events: [\($1.map { "'\($0)'" }.joined(separator: ", "))]" })
        for _ in 0..<60 {
            let type = text(["job", "a", "failed", "finished", "succeeded"])
            let expected = entries.indices.filter { compiled.rules[$0].events.contains { $0.selects(type) } }
            #expect(try compiled.names(event(type: type)) == expected.map { "r\($0)" }, "seed \(seed): \(type)")
            #expect(compiled.wants(type) == !expected.isEmpty, "seed \(seed): \(type)")
        }
    }
}
