import CarillonLedger
import CarillonSQLite
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
        #expect(try tool.run("replay", "--since", "1h").out.contains("0 deliveries on their way"))
        let counted = try json("replay", "--since", "1h", "--include-withheld", "--dry-run")
        #expect(counted["suppressed"] as? Int == 1 && counted["deliveries"] as? Int == 1)
        let sent = try tool.run("replay", "--since", "1h", "--include-withheld").out
        #expect(sent.contains("1 deliveries on their way: 0 reopened, 1 that were suppressed"), "\(sent)")
        try work()
        #expect(try rows("deliveries", "list", "--state", "delivered", "--subject", "s").count == 1)
        let told = try tool.run("explain", "--subject", "s").out
        #expect(told.contains("silence 1 held; `carillon silence list` shows it; a replay sent it at "), "\(told)")
        #expect(told.contains("✓ failures → hook: delivered"))
        #expect(told.components(separatedBy: "job.failed of s in vision").count == 2, "one event, told once:\n\(told)")
        #expect(try json("replay", "--since", "1h", "--include-withheld")["deliveries"] as? Int == 0)
        #expect(try rows("deliveries", "list", "--state", "suppressed").first?["reason"] as? String == "silence")
        #expect(try tool.run("verify").code == 0)
        #expect(try tool.run("verify", "--since", "1h").code == 0)
    }

    @Test("a contact is told what came for it, what did not, and which rules would tell it of more")
    func contact() throws {
        try applyRules()
        try publish(event("a"), event("b", type: "job.running"))
        try work()
        let told = try tool.run("explain", "--contact", "hook").out
        #expect(told.contains("✓ failures → hook: delivered") && !told.contains("job.running of s"), "\(told)")
        #expect(told.contains("hook is told by other rules of other types: stops (job.stopped)"), "\(told)")
        let nobody = try tool.run("explain", "--contact", "nobody").out
        #expect(nobody == "nothing was sent to nobody since " + nobody.dropFirst(33))
        let events = try #require(try json("explain", "--contact", "hook")["events"] as? [[String: Any]])
        #expect(events.map { $0["id"] as? String } == ["a"])
    }

    @Test("an expired and a superseded delivery and a stale event have the same names in each listing")
    func words() throws {
        let rules = """
            version: 1
            workspace: vision
            endpoints: {hook: {webhook: "http://127.0.0.1:9/"}}
            rules:
              - {name: newest, events: [job.failed], order: supersede, notify: [hook]}
            """
        #expect(try tool.run("rules", "apply", try tool.file("rules.yaml", Array(rules.utf8))).code == 0)
        #expect(try tool.run("endpoints", "pause", "hook", "--workspace", "vision").code == 0)
        let old = event("old").dropLast() + ",\"time\":\"2020-01-01T00:00:00Z\"}"
        try publish(event("a"), event("b"), String(old))
        try work()
        let states = try rows("deliveries", "list").map { [$0["state"] as? String, $0["reason"] as? String] }
        #expect(states.contains(["expired", "superseded"]) && states.contains { $0[0] == "pending" }, "\(states)")
        let told = try tool.run("explain", "--subject", "s").out
        #expect(told.contains("– newest → hook: expired at ") && told.contains("(superseded)"), "\(told)")
        #expect(told.contains("– newest: suppressed, stale: it was older"), "\(told)")
        #expect(try rows("deliveries", "list", "--state", "suppressed").map { $0["reason"] as? String } == ["stale"])
        #expect(try tool.run("status").out.contains("suppressed      1 (stale 1)"))
        let others = try tool.file("rules.yaml", Array(rules.replacing("newest", with: "other").utf8))
        #expect(try tool.run("rules", "apply", "--prune", others).code == 0)
        let removed = try rows("deliveries", "list", "--reason", "rule_removed")
        #expect(removed.map { $0["state"] as? String } == ["expired"])
        #expect(try json("replay", "--since", "1h", "--dry-run")["deliveries"] as? Int == 0)
        #expect(try json("replay", "--since", "1h", "--include-expired", "--dry-run")["deliveries"] as? Int == 3)
        #expect(try json("replay", "--since", "1h", "--state", "expired", "--dry-run")["suppressed"] as? Int == 1)
        #expect(try tool.run("verify").code == 0)
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

    @Test("a hostile log of a receiver is refused by its lines, or counted line by line", .timeLimit(.minutes(5)))
    func hostileLog() throws {
        try applyRules()
        try publish(event("a"), event("b"))
        try work()
        let keys = try rows("deliveries", "list").compactMap { $0["delivery"] as? String }
        func log(_ text: String) throws -> String { try tool.file("log.jsonl", Array(text.utf8)) }
        func line(_ key: String, _ rest: String = "") -> String { "{\"id\":\"\(key)\"\(rest)}\n" }
        let whole = keys.map { line($0) }.joined()
        for broken in [
            "{\"id\":", "null", "[]", "{\"id\":7}", "\u{1}", "{\"id\":\"\(keys[0])\"} x",
            String(repeating: "[", count: 100_000), "{\"id\":\"" + String(repeating: "a", count: 2 << 20) + "\"}",
        ] {
            let told = try tool.run("verify", "--received", log(whole + broken + "\n"))
            let isTold = told.code == 1 && told.error.contains("log.jsonl:3")
            #expect(isTold, "\(broken.prefix(40)): \(told.error.prefix(300))")
        }
        // What was refused, what is no id of ours, a line without an end: none of it is a copy.
        let last = line(keys[1], ",\"status\":200").dropLast()
        let odd = whole + line(keys[0], ",\"status\":503") + line("not-ours") + "\n" + last
        let counted = try json("verify", "--received", log(odd))
        #expect(counted["both"] as? Int == 2 && counted["copies"] as? Int == 1)
        // Far more than is kept in memory at a time, each line twice.
        let many = (0..<100_000).map { String(format: "%032x", $0 + 1) }
        let twice = try log(whole + (many + many).map { line($0) }.joined())
        let doubled = try tool.run("verify", "-o", "json", "--received", twice)
        let isCounted = doubled.out.contains("\"extra\":100000,\"copies\":100000")
        #expect(doubled.code == 3 && isCounted, "\(doubled.out.suffix(400))")
    }

    @Test("dead letters are named by their class, chosen by workspace, subject and number, and stay out of other's way")
    func deadByFilter() throws {
        let receiver = try Serving(tool, ["sink", "--listen", "127.0.0.1:0", "--fail", "401:1.0"])
        for workspace in ["vision", "speech"] {
            let rules = try tool.rules(
                ["failures"], workspace: workspace, url: "http://127.0.0.1:\(receiver.address.port)/",
                file: "\(workspace).yaml")
            #expect(try tool.run("rules", "apply", rules).code == 0)
        }
        try publish(
            event("a"), event("b"), event("c", workspace: "speech"),
            event("d").replacing("\"s\"", with: "\"other\""))
        try work()
        let listed = try rows("dead", "list")
        #expect(listed.count == 4 && Set(listed.map { $0["reason"] as? String }) == ["authError"], "\(listed)")
        #expect(try rows("dead", "list", "--limit", "2").count == 2)
        #expect(try rows("dead", "list", "--workspace", "speech").count == 1)
        let told = try tool.run("explain", "--subject", "other").out
        #expect(told.contains("– failures → hook: dead at ") && told.contains("authError (HTTP 401)"), "\(told)")
        #expect(try tool.run("dead", "retry", "--subject", "other").out == "1 deliveries are due now\n")
        #expect(try tool.run("dead", "retry", "--workspace", "speech", "--reason", "authError").out.hasPrefix("1 "))
        #expect(try tool.run("dead", "retry", "--since", "2030-01-01T00:00:00Z").out.hasPrefix("0 "))
        #expect(try rows("dead", "list").count == 2)
        let unknown = String(repeating: "0", count: 32)
        let wrong = try tool.run("dead", "retry", unknown)
        #expect(wrong.code == 1 && wrong.error.contains("there is no delivery \(unknown)"))
        // Still refused: nothing is tried for ever.
        try work()
        #expect(try rows("dead", "list").count == 4)
        #expect(try rows("dead", "list").map { $0["failed_tries"] as? Int }.reduce(0) { $0 + ($1 ?? 0) } == 6)
        #expect(receiver.stop() == 0)
    }

    /// Breaks the last record of the stream behind the tool's back, as no publisher can.
    private func breakRecord() throws {
        let database = try Database(path: tool.home + "/stream.db", access: .readWrite)
        for partition in 0..<8 where try database.int("SELECT 1 FROM record_\(partition)") != nil {
            try database.execute("UPDATE record_\(partition) SET event = CAST('{\"specversion\":\"1.0\",' AS BLOB)")
            return
        }
    }

    @Test("a parked record is listed and shown raw, is mended and sent, and retried twice is sent once")
    func mended() throws {
        try applyRules()
        try publish(event("a"))
        try breakRecord()
        try work()
        let row = try #require(try rows("poison", "list").first)
        let record = try #require(row["record"] as? String)
        #expect((row["reason"] as? String)?.isEmpty == false && row["retried"] == nil || row["retried"] is NSNull)
        #expect(try tool.run("poison", "list").out.contains(record))
        let shown = try tool.run("poison", "show", record)
        #expect(shown.out == "{\"specversion\":\"1.0\"," && shown.error.contains("\(record) is parked: "))
        let asItIs = try tool.run("poison", "retry", record)
        #expect(asItIs.code == 3 && asItIs.error.contains("\(record) is still no event"))
        #expect(asItIs.error.contains("--with"))
        let mended = try tool.file("mended.json", Array(event("a").utf8))
        #expect(try tool.run("poison", "retry", record, "--with", "/nowhere").code == 1)
        #expect(try tool.run("poison", "retry", record, "--with", mended).out == "\(record) is published again\n")
        try work()
        #expect(try rows("deliveries", "list", "--state", "delivered").count == 1)
        #expect(try rows("poison", "list").first?["retried"] is String)
        #expect(try tool.run("poison", "retry", record, "--with", mended).code == 0)
        try work()
        #expect(try rows("deliveries", "list", "--state", "delivered").count == 1)
        let law = try json("verify")
        #expect(law["parked"] as? Int == 1 && law["matched"] as? Int == 1 && law["duplicate"] as? Int == 1)
        let told = try tool.run("explain", "--subject", "s").out
        #expect(told.contains("✓ failures → hook: delivered"))
        #expect(told.contains("a duplicate: source and id are those of"))
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
