/// The names a cluster is made of.
enum Vocabulary {
    static let workspaces = [
        "vision", "ranking", "speech", "search-ads", "nlp-platform", "recsys", "genomics", "robotics", "risk",
        "translation", "weather", "finance-ml",
    ]
    static let owners = [
        "alice", "wei", "tony", "alan", "li.na", "priya", "chen.jie", "marta", "yusuf", "sven", "grace", "diego",
    ]
    static let kinds: [StaticString] = ["dlc", "dsw", "ray", "spark", "mpi", "eas"]
    static let names: [StaticString] = [
        "resnet-50-imagenet", "train-bert-large", "train-two-tower-ranker", "eval-whisper-medium", "finetune-llama-8b",
        "train-yolo-v8-traffic", "batch-embed-products", "hyperopt-ctr-model", "train-wav2vec-zh",
        "sweep-learning-rate",
        "data-prep-clickstream", "distill-student-v3", "train-unet-segmentation", "simulate-grasping-arm",
    ]
    static let schedulers: [StaticString] = [
        "/schedulers/volcano-a", "/schedulers/volcano-b", "/schedulers/kueue-1", "/slurm/hpc-east",
    ]
    static let queues: [StaticString] = ["a100", "h800", "l20", "cpu-large"]
    static let pools: [StaticString] = ["a100-east", "h800-north", "l20-west", "cpu-east"]
    static let frameworks: [StaticString] = ["pytorch", "tensorflow", "jax", "megatron"]
    static let pipelines: [StaticString] = [
        "nightly-features", "hourly-ctr-refresh", "weekly-retrain", "daily-quality-report",
    ]
    static let models: [StaticString] = ["ctr-ranker", "speech-zh", "traffic-detector", "fraud-score"]

    /// The names of `count` workspaces: numbered behind a prefix when there is one, else known words, then `team-N`.
    static func workspaces(_ count: Int, prefix: String?) -> [String] {
        if let prefix { return (0..<count).map { "\(prefix)\($0)" } }
        return (0..<count).map { $0 < workspaces.count ? workspaces[$0] : "team-\($0 + 1)" }
    }
}

/// Why an attempt ended badly, in the scheduler's words.
struct Mishap {
    let reason: StaticString
    let message: StaticString
    let exitCode: Int

    static let ofPrograms = [
        Mishap(reason: "OOMKilled", message: "container exceeded its memory limit", exitCode: 137),
        Mishap(reason: "Error", message: "RuntimeError: CUDA error: out of memory", exitCode: 1),
        Mishap(reason: "Error", message: "ValueError: loss is NaN at step 20480", exitCode: 1),
        Mishap(reason: "NCCLTimeout", message: "Watchdog caught collective operation timeout", exitCode: 134),
        Mishap(reason: "Error", message: "显存不足，训练进程退出", exitCode: 1),
        Mishap(reason: "Error", message: "FileNotFoundError: \\\"/data/train.parquet\\\"", exitCode: 2),
    ]
    static let ofPreparing = Mishap(
        reason: "ImagePullBackOff", message: "image could not be pulled from the registry", exitCode: 125)
    static let timeLimit = Mishap(reason: "TimeLimit", message: "the job reached its time limit", exitCode: 124)
    static let nodeFail = Mishap(reason: "NodeFail", message: "the node stopped answering", exitCode: 255)
    static let preempted = Mishap(
        reason: "Preempted", message: "preempted by a job of higher priority", exitCode: 143)
    static let stopped = Mishap(reason: "StoppedByUser", message: "stopped by its owner", exitCode: 143)
    static let hung = Mishap(reason: "NoProgress", message: "no output and no GPU activity for 30 minutes", exitCode: 0)
}
