/// A job as its scheduler sees it.
///
/// Names are numbers of the vocabulary, so that a job is a flat value.
struct Job {
    /// Where a job stands between two events.
    enum Phase { case submitted, queued, bidding, preparing, running, hung, failing }

    /// Membership in an array of jobs.
    struct Array {
        var id: UInt32
        var index: Int
        var size: Int
    }

    var number: UInt32
    var workspace, owner, kind, name, queue, node, team: Int
    var priority: Int
    var gpus: Int
    var phase = Phase.submitted
    var attempt = 1
    var maxAttempts: Int
    /// How often preemption or recovery started the attempt again; keeps the ids unique.
    var restarts = 0
    var spot: Bool
    var array: Array?
    var pipeline: Int?
}

/// A run of a pipeline.
struct PipelineRun {
    var number: UInt32
    var workspace, owner, name: Int
    var stepsLeft: Int
    var began = false
}

/// Something a scheduler would announce.
enum Happening {
    /// What is told about a job beside the job.
    struct Word {
        var type: StaticString
        var mishap: Mishap?
        var limit: StaticString?
        var isFinal: Bool?

        init(_ type: StaticString, _ mishap: Mishap? = nil, limit: StaticString? = nil, isFinal: Bool? = nil) {
            (self.type, self.mishap, self.limit, self.isFinal) = (type, mishap, limit, isFinal)
        }
    }

    case job(Job, Word)
    case node(number: Int, incident: UInt32, isDown: Bool)
    case pipeline(PipelineRun, StaticString, driftPercent: Int?)
    case model(Int, workspace: Int, owner: Int, version: UInt32, isApproved: Bool)
}
