import CarillonLedger
import Testing

@Suite("Ledger: a page of the inbox is there exactly when its delivery is delivered", .timeLimit(.minutes(5)))
struct InboxContract {
    @Test("a yes keeps its page, a second one changes nothing, and a failure keeps none", arguments: Backend.available)
    func pages(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(worker, Draft("a"))
        let id = try #require(births.first?.id)
        let row = try #require(try bed.open().deliveries(DeliveryFilter()).first)
        func settle(_ ending: Settlement.Ending, _ title: String) throws {
            let page = InboxPage(title: title, message: "m", severity: "info", url: nil)
            let settlement = Settlement(delivery: id, epoch: 1, ending: ending, page: page)
            try worker.live.settle([settlement], for: worker.session, now: bed.now)
        }
        func titles() throws -> [String] {
            try bed.open().inbox(of: row.target, in: row.workspace, limit: 10).map(\.page.title)
        }
        #expect(try titles() == [])
        try settle(.delivered, "first")
        #expect(try titles() == ["first"])
        try settle(.delivered, "second")
        #expect(try titles() == ["first"])
        #expect(try bed.open().inbox(of: row.target, in: row.workspace, limit: 10).first?.key == row.key)
        #expect(try bed.open().inbox(of: "inbox/eve", in: row.workspace, limit: 10).isEmpty)
        #expect(try bed.residue() == [])
        let other = try #require(try bed.decide(worker, Draft("b")).first?.id)
        let failed = Settlement(
            delivery: other, epoch: 1, ending: .dead, reason: "other",
            page: InboxPage(title: "never", message: "m", severity: "info"))
        try worker.live.settle([failed], for: worker.session, now: bed.now)
        #expect(try titles() == ["first"])
    }
}
