import CarillonLedger
import Foundation
import Testing

@Suite("Explain, replay, verify, dead and poison: what is asked of the ledger is answered", .timeLimit(.minutes(5)))
struct AnswersSuite {
    private let tool: Tool
    private let sink: Serving

    init() throws {
        tool = try Tool()
        #expect(try tool.run("worker", "--prepare").code == 0)
        sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0"])
    }

    /// Rules of which one goes to a receiver, one to nobody who listens, and one is of another type.
    private func applyRules() throws {
        let rules = """
            version: 1
            workspace: vision
            endpoints:
              hook: {webhook: "http://127.0.0.1:\(sink.address.port)/"}
              inner: {webhook: "http://127.0.0.1:9/"}
            rules:
              - {name: failures, events: [job.failed], notify: [hook]}
              - {name: last, events: [job.failed], pattern: {data: {final: [true]}}, notify: [hook]}
              - {name: guarded, events: [job.failed], condition: "subject == 'other'", notify: [hook]}
              - {name: stops, events: [job.stopped], notify: [hook]}
            """
        #expect(try tool.run("rules", "apply", try tool.file("rules.yaml", Array(rules.utf8))).code == 0)
    }

    private func publish(_ lines: String...) throws {
        #expect(try tool.run("publish", "-", input: Array(lines.joined(separator: "\n").utf8)).code == 0)
    }

    private func work(reaching sink: Bool = true) throws {
        let environment = sink ? ["CARILLON_DELIVERY_SSRF_EXEMPT": "127.0.0.0/8"] : [:]
        #expect(try tool.run("worker", "--until-idle", environment: environment).code == 0)
    }

    private func json(_ arguments: String...) throws -> [String: Any] {
        let result = try tool.run(arguments + ["-o", "json"])
        try #require(result.code == 0, "\(result.error)")
        return try #require(try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [String: Any])
    }

    private func rows(_ arguments: String...) throws -> [[String: Any]] {
        let result = try tool.run(arguments + ["-o", "json"])
        try #require(result.code == 0, "\(result.error)")
        return try #require(try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [[String: Any]])
    }

    @Test("explain says of each rule what it did, and of types that never came that none did")
    func explain() throws {
        try applyRules()
        try publish(event("a"), event("b", type: "job.running"))
        try work()
        let told = try tool.run("explain", "--subject", "s")
        #expect(told.code == 0)
        for words in [
            "✓ failures → hook: delivered", "✗ last: pattern: data.final is nothing, expected [true]",
            "✗ guarded: condition: subject == 'other' is False", "no rule selected it",
            "stops: 2 events of s reached the stream since", "none of type job.stopped (job.failed 1, job.running 1)",
        ] { #expect(told.out.contains(words), "\(words)\n\(told.out)") }
        let one = try json("explain", "--event", "/test", "a", "--rule", "last")
        let events = try #require(one["events"] as? [[String: Any]])
        let rule = try #require((events.first?["rules"] as? [[String: Any]])?.first)
        #expect(events.count == 1 && events.first?["decision"] as? String == "matched")
        #expect(rule["verdict"] as? String == "pattern" && rule["path"] as? String == "data.final")
        let key = try #require(try rows("deliveries", "list").first?["delivery"] as? String)
        #expect(try tool.run("explain", "--delivery", key).out.contains(key))
        let absent = try tool.run("explain", "--subject", "nobody")
        #expect(absent.code == 0 && absent.out.contains("no event of nobody reached the stream"))
        #expect(try tool.run("explain", "--subject", "s", "--rule", "typo").out.contains("there is no rule typo"))
        #expect(try tool.run("explain", "--delivery", "xyz").code == 2)
        #expect(try tool.run("explain").code == 2)
    }

    @Test("what no worker has read yet is told as unread, with what the rules of now say")
    func unread() throws {
        try applyRules()
        try publish(event("a"))
        let told = try tool.run("explain", "--subject", "s").out
        #expect(told.contains("no worker has read it yet") && told.contains("… failures: would select it"), "\(told)")
    }

    @Test("dead letters are listed by why, and retried one, by a filter, or all")
    func dead() throws {
        try applyRules()
        // The guard refuses the loopback: a failure that is final.
        try publish(event("a"), event("b"), event("c"))
        try work(reaching: false)
        let listed = try rows("dead", "list")
        #expect(listed.count == 3 && Set(listed.compactMap { $0["reason"] as? String }) == ["blocked"])
        #expect(try rows("dead", "list", "--reason", "serverError").isEmpty)
        #expect(try tool.run("dead", "list").out.hasPrefix("WHY"))
        #expect(try tool.run("dead", "retry").code == 2)
        let key = try #require(listed.first?["delivery"] as? String)
        #expect(try tool.run("dead", "retry", key).code == 0)
        #expect(try rows("dead", "list").count == 2 && rows("deliveries", "list", "--state", "pending").count == 1)
        #expect(try tool.run("dead", "retry", "--reason", "serverError").out.contains("0"))
        #expect(try tool.run("dead", "retry", "--reason", "blocked", "--contact", "hook").code == 0)
        #expect(try rows("dead", "list").isEmpty)
        #expect(try tool.run("dead", "retry", "--all").code == 0)
        #expect(try tool.run("dead", "list").out == "nothing is dead\n")
        try work()
        #expect(try rows("deliveries", "list", "--state", "delivered").count == 3)
    }

    @Test("replay counts first, sends what is owed once, and says when it begins too early")
    func replay() throws {
        try applyRules()
        try publish(event("a"), event("b"), event("c"))
        try work(reaching: false)
        let counted = try json("replay", "--since", "1h", "--dry-run")
        #expect(counted["deliveries"] as? Int == 3 && counted["done"] as? Bool == false)
        let target = try #require((counted["targets"] as? [[String: Any]])?.first)
        #expect(target["contact"] as? String == "hook" && target["channel"] as? String == "endpoint")
        #expect(try rows("dead", "list").count == 3)
        let done = try tool.run("replay", "--since", "1h")
        #expect(done.code == 0 && done.out.contains("vision  endpoint  hook  3"), "\(done.out)")
        #expect(done.out.contains("3 deliveries on their way: 3 reopened"))
        try work()
        #expect(try tool.run("replay", "--since", "1h").out.contains("0 deliveries on their way"))
        #expect(try json("replay", "--since", "1h", "--all", "--rule", "failures")["reopened"] as? Int == 3)
        try work()
        #expect(try rows("deliveries", "list", "--state", "delivered").count == 3)
        let early = try tool.run("replay", "--since", "30d")
        #expect(early.code == 2 && early.error.contains("ledger.dedup_horizon") && early.error.contains("--all"))
        #expect(try tool.run("replay", "--since", "yesterday").code == 2)
        #expect(try tool.run("replay", "--since", "1h", "--until", "2h").code == 2)
        #expect(try tool.run("replay", "--since", "1h", "--state", "leased").code == 2)
        #expect(try tool.run("replay").code == 2)
        #expect(try tool.run("verify").code == 0)
    }

    @Test("what a silence held is listed by one word everywhere, and is sent when it is asked for")
    func silenced() throws {
        try applyRules()
        #expect(
            try tool.run(
                "silence", "add", "--workspace", "vision", "--pattern", #"{"type":["job.failed"]}"#, "--for", "1h",
                "--comment", "rack moves"
            ).code == 0)
        try publish(event("a"))
        try work()
        #expect(try rows("deliveries", "list", "--state", "suppressed").first?["reason"] as? String == "silence")
        #expect(try tool.run("explain", "--subject", "s").out.contains("– failures: suppressed, silence 1 held"))
        #expect(try tool.run("status").out.contains("suppressed      1 (silence 1)"))
        #expect(try tool.run("status", "-o", "json").out.contains(#""silence":1"#))
    }

    @Test("verify compares a receiver's log with the ledger, and ends with 3 when they differ")
    func received() throws {
        try applyRules()
        try publish(event("a"), event("b"))
        try work()
        let keys = try rows("deliveries", "list").compactMap { $0["delivery"] as? String }.sorted()
        func log(_ lines: [String]) throws -> String {
            try tool.file("log.jsonl", Array(lines.map { "{\"id\":\"\($0)\",\"status\":200}\n" }.joined().utf8))
        }
        #expect(try tool.run("verify", "--received", log(keys)).code == 0)
        let copied = try json("verify", "--received", log(keys + [keys[0]]))
        #expect(copied["copies"] as? Int == 1 && copied["both"] as? Int == 2)
        let foreign = String(repeating: "0", count: 31) + "1"
        let differs = try tool.run("verify", "--received", log([keys[0], foreign]))
        #expect(differs.code == 3 && differs.out.contains("\(keys[1]): delivered says the ledger"))
        #expect(differs.out.contains("\(foreign): the receiver has it, the ledger knows no such delivery"))
        #expect(try tool.run("verify", "--since", "1h").out.contains("the law holds"))
        // What was delivered before the window is no surprise in the log.
        #expect(try tool.run("verify", "--since", "1m", "--received", log(keys)).code == 0)
        #expect(try tool.run("verify", "--received", tool.file("bad", Array("{}\n".utf8))).code == 1)
        #expect(try json("verify")["read"] as? Int == 2)
    }

    @Test("a name of a parked record that is none is told so")
    func poison() throws {
        #expect(try tool.run("poison", "list").out == "no record is parked\n")
        for command in ["show", "retry"] {
            let told = try tool.run("poison", command, "3:1042")
            #expect(told.code == 1 && told.error.contains("no record 3:1042 is parked; `carillon poison list`"))
            #expect(try tool.run("poison", command, "kafka/x/3:nine").code == 1)
        }
    }
}
