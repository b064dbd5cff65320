/// The words for what happens to jobs, pipelines, models and nodes.
///
/// Any other type is carried and can be matched.
public enum Lifecycle {
    /// The workspace of events that belong to no tenant: nodes and the cluster.
    public static let systemWorkspace = "_system"

    /// Types of events about one job.
    public enum Job {
        /// It is over and did what it should.
        public static let succeeded = "job.succeeded"
        /// It is over and did not; a job killed by its limit is this, with `reason: TimeLimit`.
        public static let failed = "job.failed"
        /// It is over because someone ended it.
        public static let stopped = "job.stopped"
        /// It waits for resources.
        public static let queued = "job.queued"
        /// It bids for spot resources.
        public static let bidding = "job.bidding"
        /// Its resources are being made ready.
        public static let preparing = "job.preparing"
        /// It runs.
        public static let running = "job.running"
        /// Its resources went to a job that matters more.
        public static let preempted = "job.preempted"
        /// An attempt failed and another follows.
        public static let retried = "job.retried"
        /// Automatic fault tolerance acted.
        public static let recovered = "job.recovered"
        /// It makes no progress.
        public static let hung = "job.hung"
        /// It is over and its resources are kept.
        public static let retained = "job.retained"
        /// It crossed a limit, named in `data.limit` (`queue`, `prepare`, `wait`, `run`).
        public static let timeout = "job.timeout"

        /// All of them; those that end a job come first.
        public static let all = [
            succeeded, failed, stopped, queued, bidding, preparing, running, preempted, retried, recovered, hung,
            retained, timeout,
        ]
    }

    /// Types of events about one pipeline: the words of jobs.
    public enum Pipeline {
        /// It is over and did what it should.
        public static let succeeded = "pipeline.succeeded"
        /// It is over and did not.
        public static let failed = "pipeline.failed"
        /// It is over because someone ended it.
        public static let stopped = "pipeline.stopped"

        /// All words a pipeline shares with jobs; those that end it come first.
        public static let all = Job.all.map { "pipeline" + $0.dropFirst("job".count) }
    }

    /// Types of events about one version of a model.
    public enum Model {
        /// Someone let it through.
        public static let approved = "model.approved"
        /// Someone turned it down.
        public static let rejected = "model.rejected"

        /// All of them.
        public static let all = [approved, rejected]
    }

    /// Whether a job or pipeline is over with an event of this type.
    public static func ends(_ type: String) -> Bool {
        [Job.succeeded, Job.failed, Job.stopped, Pipeline.succeeded, Pipeline.failed, Pipeline.stopped].contains(type)
    }
}
