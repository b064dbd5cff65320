import Foundation
import Testing

@Suite("Quotas on the command line", .timeLimit(.minutes(5)))
struct QuotaSuite {
    private let tool: Tool

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    private func apply(_ rules: String) throws {
        let applied = try tool.run("rules", "apply", try tool.file("rules.yaml", Array(rules.utf8)))
        try #require(applied.code == 0, "\(applied.error)")
    }

    private func publish(_ ids: String..., arguments: [String] = []) throws {
        let events = ids.map { event($0) }.joined(separator: "\n")
        #expect(try tool.run("publish", "-", input: Array(events.utf8)).code == 0)
        let worked = try tool.run(["worker", "--until-idle"] + arguments)
        #expect(worked.code == 0, "\(worked.error)")
    }

    private func shown(_ arguments: String...) throws -> (units: [[String: Any]], windows: [[String: Any]]) {
        let result = try tool.run(["quota", "show"] + arguments + ["-o", "json"])
        try #require(result.code == 0, "\(result.error)")
        let object = try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [String: [[String: Any]]]
        return (try #require(object?["units"]), try #require(object?["windows"]))
    }

    private static let rules = """
        version: 1
        workspace: vision
        contacts:
          alice: {mail: alice@example.com, quota: {inbox: [1/1h]}}
        endpoints:
          out: {kind: console, quota: [2/1h]}
        rules:
          - {name: own, events: [job.failed], order: none, notify: [out, {inbox: [alice]}]}
        """

    @Test("show says target units, and of each window what is used, waits and is withheld, as a table and as JSON")
    func show() throws {
        #expect(try tool.run("quota", "show").lines == ["no rule is in force", "nothing was charged to a quota yet"])
        try apply(Self.rules)
        try publish("a", "b", "c")
        let (units, windows) = try shown()
        #expect(units.count == 1 && units[0]["rule"] as? String == "own")
        #expect(units[0]["units"] as? Int == 2 && units[0]["limit"] as? Int == 5)
        #expect(windows.map { $0["target"] as? String } == ["vision out", "vision inbox/alice"])
        #expect(windows.map { $0["used"] as? Int } == [2, 1] && windows.map { $0["limit"] as? Int } == [2, 1])
        #expect(windows.map { $0["waiting"] as? Int } == [1, 2] && windows.map { $0["withheld"] as? Int } == [0, 0])
        #expect(windows.allSatisfy { $0["window"] as? String == "1h" && $0["free"] is String && $0["reset"] is NSNull })
        #expect(try shown("--contact", "alice").windows.map { $0["target"] as? String } == ["vision inbox/alice"])
        #expect(try shown("--workspace", "speech").windows.isEmpty && shown("--contact", "bob").windows.isEmpty)
        let table = try tool.run("quota", "show").lines
        #expect(table.contains { $0.contains("own") && $0.contains("2 of 5") })
        let row = try #require(table.first { $0.hasPrefix("vision inbox/alice") })
        #expect(row.split(separator: " ").map(String.init).prefix(6) == ["vision", "inbox/alice", "1h", "1", "1", "0"])
        let inbox = try tool.run("deliveries", "list", "--contact", "alice", "--reason", "quota", "-o", "json").out
        #expect(inbox.components(separatedBy: #""state":"pending""#).count == 3)
    }

    @Test("reset asks, forgets one contact's windows or all, wakes what waits, and says who did it")
    func reset() throws {
        try apply(Self.rules)
        try publish("a", "b", "c")
        let unasked = try tool.run("quota", "reset", "--contact", "alice")
        #expect(unasked.code == 2 && unasked.error.contains("--yes"))
        let stranger = try tool.run("quota", "reset", "--contact", "bob", "--yes")
        #expect(stranger.code == 1 && stranger.error.contains("no rules in force name bob"))
        let reset = try tool.run("quota", "reset", "--contact", "alice", "--yes")
        #expect(reset.lines == ["1 quotas are reset; 2 deliveries that waited are due now"])
        try publish("d")
        let windows = try shown().windows
        #expect(windows.map { $0["used"] as? Int } == [2, 1] && windows.map { $0["waiting"] as? Int } == [2, 2])
        #expect(windows[0]["reset"] is NSNull && windows[1]["reset"] is String)
        #expect(windows[1]["reset_by"] as? String == NSUserName())
        #expect(
            try tool.run("quota", "reset", "--workspace", "vision", "--yes").lines
                == ["2 quotas are reset; 4 deliveries that waited are due now"])
        #expect(try tool.run("quota", "reset", "--yes").out.hasPrefix("2 quotas are reset; "))
        #expect(try tool.run("verify").code == 0)
    }

    @Test("a budget of money is shown as money, and with its workspace")
    func money() throws {
        let config = """
            channels:
              sms: {provider: twilio, account: AC1, token: t, from: "+15005550006", base_url: "http://127.0.0.1:9", price: {"+": 0.25}}
            limits: {default: {cost: [12.5/1d], sms: []}}
            """
        let file = try tool.file("carillon.yaml", Array(config.utf8))
        let rules = """
            version: 1
            workspace: vision
            contacts: {alice: {phone: "+8613800000001"}}
            rules:
              - {name: own, events: [job.failed], notify: [{sms: [alice]}]}
            """
        let applied = try tool.run(
            "rules", "apply", try tool.file("rules.yaml", Array(rules.utf8)), "--config", file)
        #expect(applied.code == 0, "\(applied.error)")
        try publish("a", arguments: ["--config", file])
        // Nobody listens there, so that it was charged and given back.
        let windows = try shown("--workspace", "vision").windows
        #expect(windows.map { $0["target"] as? String } == ["cost of vision"])
        #expect(windows.first?["limit"] as? Double == 12.5 && windows.first?["reserve"] as? Double == 2.5)
        #expect(windows.first?["used"] as? Double == 0)
        #expect(try tool.run("quota", "show").lines.contains { $0.hasPrefix("cost of vision") && $0.contains("12.5") })
    }

    @Test("500 failures to one contact are the quota's messages and one digest, listed, explained and summed up right")
    func digest() throws {
        try apply(
            """
            version: 1
            workspace: vision
            contacts: {alice: {quota: {inbox: [5/1h]}}}
            rules:
              - {name: own, events: [job.failed], order: none, notify: [{inbox: [alice], overflow: [digest]}]}
            """)
        let events = (0..<500).map { event("e\($0)") }.joined(separator: "\n")
        #expect(try tool.run("publish", "-", input: Array(events.utf8)).code == 0)
        #expect(try tool.run("worker", "--until-idle").code == 0)
        #expect(try rows("delivered") == 4 && rows("withheld") == 496)
        let listed = try tool.run("deliveries", "list", "--reason", "digest", "--limit", "1000", "-o", "json").out
        #expect(listed.components(separatedBy: #""state":"withheld""#).count == 497)
        let waiting = try tool.run("explain", "--event", "/test", "e499").out
        #expect(waiting.contains("withheld") && waiting.contains("inbox/alice: in a digest (opened "), "\(waiting)")
        #expect(waiting.contains("496 events so far), which is told when there is room"), "\(waiting)")
        #expect(try tool.run("verify").code == 0)
        #expect(
            try tool.run("quota", "reset", "--yes").lines
                == ["1 quotas are reset; 1 deliveries that waited are due now"])
        #expect(try tool.run("worker", "--until-idle").code == 0)
        #expect(try rows("delivered") == 5 && rows("withheld") == 496)
        let told = try tool.run("explain", "--event", "/test", "e499").out
        #expect(told.contains("inbox/alice: told by a digest of 496 events since "), "\(told)")
        #expect(told.contains("✓ own → inbox/alice: delivered"), "\(told)")
        let verified = try tool.run("verify")
        #expect(verified.code == 0 && verified.out.contains("500 selected = 500 notified + 0 suppressed"))
        let owed = try tool.run("replay", "--since", "1h", "--include-withheld", "--dry-run").lines
        #expect(owed.last?.hasPrefix("0 deliveries would be sent") == true, "\(owed)")
    }

    private func rows(_ state: String) throws -> Int {
        let listed = try tool.run("deliveries", "list", "--state", state, "--limit", "1000", "-o", "json").out
        return listed.components(separatedBy: "\"state\":\"\(state)\"").count - 1
    }
}
