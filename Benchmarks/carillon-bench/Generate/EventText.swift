/// Writes happenings as structured CloudEvents, one a line, into a buffer of its own.
struct EventText {
    private(set) var bytes: [UInt8] = []
    private let workspaces: [[UInt8]]
    private let owners = Vocabulary.owners.map { Array($0.utf8) }
    private let teams = Vocabulary.workspaces.map { Array($0.utf8) }

    init(workspaces: [String]) {
        self.workspaces = workspaces.map { Array($0.utf8) }
    }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func write(line: ArraySlice<UInt8>) { bytes.append(contentsOf: line) }

    /// Writes one event and the line's end.
    mutating func write(_ happening: Happening, at milliseconds: Int64) {
        switch happening {
        case .job(let job, let word): write(job, word, at: milliseconds)
        case .node(let number, let incident, let isDown): write(node: number, incident, isDown, at: milliseconds)
        case .pipeline(let run, let type, let drift): write(run, type, drift, at: milliseconds)
        case .model(let model, let workspace, let owner, let version, let isApproved):
            write(model: model, workspace, owner, version, isApproved, at: milliseconds)
        }
        bytes.append(UInt8(ascii: "\n"))
    }
}

// MARK: one function for each kind of event

extension EventText {
    private mutating func write(_ job: Job, _ word: Happening.Word, at time: Int64) {
        raw("{\"specversion\":\"1.0\",\"id\":\"")
        writeSubject(job)
        raw("/")
        number(job.attempt)
        if job.restarts > 0 {
            raw(".")
            number(job.restarts)
        }
        raw("/")
        raw(word.type, from: 4)
        raw("\",\"source\":\"")
        raw(Vocabulary.schedulers[job.workspace % Vocabulary.schedulers.count])
        writeHead(type: word.type, at: time) { $0.writeSubject(job) }
        raw(workspaces[job.workspace])
        raw("\",\"datacontenttype\":\"application/json\",\"data\":{\"kind\":\"")
        raw(Vocabulary.kinds[job.kind])
        raw("\",\"name\":\"")
        raw(Vocabulary.names[job.name])
        raw("\",\"owner\":\"")
        raw(owners[job.owner])
        raw("\",\"attempt\":")
        number(job.attempt)
        raw(",\"maxAttempts\":")
        number(job.maxAttempts)
        if let isFinal = word.isFinal { raw(isFinal ? ",\"final\":true" : ",\"final\":false") }
        writePlace(job)
        if let limit = word.limit { field("limit", limit) }
        if let mishap = word.mishap { write(mishap) }
        writeMembership(job)
        writeLinks(job)
        raw("}}")
    }

    private mutating func writePlace(_ job: Job) {
        field("queue", Vocabulary.queues[job.queue])
        field("pool", Vocabulary.pools[job.queue])
        raw(",\"priority\":")
        number(job.priority)
        if job.spot { raw(",\"spot\":true") }
        if job.phase == .running || job.phase == .hung {
            raw(",\"node\":\"")
            writeNode(job.node)
            raw("\"")
        }
    }

    private mutating func write(_ mishap: Mishap) {
        field("reason", mishap.reason)
        field("message", mishap.message)
        guard mishap.exitCode != 0 else { return }
        raw(",\"exitCode\":")
        number(mishap.exitCode)
    }

    private mutating func writeMembership(_ job: Job) {
        if let array = job.array {
            raw(",\"array\":{\"id\":\"")
            raw(Vocabulary.kinds[job.kind])
            raw("-")
            hex(array.id)
            raw("\",\"index\":")
            number(array.index)
            raw(",\"size\":")
            number(array.size)
            raw("}")
        }
        if let pipeline = job.pipeline { field("pipeline", Vocabulary.pipelines[pipeline]) }
    }

    private mutating func writeLinks(_ job: Job) {
        raw(",\"url\":\"https://console.example.com/")
        raw(workspaces[job.workspace])
        raw("/jobs/")
        writeSubject(job)
        raw("\",\"labels\":{\"team\":\"")
        raw(teams[job.team])
        raw("\",\"framework\":\"")
        raw(Vocabulary.frameworks[Int(job.number % 4)])
        raw("\",\"project\":\"p-")
        hex(job.number >> 20)
        raw("\"},\"resources\":{\"gpu\":")
        number(job.gpus)
        raw(",\"cpu\":")
        number(job.gpus * 12)
        raw(",\"memoryGiB\":")
        number(job.gpus * 96)
        raw("}")
    }

    private mutating func write(node: Int, _ incident: UInt32, _ isDown: Bool, at time: Int64) {
        raw("{\"specversion\":\"1.0\",\"id\":\"")
        writeNode(node)
        raw("/")
        hex(incident)
        raw(isDown ? "/down" : "/up")
        raw("\",\"source\":\"/monitors/nodes")
        writeHead(type: isDown ? "node.down" : "node.up", at: time) { $0.writeNode(node) }
        raw("_system\",\"datacontenttype\":\"application/json\",\"data\":{\"node\":\"")
        writeNode(node)
        raw("\"")
        field("pool", Vocabulary.pools[node % Vocabulary.pools.count])
        if isDown { write(Mishap.nodeFail) }
        raw(",\"url\":\"https://console.example.com/nodes/")
        writeNode(node)
        raw("\",\"labels\":{\"rack\":\"r")
        number(node / 8)
        raw("\",\"driver\":\"550.54.15\"}}}")
    }

    private mutating func write(_ run: PipelineRun, _ type: StaticString, _ driftPercent: Int?, at time: Int64) {
        raw("{\"specversion\":\"1.0\",\"id\":\"run-")
        hex(run.number)
        raw("/")
        raw(type, from: 9)
        raw("\",\"source\":\"/pipelines/kubeflow-a")
        writeHead(type: type, at: time) {
            $0.raw("run-")
            $0.hex(run.number)
        }
        raw(workspaces[run.workspace])
        raw("\",\"datacontenttype\":\"application/json\",\"data\":{\"pipeline\":\"")
        raw(Vocabulary.pipelines[run.name])
        raw("\",\"owner\":\"")
        raw(owners[run.owner])
        raw("\"")
        if let driftPercent {
            raw(",\"results\":{\"drift\":0.")
            if driftPercent < 10 { raw("0") }
            number(driftPercent)
            raw("}")
        }
        raw(",\"url\":\"https://console.example.com/")
        raw(workspaces[run.workspace])
        raw("/runs/run-")
        hex(run.number)
        raw("\"}}")
    }

    private mutating func write(
        model: Int, _ workspace: Int, _ owner: Int, _ version: UInt32, _ isApproved: Bool, at time: Int64
    ) {
        raw("{\"specversion\":\"1.0\",\"id\":\"")
        raw(Vocabulary.models[model])
        raw("/")
        hex(version)
        raw(isApproved ? "/approved" : "/rejected")
        raw("\",\"source\":\"/registry/models")
        writeHead(type: isApproved ? "model.approved" : "model.rejected", at: time) {
            $0.raw(Vocabulary.models[model])
        }
        raw(workspaces[workspace])
        raw("\",\"datacontenttype\":\"application/json\",\"data\":{\"model\":\"")
        raw(Vocabulary.models[model])
        raw("\",\"version\":\"")
        hex(version)
        raw("\",\"owner\":\"")
        raw(owners[owner])
        raw("\",\"from\":\"pending\"")
        field("to", isApproved ? "approved" : "rejected")
        raw("}}")
    }

    /// From behind the source to before the workspace.
    private mutating func writeHead(type: StaticString, at time: Int64, subject: (inout EventText) -> Void) {
        raw("\",\"type\":\"")
        raw(type)
        raw("\",\"subject\":\"")
        subject(&self)
        raw("\",\"time\":\"")
        self.time(time)
        raw("\",\"workspace\":\"")
    }

    private mutating func writeSubject(_ job: Job) {
        raw(Vocabulary.kinds[job.kind])
        raw("-")
        hex(job.number)
    }

    private mutating func writeNode(_ node: Int) {
        raw("gpu-")
        number(node)
    }
}

// MARK: bytes

extension EventText {
    private mutating func raw(_ text: StaticString, from start: Int = 0) {
        text.withUTF8Buffer { unsafe bytes.append(contentsOf: $0[start...]) }
    }

    private mutating func raw(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    private mutating func field(_ name: StaticString, _ value: StaticString) {
        raw(",\"")
        raw(name)
        raw("\":\"")
        raw(value)
        raw("\"")
    }

    private mutating func number(_ value: Int) {
        if value >= 10 { number(value / 10) }
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    private mutating func padded(_ value: Int, _ digits: Int) {
        if digits > 1 { padded(value / 10, digits - 1) }
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    private mutating func hex(_ value: UInt32) {
        for shift in stride(from: 28, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt32(shift) & 15)
            bytes.append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
        }
    }

    /// RFC 3339 in UTC.
    ///
    /// The days become a date as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    private mutating func time(_ milliseconds: Int64) {
        let seconds = Int(milliseconds / 1000)
        let (days, inDay) = (seconds / 86_400 + 719_468, seconds % 86_400)
        let (era, dayOfEra) = (days / 146_097, days % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        padded(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4)
        raw("-")
        padded(month, 2)
        raw("-")
        padded(dayOfYear - (153 * shifted + 2) / 5 + 1, 2)
        raw("T")
        padded(inDay / 3600, 2)
        raw(":")
        padded(inDay / 60 % 60, 2)
        raw(":")
        padded(inDay % 60, 2)
        raw(".")
        padded(Int(milliseconds % 1000), 3)
        raw("Z")
    }
}
