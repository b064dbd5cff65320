import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

/// Every send with the moments between which it may have arrived, kept for ever.
private struct Arrivals {
    var spans: [(begun: Int64, settled: Int64?)] = []

    /// The most arrivals any window could have seen, were each at the worst moment of its span.
    func worst(in window: Int64, now: Int64) -> Int {
        // A window that ends where some send may last have arrived sees it, and all that may have arrived in it.
        let ends = spans.map { $0.settled ?? now }
        return (ends + spans.map { $0.begun + window - 1 }).map { end in
            spans.count { $0.begun <= end && ($0.settled ?? now) > end - window }
        }.max() ?? 0
    }
}

@Suite("Quota: a limit holds in every window of arrivals", .timeLimit(.minutes(10)))
struct SendLogTests {
    private static func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
    private static func send(_ delivery: DeliveryID) -> SendLog.Open {
        SendLog.Open(delivery: delivery, epoch: 1, session: delivery % 3)
    }

    @Test("no window of possible arrivals holds more than its limit", arguments: UInt64(1)...200)
    func limitsHold(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let limits = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            SendLimit(
                Int.random(in: 1...6, using: &random),
                in: .milliseconds(Int64.random(in: 1...400, using: &random)),
                reserve: Int.random(in: 0...2, using: &random))
        }
        var (log, arrivals) = (SendLog(), Arrivals())
        var open: [DeliveryID: Int] = [:]
        var now: Int64 = 1_000
        for delivery in DeliveryID(1)...200 {
            now = max(1, now + Int64.random(in: -20...40, using: &random))
            // What the ledger believes never steps back, and no send arrives before its beginning.
            let ledger = max(now, log.latest.milliseconds)
            if log.room(limits, isCritical: Bool.random(using: &random), now: Self.at(now)) == .free {
                log.begin(Self.send(delivery), limits, now: Self.at(now))
                open[delivery] = arrivals.spans.count
                arrivals.spans.append((ledger, nil))
            } else if Bool.random(using: &random) {
                _ = log.promise(nil, limits, isCritical: false, now: Self.at(now))
            }
            let isDeath = Int.random(in: 0..<20, using: &random) == 0
            let ended = open.keys.sorted().filter { isDeath ? $0 % 3 == 0 : true }
            for one in isDeath ? ended : ended.randomElement(using: &random).map({ [$0] }) ?? [] {
                let isSent = isDeath || Int.random(in: 0..<4, using: &random) > 0
                if isDeath {
                    log.end(0, counts: true, now: Self.at(now))
                } else {
                    log.settle(one, epoch: 1, counts: isSent, now: Self.at(now))
                }
                let place = open.removeValue(forKey: one) ?? 0
                arrivals.spans[place].settled = isSent ? log.latest.milliseconds : arrivals.spans[place].begun - 100_000
            }
            if Bool.random(using: &random) { log = SendLog(bytes: log.bytes.span) ?? SendLog() }
        }
        for limit in limits {
            let worst = arrivals.worst(in: limit.window, now: log.latest.milliseconds)
            #expect(worst <= limit.count, "seed \(seed), \(limit)")
        }
    }

    @Test("what messages cost keeps a budget in every window of arrivals, and its bytes", arguments: UInt64(1)...50)
    func weights(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let limits = [
            SendLimit(1_000, in: .milliseconds(200), reserve: 100), SendLimit(4_000, in: .milliseconds(1_500)),
        ]
        var log = SendLog()
        var (sent, open) = ([(at: Int64, cost: Int)](), [(delivery: DeliveryID, cost: Int)]())
        var now: Int64 = 1
        for delivery in DeliveryID(1)...500 {
            now += Int64.random(in: 0...10, using: &random)
            let cost = Int.random(in: 1...450, using: &random)
            if case .full(let until) = log.room(limits, weight: cost, now: Self.at(now)) {
                if open.isEmpty, let until {
                    #expect(log.room(limits, weight: cost, now: until) == .free, "seed \(seed)")
                }
            } else {
                var send = Self.send(delivery)
                send.weight = cost
                log.begin(send, limits, now: Self.at(now))
                open.append((delivery, cost))
            }
            while open.count > Int.random(in: 0...3, using: &random) {
                let ended = open.removeFirst()
                let counts = Bool.random(using: &random)
                log.settle(ended.delivery, epoch: 1, counts: counts, now: Self.at(now))
                if counts { sent.append((now, ended.cost)) }
            }
            log = SendLog(bytes: log.bytes.span) ?? SendLog()
        }
        for limit in limits {
            for last in sent {
                let spent = sent.filter { $0.at <= last.at && last.at - $0.at < limit.window }.reduce(0) {
                    $0 + $1.cost
                }
                #expect(spent <= limit.count - limit.reserve, "seed \(seed)")
            }
        }
        #expect(sent.count > 25, "something is let through")
    }

    @Test("logs of the versions before are read: without weights, and with numbers of eight bytes")
    func olderVersions() throws {
        func bytes(_ numbers: [Int64]) -> [UInt8] {
            numbers.flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }
        }
        let first = bytes([1, 500, 60_000, 0, 0, 0, 0, 1, 5, 60_000, 1, 1, 77, 3, 9, 400, 2])
        let second = bytes([2, 500, 60_000, 0, 0, 0, 0, 1, 5, 60_000, 1, 1, 77, 3, 9, 1, 300, 1, 400, 1])
        for old in [first, second] {
            let read = SendLog(bytes: old.span)
            let log = try #require(read)
            #expect(log.open == [SendLog.Open(delivery: 77, epoch: 3, session: 9)])
            #expect(log.used(in: SendLimit(5, in: .seconds(60)), now: Self.at(500)) == 3)
            #expect(SendLog(bytes: log.bytes.span) == log)
        }
    }

    @Test("a log's numbers keep their value from the least to the largest, in few bytes")
    func numbers() throws {
        let edges: [Int64] = [1, 127, 128, 16_383, 16_384, 1 << 35, (1 << 42) - 1]
        for edge in edges {
            var log = SendLog()
            let send = SendLog.Open(delivery: edge, epoch: edge, session: edge, weight: Int(edge))
            log.begin(send, [SendLimit(Int(edge), in: .milliseconds(edge))], now: Self.at(edge))
            #expect(SendLog(bytes: log.bytes.span) == log, "\(edge)")
            log.settle(edge, epoch: edge, counts: true, now: Self.at(edge))
            #expect(SendLog(bytes: log.bytes.span) == log, "\(edge)")
        }
        var log = SendLog()
        let limits = [SendLimit(10, in: .seconds(900)), SendLimit(100, in: .seconds(86_400))]
        for delivery in DeliveryID(1)...10 {
            let now = Timestamp(milliseconds: 1_800_000_000_000 + delivery * 60_000)
            log.begin(Self.send(delivery), limits, now: now)
            log.settle(delivery, epoch: 1, counts: true, now: now)
        }
        #expect(log.bytes.count < 100, "a row is small: \(log.bytes.count)")
    }

    @Test("many moments are rounded, and count longer, never shorter", arguments: UInt64(1)...4)
    func rounding(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let limits = [SendLimit(900, in: .seconds(100)), SendLimit(40, in: .seconds(1))]
        var (log, sent) = (SendLog(), [Int64]())
        var now: Int64 = 1
        for delivery in DeliveryID(1)...4_000 {
            now += Int64.random(in: 0...60, using: &random)
            guard log.room(limits, now: Self.at(now)) == .free else { continue }
            log.begin(Self.send(delivery), limits, now: Self.at(now))
            log.settle(delivery, epoch: 1, counts: true, now: Self.at(now))
            sent.append(now)
        }
        for limit in limits {
            var first = 0
            for (index, moment) in sent.enumerated() {
                while moment - sent[first] >= limit.window { first += 1 }
                #expect(index - first + 1 <= limit.count, "seed \(seed)")
            }
        }
        #expect(sent.count >= 1_000, "\(sent.count) of what the limits let through")
        #expect(log.bytes.count < 10_000, "a log stays small: \(log.bytes.count)")
    }

    @Test("what a full log promises is the first moment with room", arguments: UInt64(1)...100)
    func untilIsExact(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let limits = [
            SendLimit(Int.random(in: 1...4, using: &random), in: .milliseconds(100)),
            SendLimit(Int.random(in: 3...8, using: &random), in: .milliseconds(700)),
        ]
        var log = SendLog()
        var now: Int64 = 0
        for delivery in DeliveryID(1)...100 {
            now += Int64.random(in: 0...60, using: &random)
            switch log.room(limits, now: Self.at(now)) {
            case .free:
                log.begin(Self.send(delivery), limits, now: Self.at(now))
                log.settle(delivery, epoch: 1, counts: true, now: Self.at(now))
            case .full(let until):
                guard let until else {
                    Issue.record("nothing is open, so there is a moment (seed \(seed))")
                    return
                }
                #expect(log.room(limits, now: until) == .free, "seed \(seed)")
                #expect(log.room(limits, now: Self.at(until.milliseconds - 1)) != .free, "seed \(seed)")
            }
        }
    }

    @Test("those that wait come back as there will be room, at the latest one window after the first")
    func promises() {
        let limits = [SendLimit(5, in: .seconds(60)), SendLimit(20, in: .seconds(600))]
        var log = SendLog()
        for delivery in DeliveryID(1)...5 { log.begin(Self.send(delivery), limits, now: Self.at(0)) }
        for delivery in DeliveryID(1)...5 { log.settle(delivery, epoch: 1, counts: true, now: Self.at(0)) }
        let times = (0..<5_000).map { _ in
            guard case .full(let until) = log.room(limits, now: Self.at(1)) else { return Int64(-1) }
            return log.promise(until, limits, isCritical: false, now: Self.at(1)).milliseconds
        }
        #expect(times[..<5].allSatisfy { $0 == 60_000 }, "as many as have room then")
        #expect(times[5..<10].allSatisfy { $0 == 210_000 }, "and as many at the pace of the slowest limit")
        #expect(times == times.sorted() && times.last == 660_000)
        #expect(log.promise(Self.at(60_000), limits, isCritical: true, now: Self.at(1)) == Self.at(60_000))
    }

    @Test("a reserve keeps places for what is critical")
    func reserve() {
        let limits = [SendLimit(5, in: .seconds(60), reserve: 2)]
        var log = SendLog()
        for delivery in DeliveryID(1)...3 { log.begin(Self.send(delivery), limits, now: Self.at(0)) }
        #expect(log.room(limits, now: Self.at(1)) == .full(until: nil))
        #expect(log.room(limits, isCritical: true, now: Self.at(1)) == .free)
        #expect(SendLimit(1, in: .seconds(1), reserve: 5).reserve == 0, "one place is for everything")
    }

    @Test("a send that certainly was not taken gives its place back, one begun twice takes one")
    func places() {
        let limits = [SendLimit(1, in: .seconds(60))]
        var log = SendLog()
        log.begin(Self.send(7), limits, now: Self.at(0))
        log.begin(Self.send(7), limits, now: Self.at(5))
        #expect(log.open.count == 1 && log.room(limits, now: Self.at(6)) == .full(until: nil))
        log.settle(7, epoch: 2, counts: false, now: Self.at(7))
        #expect(log.open.count == 1, "another claim's settlement is not this one's")
        log.settle(7, epoch: 1, counts: false, now: Self.at(7))
        #expect(log.open.isEmpty && log.room(limits, now: Self.at(7)) == .free)
    }

    @Test("a clock that steps back freezes the windows")
    func stepBack() {
        let limits = [SendLimit(1, in: .milliseconds(100))]
        var log = SendLog()
        log.begin(Self.send(1), limits, now: Self.at(1_000))
        log.settle(1, epoch: 1, counts: true, now: Self.at(1_000))
        #expect(log.room(limits, now: Self.at(0)) == .full(until: Self.at(1_100)))
        #expect(log.room(limits, now: Self.at(1_100)) == .free)
    }

    @Test("what a longer window counts is kept, though a shorter one asks between")
    func longestWindow() {
        let (long, short) = ([SendLimit(1, in: .seconds(60))], [SendLimit(1, in: .seconds(1))])
        var log = SendLog()
        log.begin(Self.send(1), long, now: Self.at(0))
        log.settle(1, epoch: 1, counts: true, now: Self.at(0))
        log.begin(Self.send(2), short, now: Self.at(5_000))
        log.settle(2, epoch: 1, counts: false, now: Self.at(5_000))
        #expect(log.room(long, now: Self.at(59_999)) == .full(until: Self.at(60_000)))
        #expect(log.cleared.room(long, now: Self.at(59_999)) == .free)
    }

    @Test("bytes that no log made are refused, whatever they are", arguments: UInt64(1)...50)
    func hostileBytes(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var log = SendLog()
        let limits = [SendLimit(3, in: .seconds(1))]
        for delivery in DeliveryID(1)...3 { log.begin(Self.send(delivery), limits, now: Self.at(delivery)) }
        log.settle(1, epoch: 1, counts: true, now: Self.at(9))
        #expect(SendLog(bytes: log.bytes.span) == log)
        #expect(SendLog(bytes: [UInt8]().span) == nil && SendLog(bytes: [1 as UInt8].span) == nil)
        for _ in 0..<200 {
            var bytes = log.bytes
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 1...bytes.count, using: &random)) }
            guard var read = SendLog(bytes: bytes.span) else { continue }
            // What is read can be used without a trap.
            _ = read.room(limits, now: Self.at(10))
            _ = read.promise(nil, limits, isCritical: false, now: Self.at(10))
            read.settle(2, epoch: 1, counts: true, now: Self.at(10))
        }
    }
}
