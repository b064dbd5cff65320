import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonRules
import CarillonWorker
import Logging

/// One life of one worker process, over the world's stream and ledger.
final class Process {
    let number: Int
    let fate: Fate
    let ledger: FaultyLedger
    let reader: FaultyReader
    let courier: ManualCourier
    /// It is taken for dead by its group and does not know.
    var isZombie = false
    private let path: Path

    /// Starts a process; `nil` when it died while starting.
    init?(_ number: Int, in world: World, seed: UInt64) throws {
        self.number = number
        fate = Fate(seed: seed)
        ledger = FaultyLedger(world.ledger, fate, bug: world.bug, world.receiver, process: number)
        reader = FaultyReader(world.stream.reader(group: "carillon"), fate, world.clock)
        var configuration = Worker.Configuration()
        configuration.name = "process \(number)"
        configuration.concurrency = world.concurrency
        configuration.channels["webhook"] = { spec -> any Channel in
            if spec.name == OnceChannel.endpoint { OnceChannel() } else { WebhookChannel() }
        }
        configuration.quotas = Crowd.ceilings
        for channel in ["mail", "sms", "inbox"] { configuration.people[channel] = WebhookChannel() }
        courier = ManualCourier(seed: ~seed, clock: world.clock, timeout: configuration.timeout, fate: fate) {
            [receiver = world.receiver, clock = world.clock] in
            receiver.receive($0, from: number, isAnswered: $1, at: clock)
        }
        if world.isCalm { fate.calm() }
        if world.isCalm { courier.calm() }
        do {
            path = try Path(
                ledger: ledger, reader: reader, courier: courier, clock: world.clock, configuration: configuration,
                random: SplitMix(seed: seed ^ 0x5eed),
                logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() },
                crash: fate.crashPoints)
        } catch {
            guard fate.explains(error) else { throw error }
            world.bury(ledger, reader, courier, number)
            return nil
        }
    }

    /// One turn of its loop, as `Worker` takes it; whether it did anything.
    func turn() throws -> Bool {
        do {
            if wasAway { try path.recover() }
            wasAway = false
            return try path.turn(wait: false)
        } catch {
            guard fate.explains(error) else { throw error }
            wasAway = true
            return true
        }
    }
    /// The ledger or the stream was away at the last turn.
    private var wasAway = false

    func isIdle() throws -> Bool { try path.isIdle() }

    /// A graceful end; false when it died on the way.
    func drain() throws -> Bool {
        do { try path.drain() } catch {
            guard fate.explains(error) else { throw error }
            fate.kill(at: "drain: \(error)")
        }
        return fate.isAlive
    }

    func calm() {
        fate.calm()
        courier.calm()
    }
}

/// A channel that costs money: a try whose answer is lost is never repeated.
struct OnceChannel: Channel {
    /// The endpoint that has it.
    static let endpoint = "room"

    var name: String { "once" }
    var onAmbiguous: OnAmbiguous { .skip }
    func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        try WebhookChannel().request(for: outgoing, now: now)
    }
    func outcome(of answer: Response) -> Outcome { WebhookChannel().outcome(of: answer) }
}
