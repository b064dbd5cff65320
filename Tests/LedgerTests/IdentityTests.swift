import CarillonLedger
import Testing

// The values were computed apart from this project, by Python's hashlib, from the layout that Identity.swift describes.
// They may never change: a changed key makes every known event new and every copy of a delivery a stranger.

@Suite("Identity: keys are frozen")
struct IdentityTests {
    struct Golden: Sendable, CustomTestStringConvertible {
        let workspace, source, id, event, delivery: String
        var testDescription: String { "\(workspace)·\(source)·\(id.prefix(20))" }
        init(_ workspace: String, _ source: String, _ id: String, _ event: String, _ delivery: String) {
            (self.workspace, self.source, self.id, self.event, self.delivery) = (workspace, source, id, event, delivery)
        }
        static let all = [
            Golden(
                "vision", "/schedulers/volcano-a", "dlc-7f3a/2/failed", "2248c845d30982be5c2ee751619381c8",
                "e09a00c06100eaeeb535fabd66379d28"),
            Golden("", "", "", "526b37359b9cb6725624fc58cc1c7ae0", "530dede484decd2be673c375a67e3230"),
            Golden("工作空间", "/s", "😀", "483ff82c1a84580d1d449ac3a4509994", "f355e23e6e08c0fa811833f9af133d05"),
            Golden("node-1", "10", "", "4b03e61cbf1a3c110125bc31a2437679", "31a39613f9d6d33c183bf554805176b1"),
            Golden("node-11", "0", "", "238653a68c211e508d2a8079b8c22cce", "6aca6f391b17ede8a7072978b54fb115"),
            Golden("a", "bc", "", "308ee0d8713159ca0eccf2b19d83e918", "64d31bcba7ace155dfa7bdc9e2725853"),
            Golden("ab", "c", "", "42a256f08269569d101fbbda704a48bc", "e45367e6a1beefaeb322eb783385bf14"),
            Golden("a\u{0}", "b", "c", "0719d69e864ffb96ac1ab5ecaaebf3f1", "b24b787ea51bf56b7a2314871d92758b"),
            Golden(
                "w", "/s", String(repeating: "x", count: 300), "c6e3bd4f62575f7c90a4705ae72da3da",
                "a1bbcbdb98942cbf508f1e857b2d9711"),
        ]
    }

    @Test("the key of an event and of its delivery", arguments: Golden.all)
    func events(golden: Golden) {
        let event = key(golden.workspace, golden.source, golden.id)
        #expect(event.description == golden.event)
        #expect(Key.delivery(event: event, rule: "failures", target: "hook").description == golden.delivery)
    }

    @Test(
        "the key of a pair",
        arguments: [
            (["vision", "hook", "dlc-7f3a"], "a1aacf15efe402228f089490e4de30de"),
            (["vision", "mail/alice", ""], "adaae8786c7f3592f3643a52074f42c1"),
            (["", "", ""], "d13888bf4805cf51f1e574894d2a54a4"),
            (["工作空间", "钩子", "😀"], "88f14721fb3603b7ba84cfb4aa71286b"),
        ])
    func pairs(parts: [String], expected: String) {
        #expect(Key.pair(workspace: parts[0], target: parts[1], subject: parts[2]).description == expected)
    }

    @Test(
        "the key of a dedup window",
        arguments: [
            (
                "vision", "failures", [("subject", #""dlc-7f3a""#), ("data.version", "3e0")],
                "d1742da671085fd04138cb8ee9238378"
            ),
            ("vision", "failures", [("subject", "")], "0363e296e00ad6a654a52c0b44745034"),
            ("*", "工作", [("data.node", #""钩子""#)], "d2dcdfa38d3644ad77d29cfdbffda5af"),
        ])
    func windows(workspace: String, rule: String, values: [(String, String)], expected: String) {
        let values = values.map { (path: $0.0, value: Array($0.1.utf8)) }
        #expect(Key.window(workspace: workspace, rule: rule, values: values).description == expected)
    }

    @Test("parts do not run into each other (V109)")
    func partsAreApart() {
        #expect(key("", "node-1", "10") != key("", "node-11", "0"))
        #expect(key("ab", "c", "") != key("a", "bc", ""))
        #expect(key("a", "", "") != key("", "a", ""))
    }

    @Test("kinds do not run into each other: an event is no pair of the same parts")
    func kindsAreApart() {
        #expect(key("a", "b", "c") != Key.pair(workspace: "a", target: "b", subject: "c"))
    }

    @Test("an event is its source and id, so another time or body is the same event (V103)")
    func sameEvent() {
        #expect(Draft("a").key == Draft("a", subject: "another", rule: "another").key)
    }

    @Test("a key is read back from its text; anything else is not a key")
    func text() {
        let one = key("a", "b", "c")
        #expect(Key(one.description) == one)
        #expect(Key(one.description.uppercased()) == one)
        for wrong in [
            "", "0", one.description + "0", String(repeating: "g", count: 32), "+" + String(repeating: "0", count: 31),
            String(repeating: "é", count: 16), "-0000000000000000000000000000000",
            " " + String(repeating: "0", count: 31),
        ] {
            #expect(Key(wrong) == nil, "\(wrong)")
        }
    }

    private func key(_ workspace: String, _ source: String, _ id: String) -> Key {
        Key.event(workspace: Array(workspace.utf8).span, source: Array(source.utf8).span, id: Array(id.utf8).span)
    }
}
