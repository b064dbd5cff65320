public import CarillonEvents
public import CarillonLedger

/// How fast a replay goes.
///
/// With a rate it keeps to that. Without one it steps aside while workers read live, and stays a little ahead of them
/// otherwise: what waits is costly to a ledger when it is much, and is sent no sooner for being there. Where nobody takes
/// what it puts on its way, it goes as fast as it can.
public struct ReplayPace {
    /// Beside live reading: the share of the time it works, and how many deliveries a second it sends at most.
    private static let share = 10, besideLive = 500.0
    /// So long after live reading was seen it is thought to go on.
    private static let memory = Duration.seconds(2)
    /// How many deliveries it is ahead before it waits, and until when.
    private static let lead = (most: Int64(8_000), least: Int64(4_000))
    /// How often it looks meanwhile, and after how long without a change nobody is thought to work: idle workers look for
    /// what is due each second.
    private static let look = Duration.milliseconds(20), patience = Duration.milliseconds(1_500)

    private let rate: Double?
    private let clock: any Clock
    private let rest: (Duration) -> Void
    private let start: Duration
    private var sent = 0
    private var lastStep: Duration
    private var lastLive: Duration?
    /// How many deliveries were open before the first piece, and when nobody took any.
    private var openBefore, openWithNobody: Int64?

    /// Makes one of so many deliveries a second, or that finds its own pace.
    ///
    /// - Parameter rest: waits so long.
    public init(rate: Double?, clock: any Clock, rest: @escaping (Duration) -> Void) {
        (self.rate, self.clock, self.rest) = (rate, clock, rest)
        (start, lastStep) = (clock.uptime(), clock.uptime())
    }

    /// Waits before the next piece.
    public mutating func wait(after step: Replayer.Step) throws(LedgerError) {
        let now = clock.uptime()
        if step.live > 0 { lastLive = now }
        if let rate {
            sent += step.sent
            pause(.seconds(Double(sent) / rate) - (now - start))
        } else if let lastLive, now - lastLive < Self.memory {
            pause(max((now - lastStep) * (Self.share - 1), .seconds(Double(step.sent) / Self.besideLive)))
        } else {
            try stayClose(step)
        }
        lastStep = clock.uptime()
    }

    private mutating func stayClose(_ step: Replayer.Step) throws(LedgerError) {
        var open = try step.open()
        let before = openBefore ?? open - Int64(step.sent)
        openBefore = before
        guard open - before > Self.lead.most, open < openWithNobody ?? .max else { return noteNobody(open) }
        var lastChange = clock.uptime()
        while open - before > Self.lead.least {
            pause(Self.look)
            let now = try step.open()
            if now < open { lastChange = clock.uptime() }
            open = now
            guard clock.uptime() - lastChange < Self.patience else { return openWithNobody = open }
        }
        openWithNobody = nil
    }

    /// As long as nobody takes what waits, it grows with each piece.
    private mutating func noteNobody(_ open: Int64) {
        if openWithNobody != nil { openWithNobody = open }
    }

    private func pause(_ time: Duration) {
        if time > .zero { rest(time) }
    }
}
