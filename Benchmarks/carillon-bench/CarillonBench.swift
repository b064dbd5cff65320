import ArgumentParser

/// Tools around Carillon's benchmarks and its demo.
///
/// Nothing here is part of `carillon` itself.
@main
struct CarillonBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carillon-bench",
        abstract: "Makes realistic job events and measures Carillon with them.",
        subcommands: [
            Generate.self, Append.self, Ask.self, Away.self, Pace.self, Scan.self, LedgerCost.self, Match.self,
            Work.self,
            Send.self, QueueTimes.self, Kafka.self,
            Report.self,
        ])
}
