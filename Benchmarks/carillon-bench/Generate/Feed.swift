/// The lines of a generated file, one after the other: happenings of a cluster, and now and then one told twice.
struct Feed {
    /// What to generate.
    struct Plan {
        var events: Int
        var seed: UInt64
        var workspaces: [String]
        /// Share of lines that repeat an earlier one exactly.
        var duplicates: Double
        var nodeFailuresPer10000: Double
        /// The time of the first event and the time the events take, in milliseconds.
        var start: Int64
        var span: Int64
        /// Whether each event gets the moment it is written instead.
        var isLive: Bool
    }

    /// How many earlier lines may come again; some of them are old by then, as after a scheduler's restart.
    static let remembered = 1024

    private let plan: Plan
    private var random: SplitMix
    private var cluster: Cluster
    private var text: EventText
    private var memory: [ArraySlice<UInt8>] = []
    private(set) var written = 0
    private(set) var repeated = 0

    init(_ plan: Plan) {
        self.plan = plan
        random = SplitMix(seed: ~plan.seed)
        cluster = Cluster(
            seed: plan.seed, workspaces: plan.workspaces.count, nodeFailuresPer10000: plan.nodeFailuresPer10000)
        text = EventText(workspaces: plan.workspaces)
    }

    /// The next lines, about `size` bytes of them, whole; empty at the end.
    mutating func next(size: Int) -> [UInt8] {
        text.removeAll()
        while written < plan.events, text.bytes.count < size {
            cluster.step()
            for happening in cluster.happenings where written < plan.events { write(happening) }
        }
        return text.bytes
    }

    private mutating func write(_ happening: Happening) {
        if !memory.isEmpty, random.chance(plan.duplicates) {
            text.write(line: memory[random.below(memory.count)])
            written += 1
            repeated += 1
            guard written < plan.events else { return }
        }
        let start = text.bytes.count
        let planned = plan.start + plan.span * Int64(written) / Int64(plan.events)
        text.write(happening, at: plan.isLive ? WallClock.milliseconds() : planned)
        written += 1
        if plan.duplicates > 0, random.below(8) == 0 { remember(ArraySlice(Array(text.bytes[start...]))) }
    }

    private mutating func remember(_ line: ArraySlice<UInt8>) {
        if memory.count < Self.remembered {
            memory.append(line)
        } else {
            memory[random.below(Self.remembered)] = line
        }
    }
}
