/// Tries of the last moment that nobody has answered yet.
///
/// A receiver that answers within the moment is served over as few connections as these, whose memory stays warm; more
/// would not be served sooner, each at a higher price. One that takes longer is given as many as there are places: what
/// is older than the moment counts no more.
struct Forerunners {
    /// How many may be unanswered, and how long they count, in microseconds: 32 in a millisecond is more than a thread of
    /// libcurl can begin, so that nothing is held up by this.
    private static let most = 32
    static let moment: Int64 = 1000

    /// Those that began together.
    private struct Group {
        let begun: Int64
        var unanswered: Int
    }
    /// Few: no more than `most` are unanswered, and none is older than the moment.
    private var groups: [Group] = []
    /// The number of the first group that still counts.
    private var first = 0
    /// The number of the group to come.
    var next: Int { first + groups.count }
    private var count = 0

    /// How many more may begin, at a time of the monotonic clock in microseconds.
    mutating func room(at now: Int64) -> Int {
        while let group = groups.first, group.unanswered == 0 || now - group.begun >= Self.moment {
            groups.removeFirst()
            count -= group.unanswered
            first += 1
        }
        return max(0, Self.most - count)
    }

    /// Notes that some began; each belongs to the group that was `next`.
    mutating func add(_ begun: Int, at now: Int64) {
        guard begun > 0 else { return }
        groups.append(Group(begun: now, unanswered: begun))
        count += begun
    }

    /// Notes the answer to one of a group.
    mutating func remove(from group: Int) {
        guard group >= first else { return }
        groups[group - first].unanswered -= 1
        count -= 1
    }
}
