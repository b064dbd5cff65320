import CarillonLedger
import Testing

/// Which lanes a claim asks, when a look found many.
@Suite("lane rounds", .timeLimit(.minutes(1)))
struct LaneRoundTests {
    private func lanes(_ numbers: some Sequence<Int64>, of workspace: String) -> [LaneRound.Lane] {
        numbers.map { LaneRound.Lane($0, LaneName(workspace: workspace, target: "t\($0)")) }
    }

    private func numbers(_ turn: LaneRound.Turn) -> [[Int64]] { turn.map { $0.map(\.number) } }

    @Test("hands out each lane once, behind the one served last, and none twice in a claim")
    func once() {
        var round = LaneRound(lanes(1...10, of: "a"), behind: 7, for: 1, room: 4)
        #expect(numbers(round.next(4) { _ in true }) == [[8, 9, 10, 1]])
        #expect(numbers(round.next(4) { _ in true }) == [[2, 3, 4, 5]])
        #expect(numbers(round.next(4) { _ in true }) == [[6, 7]])
        #expect(round.isEmpty && round.next(4) { _ in true }.isEmpty)
    }

    @Test("gives a workspace with one lane as large a part as one with thousands, claim after claim")
    func fair() {
        let crowd = lanes(1...5_000, of: "crowd")
        var round = LaneRound(crowd + lanes([5_001], of: "small"), behind: 0, for: 1, room: 100)
        for _ in 0..<10 {
            let turn = round.next(100) { _ in true }
            #expect(turn.map(\.count).sorted() == [1, 50])
            let small = turn.joined().filter { $0.name.workspace == "small" }
            #expect(small.count == 1, "its part is gone when its lane is not put back")
            round.served(100, more: small)
        }
    }

    @Test("with more workspaces than room, each has its turn")
    func manyWorkspaces() {
        let found = (1...9).flatMap { lanes([Int64($0), Int64($0 + 9)], of: "w\($0)") }
        var round = LaneRound(found.sorted { $0.number < $1.number }, behind: nil, for: 1, room: 100)
        var seen: [String: Int] = [:]
        for _ in 0..<6 {
            for lane in round.next(3, where: { _ in true }).joined() { seen[lane.name.workspace, default: 0] += 1 }
        }
        #expect(seen.count == 9 && seen.values.allSatisfy { $0 == 2 })
    }

    @Test("passes over a lane without room, and keeps it")
    func closed() {
        var round = LaneRound(lanes(1...4, of: "a"), behind: nil, for: 1, room: 100)
        #expect(numbers(round.next(2) { $0 > 2 }) == [[3, 4]])
        #expect(round.next(2) { $0 > 2 }.isEmpty && !round.isEmpty)
        #expect(numbers(round.next(2) { _ in true }) == [[1, 2]])
    }

    @Test("is over when a quarter as many were served as it had lanes, or when it is empty")
    func over() {
        #expect(LaneRound().isOver)
        var round = LaneRound(lanes(1...100, of: "a"), behind: nil, for: 1, room: 10)
        for count in [10, 10, 4] {
            _ = round.next(count) { _ in true }
            round.served(count, more: [])
            #expect(!round.isOver)
        }
        round.served(1, more: [])
        #expect(round.isOver && !round.isEmpty)
        var small = LaneRound(lanes(1...3, of: "a"), behind: nil, for: 1, room: 10)
        _ = small.next(10) { _ in true }
        #expect(small.isOver)
    }

    @Test("workers begin a crowd at different places, and a few lanes at the first")
    func spread() {
        let starts = (SessionID(1)...8).map { session in
            var round = LaneRound(lanes(1...10_000, of: "a"), behind: nil, for: session, room: 256)
            return round.next(1) { _ in true }[0][0].number
        }
        #expect(Set(starts.map { $0 / 500 }).count >= 6, "\(starts)")
        var few = LaneRound(lanes(1...10, of: "a"), behind: nil, for: 7, room: 256)
        #expect(numbers(few.next(1) { _ in true }) == [[1]])
    }
}
