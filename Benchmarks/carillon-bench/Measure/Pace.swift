import ArgumentParser
import CarillonStream
import CarillonStreamSQLite

struct Pace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Appends events one by one at a steady rate, each stamped, so that the limits' sink can tell latencies.",
        discussion: """
            Each is durable before the next is begun, as an embedded producer would do it; or so many together.
            """)

    @Argument(help: "A file that generate wrote.")
    var events: String
    @Option(help: "The stream's file.")
    var stream: String
    @Option(help: "Events a second.")
    var rate = 100
    @Option(help: "How many.")
    var count = 1000
    @Option(help: "How many are made durable together.")
    var together = 1

    func validate() throws {
        guard rate >= 1, count >= 1, together >= 1 else {
            throw ValidationError("--rate, --count and --together are at least 1")
        }
    }

    func run() async throws {
        let file = try EventFile(path: events, atMost: count)
        let appender = try SQLiteStream.open(at: stream).appender()
        let meter = Meter()
        let clock = ContinuousClock()
        let began = clock.now
        for number in stride(from: 0, to: file.events.count, by: together) {
            try await clock.sleep(until: began + .seconds(number) / rate, tolerance: .zero)
            let sent = WallClock.nanoseconds()
            try appender.append(file.events[number...].prefix(together).map { $0.stamped(sent: sent) })
        }
        try meter.report(rows: file.events.count)
    }
}
