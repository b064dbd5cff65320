import ArgumentParser
import CarillonLedger

struct Work: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a real worker in this process until it is idle and prints the cost of a delivery.",
        discussion: "What `carillon worker --until-idle` does, without configuration, logs and metrics: for profilers.")

    @Option(help: "The stream's file.")
    var stream: String
    @Option(help: "The ledger's file; made when it is missing.")
    var ledger: String
    @Option(help: "A folder of rule documents; every secret they name is set to the same value.")
    var rules: String
    @Option(help: "Requests on the wire at a time.")
    var concurrency = 256

    func run() throws {
        let rehearsal = try Rehearsal(stream: stream, ledger: ledger, rules: rules, concurrency: concurrency)
        let meter = Meter()
        try rehearsal.runUntilIdle()
        let taken = meter.taken()
        let counted = try rehearsal.close()
        try taken.report(rows: Int(counted.deliveries["delivered"] ?? 0), [("residue", counted.residue.count)])
    }
}
