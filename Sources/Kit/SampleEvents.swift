public import CarillonEvents

/// One sample event with the parts that tests compare.
public struct SampleEvent: Sendable, Hashable {
    /// The event's identity.
    public let workspace, source, id: String
    /// What it says.
    public let type, subject: String
    /// When it happened.
    public let time: Timestamp
    /// As it is appended.
    public let encoded: EncodedEvent
}

/// An endless story of jobs in a few workspaces, the same for the same seed.
///
/// Jobs are queued, prepare, run, fail and retry, end; a few are arrays, preempted or stopped; now and then a node of
/// `_system` is lost. Events of one job come in the order of its life, jobs are interleaved.
public struct SampleEvents: Sequence, IteratorProtocol, Sendable {
    private struct Job: Sendable {
        let workspace, name, owner, kind: String
        let number, maxAttempts: Int
        let array: (id: String, index: Int, size: Int)?
        var attempt = 1
        var state = "job.queued"
    }
    private var random: SplitMix
    private var now: Timestamp
    private var jobs: [Job] = []
    private var started = 0
    private let workspaces: [String]
    private let concurrentJobs: Int

    /// Starts the story of `seed`.
    public init(
        seed: UInt64, workspaces: [String] = ["vision", "speech", "ranking"], concurrentJobs: Int = 12,
        from start: Timestamp = Timestamp(milliseconds: 1_767_600_000_000)
    ) {
        precondition(!workspaces.isEmpty && concurrentJobs > 0, "a story needs a workspace and a job")
        random = SplitMix(seed: seed)
        now = start
        self.workspaces = workspaces
        self.concurrentJobs = concurrentJobs
    }

    /// The next event of the story; never `nil`.
    public mutating func next() -> SampleEvent? {
        now = now + .milliseconds(Int.random(in: 1...40, using: &random))
        if random.once(in: 400) { return nodeLost() }
        while jobs.count < concurrentJobs { start() }
        let index = Int.random(in: 0..<jobs.count, using: &random)
        let event = event(of: jobs[index])
        if let next = successor(of: jobs[index]) { jobs[index] = next } else { jobs.remove(at: index) }
        return event
    }

    /// The next `count` events.
    public mutating func take(_ count: Int) -> [SampleEvent] { (0..<count).compactMap { _ in next() } }

    private mutating func start() {
        let workspace = workspaces[Int.random(in: 0..<workspaces.count, using: &random)]
        let owner = ["alice", "bob", "wei", "tony"][Int.random(in: 0..<4, using: &random)]
        let size = random.once(in: 8) ? Int.random(in: 2...5, using: &random) : 1
        let kind = ["dlc", "batch", "notebook"][Int.random(in: 0..<3, using: &random)]
        let most = Int.random(in: 1...3, using: &random)
        let first = started
        for index in 0..<size {
            jobs.append(
                Job(
                    workspace: workspace, name: "resnet-\(first)", owner: owner, kind: kind, number: started,
                    maxAttempts: most, array: size > 1 ? (id: "array-\(first)", index: index, size: size) : nil))
            started += 1
        }
    }

    /// The job one step on, `nil` when it is over.
    private mutating func successor(of job: Job) -> Job? {
        var job = job
        switch job.state {
        case "job.queued": job.state = random.once(in: 20) ? "job.stopped" : "job.preparing"
        case "job.preparing": job.state = "job.running"
        case "job.running", "job.preempted": ranOn(&job)
        case "job.retried":
            job.attempt += 1
            job.state = "job.running"
        default: return nil
        }
        return job
    }

    private mutating func ranOn(_ job: inout Job) {
        if job.state == "job.preempted" {
            job.state = "job.retried"
            return
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: job.state = "job.succeeded"
        case 5..<9: job.state = job.attempt < job.maxAttempts ? "job.retried" : "job.failed"
        default: job.state = "job.preempted"
        }
    }

    private func event(of job: Job) -> SampleEvent {
        let subject = "\(job.kind)-\(job.number)"
        var data = #""kind":"\#(job.kind)","name":"\#(job.name)","owner":"\#(job.owner)","attempt":\#(job.attempt)"#
        data += #","maxAttempts":\#(job.maxAttempts),"queue":"a100","priority":\#(job.number % 10)"#
        if let array = job.array {
            data += #","array":{"id":"\#(array.id)","index":\#(array.index),"size":\#(array.size)}"#
        }
        if job.state == "job.failed" || job.state == "job.retried" {
            data += #","final":\#(job.state == "job.failed"),"reason":"OOMKilled","exitCode":137"#
            data += #","message":"container \"trainer\" exceeded its limit of 64 GiB – 内存不足""#
        }
        let word = job.state.dropFirst("job.".count)
        return SampleEvent(
            workspace: job.workspace, source: "/schedulers/volcano-a", id: "\(subject)/\(job.attempt)/\(word)",
            type: job.state, subject: subject, time: now, data: data)
    }

    private mutating func nodeLost() -> SampleEvent {
        let node = "gpu-\(Int.random(in: 0..<64, using: &random))"
        return SampleEvent(
            workspace: "_system", source: "/schedulers/volcano-a", id: "\(node)/\(now.milliseconds)/lost",
            type: "node.lost", subject: node, time: now, data: #""node":"\#(node)","reason":"NotReady""#)
    }
}

extension SampleEvent {
    /// Makes an event of parts that need no escaping; `data` is the inside of a JSON object.
    public init(
        workspace: String, source: String = "/schedulers/test", id: String, type: String = "job.failed",
        subject: String, time: Timestamp = Timestamp(milliseconds: 1_767_600_000_000), data: String = ""
    ) {
        (self.workspace, self.source, self.id) = (workspace, source, id)
        (self.type, self.subject, self.time) = (type, subject, time)
        var json = #"{"specversion":"1.0","id":"\#(id)","source":"\#(source)","type":"\#(type)""#
        json += #","subject":"\#(subject)","time":"\#(rfc3339(time))","workspace":"\#(workspace)""#
        json += #","datacontenttype":"application/json","data":{\#(data)}}"#
        encoded = EncodedEvent(workspace: workspace, type: type, bytes: Array(json.utf8))
    }
}

/// A moment as RFC 3339 in UTC with milliseconds; the civil date by Hinnant's algorithm.
private func rfc3339(_ time: Timestamp) -> String {
    let (days, rest) = time.milliseconds.flooringQuotientAndRemainder(by: 86_400_000)
    let shifted = days + 719_468
    let era = shifted.flooringQuotientAndRemainder(by: 146_097).quotient
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let (seconds, thousandths) = (rest / 1000, rest % 1000)
    let date = "\(padded(year, to: 4))-\(padded(month, to: 2))-\(padded(day, to: 2))"
    let clock = "\(padded(seconds / 3600, to: 2)):\(padded(seconds / 60 % 60, to: 2)):\(padded(seconds % 60, to: 2))"
    return "\(date)T\(clock).\(padded(thousandths, to: 3))Z"
}

private func padded(_ number: Int64, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
}

extension Int64 {
    fileprivate func flooringQuotientAndRemainder(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
