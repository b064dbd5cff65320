import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonPlatform
import CarillonWorker

struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a webhook for every event of a generated file, with neither stream nor ledger.",
        discussion: "What building, signing and carrying a request costs.")

    @Argument(help: "A file that generate wrote.")
    var events: String
    @Option(help: "Where to.")
    var url: String
    @Option(help: "Requests on the wire at a time.")
    var concurrency = 256

    func run() throws {
        let file = try EventFile(path: events)
        let endpoint = Endpoint(
            name: "hook", url: url, method: "POST",
            secrets: [try WebhookSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], headers: [],
            verifiesTLS: true,
            channel: WebhookChannel())
        let deliveries = file.events.enumerated().map { outgoing($0, $1, to: endpoint) }
        let bell = try BellWatch(files: [])
        let courier = CurlCourier(
            configuration: CurlCourier.Configuration(
                concurrency: concurrency, perLane: concurrency, exemptions: [try CIDR("127.0.0.0/8")]),
            clock: SystemClock()
        ) { bell.ring() }
        let meter = Meter()
        var (sent, ended, failed) = (0, 0, 0)
        while ended < deliveries.count {
            let endings = courier.collect()
            courier.settled(endings.count)
            ended += endings.count
            failed += endings.count { $0.outcome != .delivered }
            let next = min(deliveries.count, ended + concurrency * 16)
            if next - sent >= concurrency || next == deliveries.count {
                courier.offer(Array(deliveries[sent..<next]))
                sent = next
            }
            if endings.isEmpty { _ = bell.wait(milliseconds: 1000) }
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
