import Testing

@Suite("Ledger: any sequence of calls leaves what a simple model says", .timeLimit(.minutes(3)))
struct LedgerModelTests {
    @Test("the ledger agrees with the model after every step", arguments: UInt64(1)...240)
    func agrees(seed: UInt64) throws {
        var walk = try LedgerWalk(seed: seed)
        try walk.run(steps: 60)
    }
}
