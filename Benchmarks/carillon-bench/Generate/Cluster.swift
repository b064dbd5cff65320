/// A cluster at work: bounded numbers of jobs and pipelines, each step moves one of them on.
///
/// Shares are rough memories of real clusters, not measurements: four jobs in five succeed, a tenth of the others runs
/// into a limit, nodes die seldom and take with them whatever ran there.
struct Cluster {
    /// How many jobs are under way at a time; bounds the memory.
    static let liveJobs = 1_500
    static let livePipelines = 24
    static let nodes = 64

    private var random: SplitMix
    private let workspaces: Int
    private let nodeFailureShare: Double
    private var jobs: [Job] = []
    private var pipelines: [PipelineRun] = []
    private var issued: UInt32
    private var nodeDown: (number: Int, incident: UInt32)?

    /// What the last step brought, in order.
    private(set) var happenings: [Happening] = []

    init(seed: UInt64, workspaces: Int, nodeFailuresPer10000 failures: Double) {
        random = SplitMix(seed: seed)
        issued = UInt32(truncatingIfNeeded: random.next())
        self.workspaces = workspaces
        nodeFailureShare = failures / 10_000
    }

    /// Lets one thing happen, with all that follows from it at once.
    mutating func step() {
        happenings.removeAll(keepingCapacity: true)
        if random.chance(nodeFailureShare) { return stepNode() }
        if random.chance(0.004) { return approveOrReject() }
        if random.chance(0.01) { return stepPipeline() }
        while jobs.count < Self.liveJobs { submit() }
        stepJob(random.below(jobs.count))
    }

    /// A number never issued before: an odd factor makes the count a permutation of all 32-bit numbers.
    private mutating func issue() -> UInt32 {
        issued &+= 1
        return issued &* 0x9e37_79b1
    }
}

// MARK: jobs

extension Cluster {
    private mutating func submit() {
        var job = makeJob(workspace: random.skewed(workspaces), owner: random.skewed(Vocabulary.owners.count))
        guard random.chance(0.01) else { return jobs.append(job) }
        let size = random.within(8...64)
        let id = issue()
        for index in 0..<size {
            job.number = issue()
            job.array = Job.Array(id: id, index: index, size: size)
            jobs.append(job)
        }
    }

    private mutating func makeJob(workspace: Int, owner: Int) -> Job {
        let queue = random.skewed(Vocabulary.queues.count)
        return Job(
            number: issue(), workspace: workspace, owner: owner, kind: random.skewed(Vocabulary.kinds.count),
            name: random.below(Vocabulary.names.count), queue: queue, node: random.below(Self.nodes),
            team: random.skewed(Vocabulary.workspaces.count), priority: random.within(1...9),
            gpus: 1 << random.below(4), maxAttempts: random.chance(0.6) ? 1 : random.within(2...4),
            spot: random.chance(0.2))
    }

    private mutating func stepJob(_ at: Int) {
        switch jobs[at].phase {
        case .submitted: move(at, to: .queued, Happening.Word("job.queued"))
        case .queued: stepQueued(at)
        case .bidding: move(at, to: .preparing, Happening.Word("job.preparing"))
        case .preparing: stepPreparing(at)
        case .running: stepRunning(at)
        case .hung: recover(at)
        case .failing: end(at, Happening.Word("job.failed", .timeLimit, isFinal: true))
        }
    }

    private mutating func stepQueued(_ at: Int) {
        switch random.below(100) {
        case 0: timeOut(at, limit: "queue")
        case 1: end(at, Happening.Word("job.stopped", .stopped, isFinal: true))
        case _ where jobs[at].spot: move(at, to: .bidding, Happening.Word("job.bidding"))
        default: move(at, to: .preparing, Happening.Word("job.preparing"))
        }
    }

    private mutating func stepPreparing(_ at: Int) {
        switch random.below(100) {
        case 0..<2: failAttempt(at, .ofPreparing)
        case 2: timeOut(at, limit: "prepare")
        default:
            jobs[at].node = random.below(Self.nodes)
            move(at, to: .running, Happening.Word("job.running"))
        }
    }

    private mutating func stepRunning(_ at: Int) {
        switch random.below(1000) {
        case 0..<120: failAttempt(at, Mishap.ofPrograms[random.below(Mishap.ofPrograms.count)])
        case 120..<140: timeOut(at, limit: "run")
        case 140..<(jobs[at].spot ? 240 : 150): preempt(at)
        case 240..<255: end(at, Happening.Word("job.stopped", .stopped, isFinal: true))
        case 255..<262: move(at, to: .hung, Happening.Word("job.hung", .hung))
        default: end(at, Happening.Word("job.succeeded", isFinal: true))
        }
    }

    private mutating func move(_ at: Int, to phase: Job.Phase, _ word: Happening.Word) {
        jobs[at].phase = phase
        happenings.append(.job(jobs[at], word))
    }

    private mutating func end(_ at: Int, _ word: Happening.Word) {
        happenings.append(.job(jobs[at], word))
        jobs.swapAt(at, jobs.count - 1)
        jobs.removeLast()
    }

    private mutating func failAttempt(_ at: Int, _ mishap: Mishap) {
        guard jobs[at].attempt < jobs[at].maxAttempts else {
            return end(at, Happening.Word("job.failed", mishap, isFinal: true))
        }
        happenings.append(.job(jobs[at], Happening.Word("job.retried", mishap, isFinal: false)))
        jobs[at].attempt += 1
        jobs[at].restarts = 0
        jobs[at].phase = .submitted
    }

    private mutating func timeOut(_ at: Int, limit: StaticString) {
        move(at, to: .failing, Happening.Word("job.timeout", .timeLimit, limit: limit))
        stepJob(at)
    }

    private mutating func preempt(_ at: Int) {
        happenings.append(.job(jobs[at], Happening.Word("job.preempted", .preempted)))
        jobs[at].restarts += 1
        jobs[at].phase = .submitted
    }

    private mutating func recover(_ at: Int) {
        happenings.append(.job(jobs[at], Happening.Word("job.recovered")))
        jobs[at].restarts += 1
        jobs[at].phase = .preparing
    }
}

// MARK: nodes, pipelines, models

extension Cluster {
    /// A node dies with all that runs there, or comes back.
    private mutating func stepNode() {
        if let down = nodeDown {
            happenings.append(.node(number: down.number, incident: down.incident, isDown: false))
            nodeDown = nil
            return
        }
        let (number, incident) = (random.below(Self.nodes), issue())
        nodeDown = (number, incident)
        happenings.append(.node(number: number, incident: incident, isDown: true))
        for at in jobs.indices.reversed() where jobs[at].node == number && jobs[at].phase == .running {
            end(at, Happening.Word("job.failed", .nodeFail, isFinal: true))
        }
    }

    private mutating func stepPipeline() {
        if pipelines.count < Self.livePipelines {
            pipelines.append(
                PipelineRun(
                    number: issue(), workspace: random.skewed(workspaces),
                    owner: random.skewed(Vocabulary.owners.count),
                    name: random.below(Vocabulary.pipelines.count), stepsLeft: random.within(1...4)))
        }
        let at = random.below(pipelines.count)
        if !pipelines[at].began {
            pipelines[at].began = true
            happenings.append(.pipeline(pipelines[at], "pipeline.running", driftPercent: nil))
        } else if pipelines[at].stepsLeft > 0 {
            pipelines[at].stepsLeft -= 1
            var job = makeJob(workspace: pipelines[at].workspace, owner: pipelines[at].owner)
            job.pipeline = pipelines[at].name
            jobs.append(job)
            stepJob(jobs.count - 1)
        } else {
            let type: StaticString = random.chance(0.85) ? "pipeline.succeeded" : "pipeline.failed"
            happenings.append(.pipeline(pipelines[at], type, driftPercent: random.below(40)))
            pipelines.swapAt(at, pipelines.count - 1)
            pipelines.removeLast()
        }
    }

    private mutating func approveOrReject() {
        happenings.append(
            .model(
                random.below(Vocabulary.models.count), workspace: random.skewed(workspaces),
                owner: random.skewed(Vocabulary.owners.count), version: issue(), isApproved: random.chance(0.7)))
    }
}
