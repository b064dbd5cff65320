import CarillonLedgerPostgres
import CarillonLedgerSQLite
import PostgresServer
import Testing

@Suite("Ledger: any sequence of calls leaves what a simple model says", .timeLimit(.minutes(3)))
struct LedgerModelTests {
    @Test("the ledger agrees with the model after every step", arguments: UInt64(1)...240)
    func agrees(seed: UInt64) throws {
        let ledger = try SQLiteLedger.inMemory()
        var walk = try LedgerWalk(ledger, seed: seed) { ledger.die($0) }
        try walk.run(steps: 60)
    }

    @Test(
        "the ledger in PostgreSQL agrees with the model after every step",
        .enabled(if: Backend.available.contains(.postgres)), arguments: UInt64(1)...24)
    func agreesInPostgres(seed: UInt64) throws {
        let ledger = try PostgresLedger.create(at: PostgresServer.shared.get().freshURL())
        var walk = try LedgerWalk(ledger, seed: seed) { try ledger.die($0) }
        try walk.run(steps: 60)
    }
}
