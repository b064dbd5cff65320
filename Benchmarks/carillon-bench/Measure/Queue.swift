import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonStreamSQLite
import CarillonWorker
import Synchronization

struct QueueTimes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Runs a real worker in this process for some time and writes how long each delivery waited in it.",
        discussion: """
            A line for each delivery's first try: when it was published (as `pace` stamped it), microseconds until it was \
            begun, microseconds of them since it was offered to the courier, and its workspace.
            """)

    @Option(help: "The stream's file.")
    var stream: String
    @Option(help: "The ledger's file; made when it is missing.")
    var ledger: String
    @Option(help: "A folder of rule documents, one workspace a file.")
    var rules: String
    @Option(help: "Requests on the wire at a time.")
    var concurrency = 256
    @Option(help: "How long, in seconds.")
    var seconds: Int
    @Option(help: "The file to write.")
    var out: String

    func run() throws {
        let watch = QueueWatch()
        let reader = try SQLiteStream.open(at: stream).reader(group: "carillon-bench-\(WallClock.nanoseconds())")
        let rehearsal = try Rehearsal(
            reader: reader, ledger: ledger, rules: rules, concurrency: concurrency, watch: watch)
        try rehearsal.run(for: .seconds(seconds))
        let waits = watch.taken()
        var text = ""
        for wait in waits {
            let (whole, queued) = ((wait.begun - wait.sent) / 1000, (wait.begun - wait.offered) / 1000)
            text += "\(wait.sent) \(whole) \(queued) \(wait.workspace)\n"
        }
        try Output(path: out).write(Array(text.utf8))
        try StandardOutput.say("{\"deliveries\":\(waits.count)}")
        _ = try rehearsal.close()
    }
}

/// When deliveries are offered to the courier, and when it begins their first try.
final class QueueWatch: Sendable {
    struct Wait {
        let sent, offered, begun: Int64
        let workspace: String
    }
    private struct State {
        var offered: [DeliveryID: Int64] = [:]
        var waits: [Wait] = []
    }
    private let state = Mutex(State())

    func offer(_ deliveries: [Outgoing]) {
        let now = WallClock.nanoseconds()
        state.withLock { state in
            for delivery in deliveries where delivery.attempt == 1 { state.offered[delivery.delivery] = now }
        }
    }

    func begin(_ outgoing: Outgoing) {
        guard outgoing.attempt == 1, let sent = outgoing.notice.event.sent else { return }
        let now = WallClock.nanoseconds()
        state.withLock { state in
            guard let offered = state.offered.removeValue(forKey: outgoing.delivery) else { return }
            state.waits.append(
                Wait(sent: sent, offered: offered, begun: now, workspace: outgoing.notice.workspace))
        }
    }

    func taken() -> [Wait] { state.withLock(\.waits) }
}

/// A courier that tells when it is offered something.
final class WatchedCourier: Courier {
    private let courier: any Courier
    private let watch: QueueWatch

    init(_ courier: any Courier, _ watch: QueueWatch) { (self.courier, self.watch) = (courier, watch) }

    func offer(_ deliveries: [Outgoing]) {
        watch.offer(deliveries)
        courier.offer(deliveries)
    }
    func collect() -> [Ending] { courier.collect() }
    func settled(_ tries: Int) { courier.settled(tries) }
    func withdraw(_ lane: Int64) { courier.withdraw(lane) }
    func drain() { courier.drain() }
    func close() { courier.close() }
}

/// A webhook that tells when its request is made: the courier does that when it begins the try.
struct WatchedChannel: Channel {
    private let channel: WebhookChannel
    private let watch: QueueWatch

    init(_ channel: WebhookChannel, _ watch: QueueWatch) { (self.channel, self.watch) = (channel, watch) }

    var name: String { channel.name }
    func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        watch.begin(outgoing)
        return try channel.request(for: outgoing, now: now)
    }
    func outcome(of answer: Response) -> Outcome { channel.outcome(of: answer) }
}
