public import CarillonEvents
public import CarillonLedger
public import CarillonRules
public import CarillonStream
import Glibc
public import Logging
public import ServiceLifecycle
import Synchronization

/// One stateless worker: reads the stream, decides, delivers, until it is told to stop.
///
/// Everything it needs to go on is in the stream and the ledger, so it may die at any instruction. A graceful shutdown
/// drains: it stops reading, lets what is on the wire end, writes the endings, and leaves nothing leased.
public final class Worker: Service {
    /// What the deployment decides about a worker.
    public struct Configuration: Sendable {
        /// How the worker is called in `carillon status`.
        public var name = "worker"
        /// Requests on the wire at a time.
        public var concurrency = 256
        /// How many records are read and decided at a time, at most.
        public var batch = 5_000
        /// How long the ledger waits for a silent worker before others take over; a death is noticed at once.
        public var lease: Duration = .seconds(30)
        /// How long one try may take.
        public var timeout: Duration = .seconds(15)
        /// When a failed try is repeated, and until when.
        public var retry = RetrySchedule()
        /// Older events send nothing.
        public var maxEventAge: Duration = .seconds(86_400)
        /// Ends the worker once the stream is read to its end and nothing is leased or due.
        public var untilIdle = false
        /// By endpoint kind, what makes its channel.
        public var channels: [String: @Sendable (EndpointSpec) -> any Channel] = Channels.byDefault
        /// Which channels may carry which events.
        public var offer = ChannelOffer.everything
        /// How much may be sent.
        public var quotas = QuotaCeilings()
        /// Where people look at what an event is about, when it does not say; `nil` for nowhere.
        public var links: Links?
        /// Opens the secrets that the ledger keeps.
        public var secrets = SecretVault.keyless
        /// By the name of a channel that reaches people and that the deployment offers, the channel.
        public var people: [String: any Channel] = [:]
        /// The defaults of the deployment config.
        public init() {}
    }

    /// What a worker works with; made on the worker's own thread.
    public struct Parts {
        /// The ledger, used by this worker's thread alone.
        public var ledger: any Ledger
        /// The stream, likewise.
        public var reader: any StreamReader
        /// Where the worker's own events go, such as that an endpoint is down; `nil` for nowhere.
        public var appender: (any StreamAppender)?
        /// What hears of changes in the ledger; without it they are found by asking once a second.
        public var news: (any LedgerNews)?
        /// Makes a set of parts.
        public init(
            ledger: any Ledger, reader: any StreamReader, appender: (any StreamAppender)? = nil,
            news: (any LedgerNews)? = nil
        ) {
            (self.ledger, self.reader, self.appender, self.news) = (ledger, reader, appender, news)
        }
    }

    private let configuration: Configuration
    private let parts: @Sendable () throws -> Parts
    private let courier: @Sendable (@escaping @Sendable () -> Void) -> any Courier
    private let clock: any Clock
    private let logger: Logger
    private let crash: CrashPoints
    private let stop = StopSign()

    /// Makes a worker; nothing is opened before `run`.
    ///
    /// - Parameters:
    ///   - parts: opens the ledger and the stream; called on the worker's thread.
    ///   - courier: makes the courier, given what it calls when something ended.
    public init(
        configuration: Configuration, parts: @escaping @Sendable () throws -> Parts,
        courier: @escaping @Sendable (@escaping @Sendable () -> Void) -> any Courier, clock: any Clock, logger: Logger,
        crash: CrashPoints = .none
    ) {
        (self.configuration, self.parts, self.courier) = (configuration, parts, courier)
        (self.clock, self.logger, self.crash) = (clock, logger, crash)
    }

    /// Runs until a graceful shutdown, or until idle when it is configured so.
    ///
    /// - Throws: what made going on senseless: a ledger or stream that is missing, damaged or newer than this worker.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                _ = OwnThread {
                    OwnThread.blockBrokenPipes()
                    done.resume(with: Result { try self.work() })
                }
            }
        } onGracefulShutdown: {
            self.stop.raise()
        }
    }

    private func work() throws {
        guard let (parts, path) = try begin() else { return }
        let bell = parts.reader.doorbell
        let hasNews = Flag()
        defer { parts.news?.stop() }
        if let news = parts.news {
            // Nobody waits for its end: it may be connecting to a ledger that is away.
            _ = OwnThread {
                while news.wait() {
                    hasNews.raise()
                    bell.ring()
                }
            }
        }
        logger.info("worker is ready", metadata: ["session": "\(path.session.id)"])
        var patience = Patience()
        var wasAway = false
        while !stop.isRaised {
            do {
                if wasAway { try path.recover() }
                wasAway = false
                if hasNews.take() { path.lookAgain() }
                try path.turn()
                patience.reset()
                if configuration.untilIdle, try path.isIdle() { break }
            } catch {
                guard Patience.isWorthwhile(after: error) else { throw error }
                logger.error("\(error); trying again", metadata: ["in": "\(patience.next)"])
                wasAway = true
                patience.take()
            }
        }
        logger.info("worker drains")
        try path.drain()
        logger.info("worker has ended")
    }

    /// Opens everything, and waits for a ledger or a stream that is away: a worker may start before what it needs.
    ///
    /// - Returns: `nil` when it was told to stop meanwhile.
    private func begin() throws -> (Parts, Path)? {
        var patience = Patience()
        while !stop.isRaised {
            do { return try beginOnce() } catch {
                guard Patience.isWorthwhile(after: error) else { throw error }
                logger.error("\(error); trying again", metadata: ["in": "\(patience.next)"])
                patience.take()
            }
        }
        return nil
    }

    private func beginOnce() throws -> (Parts, Path) {
        let parts = try parts()
        let bell = parts.reader.doorbell
        let courier = courier { bell.ring() }
        do {
            let path = try Path(
                ledger: parts.ledger, reader: parts.reader, courier: courier, clock: clock,
                configuration: configuration, random: SystemRandomNumberGenerator(), logger: logger, crash: crash,
                appender: parts.appender)
            stop.onRaise { bell.ring() }
            return (parts, path)
        } catch {
            courier.close()
            parts.reader.close()
            throw error
        }
    }
}

/// Tells one thread what another found out.
private final class Flag: Sendable {
    private let isUp = Atomic(false)
    func raise() { isUp.store(true, ordering: .releasing) }
    /// Whether it was raised since the last look.
    func take() -> Bool { isUp.exchange(false, ordering: .acquiring) }
}

/// Tells a thread that blocks to stop.
private final class StopSign: Sendable {
    private struct State {
        var isRaised = false
        var action: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    var isRaised: Bool { state.withLock { $0.isRaised } }

    func raise() {
        let action = state.withLock { state in
            state.isRaised = true
            return state.action
        }
        action?()
    }

    func onRaise(_ action: @escaping @Sendable () -> Void) {
        let isRaised = state.withLock { state in
            state.action = action
            return state.isRaised
        }
        if isRaised { action() }
    }
}
