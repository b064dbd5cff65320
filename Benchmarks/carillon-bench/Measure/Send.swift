import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonPlatform
import CarillonWorker

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a webhook for every event of a generated file, with neither stream nor ledger.",
        discussion: "What building, signing and carrying a request costs.")

    @Argument(help: "A file that generate wrote.")
    var events: String
    @Option(help: "Where to.")
    var url: String
    @Option(help: "Requests on the wire at a time.")
    var concurrency = 256

    func run() async throws {
        let file = try EventFile(path: events)
        let endpoint = Endpoint(
            name: "hook", url: url, method: "POST",
            secrets: [try WebhookSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], headers: [],
            verifiesTLS: true,
            channel: WebhookChannel())
        let (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let courier = CurlCourier(
            configuration: CurlCourier.Configuration(
                concurrency: concurrency, perLane: concurrency, exemptions: [try CIDR("127.0.0.0/8")]),
            clock: SystemClock()
        ) { bell.yield() }
        let meter = Meter()
        var (sent, ended, failed) = (0, 0, 0)
        bell.yield()
        for await _ in bells {
            for ending in courier.collect() {
                ended += 1
                if ending.outcome != .delivered { failed += 1 }
            }
            guard ended < file.events.count else { break }
            let next = min(file.events.count, ended + concurrency * 16)
            if next - sent >= concurrency || next == file.events.count {
                courier.offer(file.events[sent..<next].enumerated().map { outgoing(sent + $0, $1, to: endpoint) })
                sent = next
            }
        }
        try meter.report(rows: ended, [("failed", failed)])
        courier.close()
    }

    private func outgoing(_ number: Int, _ event: EncodedEvent, to endpoint: Endpoint) -> Outgoing {
        let notice = Notice(
            key: Key(high: UInt64(number), low: 0), workspace: event.workspace, rule: "all", severity: "warning",
            type: event.type, subject: event.member("\"subject\":\""), time: event.member("\"time\":\"") ?? "",
            title: "\(event.type)", message: "\(event.type)", event: event.bytes[...], traceparent: nil)
        return Outgoing(
            delivery: DeliveryID(number), epoch: 1, attempt: 1, lane: 1, notice: notice, endpoint: endpoint,
            leaseEnds: .seconds(1 << 40))
    }
}
