import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger's desk: every backend keeps the contract", .timeLimit(.minutes(2)))
struct DeskContract {
    // Retry and cancel by hand

    @Test(
        "dead, expired and cancelled deliveries are reopened with a new round; attempts go on",
        arguments: Backend.available,
        [DeliveryState.dead, .expired, .cancelled])
    func reopen(backend: Backend, state: DeliveryState) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        let began = bed.now
        try bed.settle(worker, id, .retry(at: bed.now))
        switch state {
        case .cancelled: #expect(try bed.open().cancel(DeliveryFilter(), now: bed.now) == 1)
        default:
            _ = try bed.claim(worker)
            try bed.settle(worker, id, epoch: 2, state == .dead ? .dead : .expired)
        }
        #expect(try bed.states() == [state])
        let before = try bed.open().attempts(of: id).count
        bed.clock.advance(by: .seconds(30 * 86_400))
        #expect(try bed.open().retry(DeliveryFilter(state: state), now: bed.now) == 1)
        let again = try #require(try bed.claim(worker).deliveries.first)
        #expect(again.delivery == id)
        #expect(again.roundBegan == bed.now)
        #expect(again.expires >= bed.now + (.seconds(86_400)), "it would expire before it is sent")
        #expect(again.attempts == before)
        #expect(again.expires > began)
        #expect(try bed.residue() == [])
    }

    @Test(
        "a waiting retry is due at once when it is asked for; delivered and leased ones are left alone",
        arguments: Backend.available)
    func retryWaiting(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a", subject: "1"), Draft("b", subject: "2"), Draft("c", subject: "3"))
            .compactMap(\.id)
        try bed.settle(worker, ids[0], .retry(at: bed.now + .seconds(600)))
        try bed.settle(worker, ids[1], .delivered)
        #expect(try bed.open().retry(DeliveryFilter(), now: bed.now) == 1)
        #expect(try bed.states() == [.pending, .delivered, .leased])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[0]])
    }

    @Test(
        "of a pair never two are leased at once, also when an earlier one is reopened", arguments: Backend.available,
        ["waiting", "leased"])
    func reopenedPair(backend: Backend, later: String) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b", wanted: false)).compactMap(\.id)
        try bed.settle(worker, ids[0], .dead)
        var leased = later == "leased" ? try bed.claim(worker).deliveries : []
        #expect(try bed.open().retry(DeliveryFilter(state: .dead), now: bed.now) == 1)
        leased += try bed.claim(worker).deliveries
        #expect(leased.count == 1, "both are on their way together: \(leased.map(\.delivery))")
        #expect(try bed.residue() == [])
        while let one = leased.popLast() {
            try bed.settle(worker, one.delivery, epoch: one.epoch, .delivered)
            leased += try bed.claim(worker).deliveries
        }
        #expect(try bed.states() == [.delivered, .delivered], "one of them waits for ever")
    }

    @Test(
        "one reopened by hand waits until all of its pair that are in a worker's hands have ended",
        arguments: Backend.available)
    func reopenedBeforeFollowers(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let old = try #require(try bed.decide(worker, Draft("old")).first?.id)
        try bed.settle(worker, old, .dead)
        let ids = try bed.decide(worker, Draft("a"), Draft("b")).compactMap(\.id)
        #expect(try bed.open().retry(DeliveryFilter(state: .dead), now: bed.now) == 1)
        #expect(try bed.decide(worker, Draft("c")).map(\.isLeased) == [false], "the reopened one waits before it")
        for id in ids {
            #expect(try bed.claim(worker).deliveries.isEmpty)
            try bed.settle(worker, id, .delivered)
        }
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [old])
        #expect(try bed.residue() == [])
    }

    @Test(
        "cancelling ends what waits, frees what stood behind it, and leaves what is on its way",
        arguments: Backend.available)
    func cancel(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(
            worker, Draft("a", rule: "x", wanted: false), Draft("b", rule: "y"), Draft("c", subject: "2", rule: "x")
        ).compactMap(\.id)
        #expect(try bed.open().cancel(DeliveryFilter(rule: "x"), now: bed.now) == 1)
        #expect(try bed.states() == [.cancelled, .pending, .leased])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[1]])
        #expect(try bed.residue() == [])
    }

    // Listing

    @Test("each filter means what it says, and together they narrow", arguments: Backend.available)
    func filters(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", subject: "1", rule: "x", to: ["hook"]))
        bed.clock.advance(by: .seconds(60))
        let middle = bed.now
        try bed.decide(worker, Draft("b", workspace: "speech", subject: "1", rule: "x", to: ["mail/alice"]))
        try bed.decide(worker, Draft("c", subject: "2", rule: "y", to: ["mail/alice", "sms/bob"]))
        try bed.settle(worker, 1, .delivered)
        func count(_ filter: DeliveryFilter) throws -> Int { try bed.open().deliveries(filter).count }
        #expect(try count(DeliveryFilter()) == 4)
        #expect(try count(DeliveryFilter(workspace: "vision")) == 3)
        #expect(try count(DeliveryFilter(rule: "x")) == 2)
        #expect(try count(DeliveryFilter(subject: "1")) == 2)
        #expect(try count(DeliveryFilter(contact: "alice")) == 2)
        #expect(try count(DeliveryFilter(contact: "mail/alice")) == 2)
        #expect(try count(DeliveryFilter(contact: "hook")) == 1)
        #expect(try count(DeliveryFilter(state: .delivered)) == 1)
        #expect(try count(DeliveryFilter(since: middle)) == 3)
        #expect(try count(DeliveryFilter(workspace: "vision", rule: "y", contact: "bob")) == 1)
        #expect(try count(DeliveryFilter(workspace: "speech", rule: "y")) == 0)
        #expect(try count(DeliveryFilter(limit: 2)) == 2)
        #expect(try count(DeliveryFilter(reason: "serverError")) == 0)
        try bed.settle(worker, 2, .dead, reason: "serverError")
        #expect(try bed.open().deliveries(DeliveryFilter(reason: "serverError")).map(\.id) == [2])
        let key = Key.delivery(event: Draft("a").key, rule: "x", target: "hook")
        #expect(try bed.open().deliveries(DeliveryFilter(key: key)).map(\.id) == [1])
        #expect(try bed.open().deliveries(DeliveryFilter()).map(\.id) == [4, 3, 2, 1], "newest first")
    }

    @Test("what was suppressed is listed with event, rule and reason; filters narrow it", arguments: Backend.available)
    func suppressed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", subject: "1", rule: "x", suppressed: .stale), Draft("sent", subject: "9"))
        bed.clock.advance(by: .seconds(60))
        let middle = bed.now
        try bed.decide(worker, Draft("b", workspace: "speech", subject: "2", rule: "y", suppressed: .expired))
        func list(_ filter: DeliveryFilter) throws -> [String] {
            try bed.open().suppressed(filter).map { "\($0.workspace) \($0.rule) \($0.subject ?? "-") \($0.reason)" }
        }
        let (a, b) = ("vision x 1 stale", "speech y 2 expired")
        #expect(try list(DeliveryFilter()) == [b, a], "newest first")
        #expect(try list(DeliveryFilter(workspace: "vision")) == [a])
        #expect(try list(DeliveryFilter(rule: "y")) == [b])
        #expect(try list(DeliveryFilter(subject: "1")) == [a])
        #expect(try list(DeliveryFilter(reason: "expired")) == [b])
        #expect(try list(DeliveryFilter(since: middle)) == [b])
        #expect(try list(DeliveryFilter(limit: 1)) == [b])
        #expect(try list(DeliveryFilter(contact: "hook")) == [])
        #expect(try list(DeliveryFilter(state: .dead)) == [])
        let row = try #require(try bed.open().suppressed(DeliveryFilter(rule: "y")).first)
        #expect(row.event == Draft("b").bytes && row.decidedAt == middle.milliseconds && row.type == "job.failed")
    }

    @Test("a touch changes nothing that anybody counts", arguments: Backend.available)
    func touch(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a"))
        let before = try bed.open().revision()
        try bed.open().touch(now: bed.now)
        try bed.open().touch(now: bed.now)
        #expect(try bed.open().revision() == before)
        #expect(try bed.residue() == [])
    }

    @Test("a contact's name is a name, not a pattern", arguments: Backend.available, ["a_b", "%", "ALICE", "axb"])
    func contactIsNoPattern(backend: Backend, asked: String) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", to: ["mail/axb", "mail/alice"]))
        let found = try bed.open().deliveries(DeliveryFilter(contact: asked)).map(\.target)
        #expect(found == (asked == "axb" ? ["mail/axb"] : []))
    }

    @Test("a row says who, what, where and when", arguments: Backend.available)
    func row(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let decided = bed.now
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        let due = bed.now + .seconds(9)
        try bed.settle(worker, id, .retry(at: due), reason: "serverError")
        let row = try #require(try bed.open().deliveries(DeliveryFilter()).first)
        #expect((row.id, row.workspace, row.rule, row.target) == (id, "vision", "failures", "hook"))
        #expect((row.type, row.subject, row.state, row.attempts) == ("job.failed", "job-1", .pending, 1))
        #expect((row.reason, row.decidedAt, row.dueAt) == ("serverError", decided.milliseconds, due.milliseconds))
        #expect(row.settledAt == nil)
        #expect(Key(row.key) == Key.delivery(event: Draft("a").key, rule: "failures", target: "hook"))
        #expect(try bed.open().event(of: id) == Draft("a").bytes)
        #expect(try bed.open().event(of: 4711) == nil)
    }

    @Test("status counts what there is", arguments: Backend.available)
    func status(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let empty = try bed.open().status(now: bed.now)
        #expect(empty.oldestPending == nil && empty.positions.isEmpty && empty.parked == 0)
        let began = bed.now
        try bed.decide(worker, Draft("a", subject: "1"))
        bed.clock.advance(by: .seconds(5))
        let ids = try bed.decide(worker, Draft("b", subject: "2"), Draft("c", subject: "3", wanted: false)).compactMap(
            \.id)
        try bed.settle(worker, ids[0], .delivered)
        let status = try bed.open().status(now: bed.now)
        #expect(status.deliveries.filter { $0.value != 0 } == ["leased": 1, "delivered": 1, "pending": 1])
        #expect(status.oldestPending == began.milliseconds)
        #expect(status.positions.map(\.next) == [3])
        #expect(status.revision == 0)
    }
}
