import CarillonEvents
import CarillonPlatform
import CarillonStream
import CarillonStreamSQLite
import CarillonWorker
import Foundation

// How a configuration becomes a stream and a worker; the ledger's part is in `LedgerChoice`.

extension Configuration {
    /// A door to the stream that is there; publishers never make one.
    func appender() throws(StreamError) -> any StreamAppender { try SQLiteStream.open(at: stream.path).appender() }

    /// The earliest kept and the next offset of each partition of the stream that is there.
    func streamEnds() throws(StreamError) -> StreamEnds {
        try SQLiteStream.open(at: stream.path).ends()
    }

    /// Opens the stream, making it when it is not there: for workers and servers.
    func createStream() throws(StreamError) -> SQLiteStream {
        do throws(PlatformError) { try Folder.make(folder(of: stream.path)) } catch {
            throw StreamError(.other, doing: "make the folder of \(stream.path)", cause: error.cause)
        }
        return try SQLiteStream.create(at: stream.path, partitions: stream.partitions)
    }

    /// Removes what the stream no longer has to keep, a bounded number of records at a time.
    ///
    /// - Returns: whether there is more to remove.
    func trimStream() throws(StreamError) -> Bool {
        try SQLiteStream.open(at: stream.path).retain(before: clock.now() - stream.retention) > 0
    }

    private func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

extension Configuration {
    /// The worker of this deployment.
    ///
    /// `CARILLON_CRASH_POINT=after_read:3` kills it where crash tests want it dead.
    func worker(untilIdle: Bool) throws -> CarillonWorker.Worker {
        let crash = try ProcessInfo.processInfo.environment["CARILLON_CRASH_POINT"].map { try CrashPoints(parsing: $0) }
        var settings = CarillonWorker.Worker.Configuration()
        settings.name = "\(ProcessInfo.processInfo.hostName):\(getpid())"
        settings.concurrency = worker.concurrency
        settings.batch = worker.batch
        settings.lease = worker.lease
        settings.timeout = delivery.timeout
        settings.retry = RetrySchedule(
            first: delivery.retryFirst, factor: delivery.retryFactor, max: delivery.retryMax,
            giveUpAfter: delivery.giveUpAfter)
        settings.maxEventAge = delivery.maxEventAge
        settings.untilIdle = untilIdle
        let exemptions = try delivery.ssrfExempt.map { try CIDR($0) }
        let wire = CurlCourier.Configuration(
            concurrency: worker.concurrency, perLane: max(1, worker.concurrency / 2), timeout: delivery.timeout,
            exemptions: exemptions)
        let configuration = self
        return CarillonWorker.Worker(
            configuration: settings,
            parts: {
                let ledger = try configuration.createLedger(crash: crash)
                let reader = try configuration.createStream().reader(group: configuration.worker.group)
                return CarillonWorker.Worker.Parts(ledger: ledger, reader: reader)
            },
            courier: { CurlCourier(configuration: wire, clock: clock, onEnding: $0, crash: crash ?? .none) },
            clock: clock,
            logger: Log.logger("carillon.worker"), crash: crash ?? .none)
    }
}
