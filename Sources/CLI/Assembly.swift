import CarillonEvents
import CarillonPlatform
import CarillonRules
import CarillonStream
import CarillonStreamKafka
import CarillonStreamSQLite
import CarillonWorker
import Foundation

// How a configuration becomes a stream and a worker; the ledger's part is in `LedgerChoice`.

extension Configuration {
    /// A door to the stream that is there; publishers never make one.
    func appender() throws(StreamError) -> any StreamAppender {
        switch stream.kind {
        case .sqlite: try SQLiteStream.open(at: stream.path).appender()
        case .kafka: try kafkaStream().appender()
        }
    }

    /// The earliest kept and the next offset of each partition of the stream that is there.
    func streamEnds() throws(StreamError) -> [StreamEnds] {
        switch stream.kind {
        case .sqlite: [try SQLiteStream.open(at: stream.path).ends()]
        case .kafka: try kafkaStream().ends()
        }
    }

    /// Makes the stream when it is not there: for workers and servers.
    func prepareStream() throws(StreamError) {
        switch stream.kind {
        case .sqlite: _ = try createStream()
        case .kafka: _ = try createKafkaStream()
        }
    }

    /// A member of the workers' group, for one thread.
    ///
    /// - Parameter isBrief: whether it leaves when it has read to the end.
    func reader(isBrief: Bool) throws(StreamError) -> any StreamReader {
        switch stream.kind {
        case .sqlite: try createStream().reader(group: worker.group)
        case .kafka:
            try createKafkaStream(settling: isBrief ? .zero : .seconds(2)).reader(group: worker.group)
        }
    }

    private func createStream() throws(StreamError) -> SQLiteStream {
        do throws(PlatformError) { try Folder.make(folder(of: stream.path)) } catch {
            throw StreamError(.other, doing: "make the folder of \(stream.path)", cause: error.cause)
        }
        return try SQLiteStream.create(at: stream.path, partitions: stream.partitions)
    }

    /// Removes what the stream no longer has to keep, a bounded number of records at a time.
    ///
    /// - Returns: whether there is more to remove.
    func trimStream() throws(StreamError) -> Bool {
        if stream.kind == .kafka { return false }  // the cluster's own business
        return try SQLiteStream.open(at: stream.path).retain(before: clock.now() - stream.retention) > 0
    }

    /// Reads the stream that is there beside its groups.
    func scanner() throws(StreamError) -> any StreamScanner {
        switch stream.kind {
        case .sqlite: try SQLiteStream.open(at: stream.path).scanner()
        case .kafka: try kafkaStream().scanner()
        }
    }

    private func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

extension Configuration {
    /// What workers and replays are told about this deployment.
    func workerSettings() throws -> CarillonWorker.Worker.Configuration {
        var settings = CarillonWorker.Worker.Configuration()
        settings.name = "\(ProcessInfo.processInfo.hostName):\(getpid())"
        settings.concurrency = worker.concurrency
        settings.batch = worker.batch
        settings.lease = worker.lease
        settings.timeout = delivery.timeout
        settings.retry = RetrySchedule(
            first: delivery.retryFirst, factor: delivery.retryFactor, max: delivery.retryMax,
            giveUpAfter: delivery.giveUpAfter)
        if let name = delivery.retrySchedule.flatMap({ RetrySchedule.Name(rawValue: $0) }) {
            settings.retry = RetrySchedule(name)
        }
        settings.links = links.isEmpty ? nil : try? Links(links)
        settings.maxEventAge = delivery.maxEventAge
        settings.offer = offer
        settings.quotas = ruleLimits.quotas
        return settings
    }

    /// The worker of this deployment.
    ///
    /// `CARILLON_CRASH_POINT=after_read:3` kills it where crash tests want it dead.
    func worker(untilIdle: Bool) throws -> CarillonWorker.Worker {
        let crash = try ProcessInfo.processInfo.environment["CARILLON_CRASH_POINT"].map { try CrashPoints(parsing: $0) }
        var settings = try workerSettings()
        settings.untilIdle = untilIdle
        let channels = try channelSettings()
        settings.channels = try Channels.kinds(channels)
        settings.people = try Channels.people(channels)
        settings.secrets = vault()
        let wire = try wire
        let configuration = self
        return CarillonWorker.Worker(
            configuration: settings,
            parts: {
                let ledger = try configuration.createLedger(crash: crash)
                return CarillonWorker.Worker.Parts(
                    ledger: ledger, reader: try configuration.reader(isBrief: untilIdle),
                    appender: try configuration.appender(),
                    news: try configuration.ledgerNews())
            },
            courier: { onEnding in
                TwoCouriers(
                    quick: CurlCourier(configuration: wire, clock: clock, onEnding: onEnding, crash: crash ?? .none),
                    slow: { CurlCourier(configuration: wire, clock: clock, onEnding: onEnding, crash: crash ?? .none) })
            },
            clock: clock,
            logger: Log.logger("carillon.worker"), crash: crash ?? .none)
    }
}

extension Configuration {
    private var wire: CurlCourier.Configuration {
        get throws {
            var wire = CurlCourier.Configuration(
                concurrency: worker.concurrency, perLane: max(1, worker.concurrency / 2), timeout: delivery.timeout,
                exemptions: try delivery.ssrfExempt.map { try CIDR($0) }, authorities: delivery.authorities)
            wire.proxy = try values.secret("delivery.proxy")?.clear
            if let proxy = wire.proxy, !["http://", "https://", "socks5h://"].contains(where: proxy.hasPrefix) {
                throw Failure("delivery.proxy begins with none of http://, https:// and socks5h://")
            }
            return wire
        }
    }

    /// Sends one marked message to an endpoint, as a worker would, and returns how that ended.
    func tryOut(_ spec: EndpointSpec, of workspace: String) async throws -> Ending {
        let ledger = try desk()
        let trial = try EndpointTrial(
            spec, of: workspace, ledger, channels: try Channels.kinds(channelSettings()), vault: vault(),
            now: clock.now())
        let wire = try wire
        return await trial.run { CurlCourier(configuration: wire, clock: clock, onEnding: $0) }
    }
}
