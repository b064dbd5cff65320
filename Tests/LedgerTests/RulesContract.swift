import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger keeps rules and secrets: every backend keeps the contract", .timeLimit(.minutes(2)))
struct RulesContract {
    private func change(_ workspace: String, _ text: String?, living: [String: Set<String>] = [:]) -> RuleChange {
        RuleChange(
            workspace: workspace, sources: text.map { [SourceText(file: "rules.yaml", text: $0)] } ?? [], living: living
        )
    }

    @Test("each change is one revision more, for all its workspaces together", arguments: Backend.available)
    func revisions(backend: Backend) throws {
        let bed = try backend.make()
        let desk = try bed.open()
        #expect(try desk.revision() == 0)
        let first = try desk.apply([change("a", "1"), change("b", "1")], base: 0, keepPending: false, now: bed.now)
        #expect(first?.revision == 1)
        let second = try desk.apply([change("b", "2")], base: 1, keepPending: false, now: bed.now)
        #expect(second?.revision == 2)
        let sources = try desk.rules() as RuleSources
        #expect(sources.revision == 2)
        #expect(sources.workspaces.mapValues { $0.map(\.text) } == ["a": ["1"], "b": ["2"]])
        #expect(sources.changed == ["a": 1, "b": 2])
    }

    @Test("a change on top of rules that moved is refused whole", arguments: Backend.available)
    func baseMoved(backend: Backend) throws {
        let bed = try backend.make()
        let (one, other) = (try bed.open(), try bed.open())
        _ = try one.apply([change("a", "1")], base: 0, keepPending: false, now: bed.now)
        #expect(
            try other.apply([change("a", "2"), change("b", "1")], base: 0, keepPending: false, now: bed.now) == nil)
        #expect(try one.revision() == 1)
        #expect((try one.rules() as RuleSources).workspaces.keys.sorted() == ["a"])
    }

    @Test("what changed since a revision is read without the rest", arguments: Backend.available)
    func changedSince(backend: Backend) throws {
        let bed = try backend.make()
        let desk = try bed.open()
        for (base, changes) in [
            [change("a", "1"), change("b", "1")], [change("b", "2")], [change("a", nil), change("c", "3")],
            [change("c", "4")],
        ].enumerated() {
            _ = try desk.apply(changes, base: Revision(base), keepPending: false, now: bed.now)
        }
        func since(_ revision: Revision) throws -> [String: [String]] {
            try desk.rules(changedSince: revision).workspaces.mapValues { $0.map(\.text) }
        }
        #expect(try since(0) == ["a": [], "b": ["2"], "c": ["4"]])
        #expect(try since(1) == ["a": [], "b": ["2"], "c": ["4"]])
        #expect(try since(2) == ["a": [], "c": ["4"]])
        #expect(try since(3) == ["c": ["4"]])
        #expect(try since(4) == [:])
        let sources = try desk.rules(changedSince: 2)
        #expect(sources.revision == 4 && sources.changed == ["a": 3, "c": 4])
    }

    @Test("the rules that decided are found again at their revision", arguments: Backend.available)
    func history(backend: Backend) throws {
        let bed = try backend.make()
        let desk = try bed.open()
        for (base, text) in ["1", nil, "3"].enumerated() {
            _ = try desk.apply([change("a", text)], base: Revision(base), keepPending: false, now: bed.now)
        }
        let texts = try (0...9).map { try desk.rules(of: "a", at: Revision($0)).map(\.text) }
        #expect(texts == [[], ["1"], [], ["3"], ["3"], ["3"], ["3"], ["3"], ["3"], ["3"]])
        #expect(try desk.rules(of: "nobody", at: 3) == [])
    }

    @Test("removed rules and targets end what waits for them; the rest goes on", arguments: Backend.available)
    func ruleRemoved(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker,
            Draft("keep", subject: "1", rule: "kept", to: ["hook", "room"], wanted: false),
            Draft("gone", subject: "2", rule: "removed", wanted: false),
            Draft("sending", subject: "3", rule: "removed"), Draft("behind", subject: "3", rule: "kept", wanted: false),
            Draft("elsewhere", workspace: "speech", rule: "removed", wanted: false))
        let applied = try bed.open().apply(
            [change("vision", "x", living: ["kept": ["hook"]])], base: 0, keepPending: false, now: bed.now)
        #expect(applied?.expired == 2)
        #expect(try bed.states() == [.pending, .expired, .expired, .leased, .pending, .pending])
        let reasons = try bed.open().deliveries(DeliveryFilter(state: .expired)).map(\.reason)
        #expect(reasons == ["rule_removed", "rule_removed"])
        #expect(try bed.residue() == [])
        try bed.settle(worker, try #require(births[3].id), .delivered)
        #expect(try bed.claim(worker).deliveries.count == 3, "the kept, the one behind the sent, the other workspace's")
    }

    @Test("a removed head frees the one behind it", arguments: Backend.available)
    func removedHead(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker, Draft("a", rule: "removed", wanted: false), Draft("b", rule: "removed"), Draft("c", rule: "kept"))
        let applied = try bed.open().apply(
            [change("vision", "x", living: ["kept": ["hook"]])], base: 0, keepPending: false, now: bed.now)
        #expect(applied?.expired == 2)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [births[2].id])
        #expect(try bed.residue() == [])
    }

    @Test("keepPending keeps what waits", arguments: Backend.available)
    func keepPending(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", wanted: false))
        let applied = try bed.open().apply([change("vision", nil)], base: 0, keepPending: true, now: bed.now)
        #expect(applied?.expired == 0)
        #expect(try bed.claim(worker).deliveries.count == 1)
    }

    @Test(
        "what is on its way when its rule goes may end well; if it comes back it is over", arguments: Backend.available)
    func removedWhileLeased(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker, Draft("a", subject: "1", rule: "removed"), Draft("b", subject: "2", rule: "kept"))
        _ = try bed.open().apply(
            [change("vision", "x", living: ["kept": ["hook"]])], base: 0, keepPending: false, now: bed.now)
        for delivery in births.compactMap(\.id) { try bed.settle(worker, delivery, .retry(at: bed.now)) }
        let claimed = try bed.claim(worker).deliveries
        #expect(claimed.count == 2)
        for one in claimed { #expect((one.expires == .removed) == (one.rule == "removed")) }
    }

    @Test(
        "secrets are kept as bytes, by workspace and name; setting and removing one is a revision",
        arguments: Backend.available)
    func secrets(backend: Backend) throws {
        let bed = try backend.make()
        let (desk, worker) = (try bed.open(), try bed.open())
        #expect(try worker.secret("key", of: "a") == nil)
        try desk.setSecret("key", of: "a", to: [0, 255, 10], now: bed.now)
        try desk.setSecret("empty", of: "a", to: [], now: bed.now)
        #expect(try worker.secret("key", of: "a") == [0, 255, 10])
        #expect(try worker.secret("empty", of: "a") == [])
        #expect(try worker.secret("key", of: "b") == nil)
        #expect(try worker.revision() == 2)
        bed.clock.advance(by: .seconds(1))
        try desk.setSecret("key", of: "a", to: [1], now: bed.now)
        #expect(try worker.secret("key", of: "a") == [1])
        let listed = try desk.secrets(of: "a")
        #expect(listed.map(\.name) == ["empty", "key"])
        #expect(listed.last?.set == bed.now)
        #expect(try desk.removeSecret("key", of: "a", now: bed.now))
        #expect(try desk.removeSecret("key", of: "a", now: bed.now) == false)
        #expect(try worker.secret("key", of: "a") == nil)
        #expect(try worker.revision() == 4)
    }

    @Test("a secret is kept in other bytes unless somebody has set it meanwhile", arguments: Backend.available)
    func replacedSecrets(backend: Backend) throws {
        let bed = try backend.make()
        let (desk, worker) = (try bed.open(), try bed.open())
        try desk.setSecret("key", of: "b", to: [1], now: bed.now)
        try desk.setSecret("key", of: "a", to: [2], now: bed.now)
        let set = bed.now
        bed.clock.advance(by: .seconds(1))
        let stored = try desk.storedSecrets()
        #expect(stored.map(\.secret) == [SecretName("key", of: "a"), SecretName("key", of: "b")])
        #expect(stored.map(\.value) == [[2], [1]])
        #expect(try desk.replaceSecret(stored[0], with: [0, 9]))
        #expect(try desk.replaceSecret(stored[0], with: [7]) == false, "it is not as it was")
        #expect(try worker.secret("key", of: "a") == [0, 9])
        #expect(try worker.secret("key", of: "b") == [1])
        #expect(try desk.secrets(of: "a").first?.set == set)
        #expect(try worker.revision() == 2)
    }
}
