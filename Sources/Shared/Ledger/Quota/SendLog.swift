public import CarillonEvents

// Sliding windows, exact. A scope (a telephone number, a room, a workspace's text messages) keeps the log of what was
// sent there: not a counter and not a token bucket, as these let through twice the limit around the edge of a window.
//
// What a receiver sees is the moment of arrival, and that we do not know: it lies between the moment a send was begun
// and the moment its outcome was written down. So a send counts from its beginning, for as long as it is open, and for
// the length of the window after it was settled. Whichever moment in between it arrived, no window of arrivals then holds
// more than the limit.
//
// Settled sends are kept as counts by moment. Where they are many their moments are rounded up: a send then counts a
// little longer (a part in 256 of the longest window), never shorter.
//
// A value: no clock, no lock. The ledger reads it, asks it, and writes it back in one transaction.

/// So many sends in any window of this length.
public struct SendLimit: Sendable, Hashable, Codable {
    /// How many, at most; at least 1.
    public var count: Int
    /// In any span of this many milliseconds.
    public var window: Int64
    /// So many of them are for what is critical alone.
    public var reserve: Int
    /// Makes one; at least one place stays for everything.
    public init(_ count: Int, in window: Duration, reserve: Int = 0) {
        (self.count, self.window) = (max(1, count), max(1, window.milliseconds))
        self.reserve = min(max(0, reserve), self.count - 1)
    }

    func places(isCritical: Bool) -> Int { isCritical ? count : count - reserve }
}

/// The sends of one scope that still count.
public struct SendLog: Sendable, Hashable {
    /// A send that is not settled: one claim of a delivery.
    public struct Open: Sendable, Hashable {
        /// The delivery it belongs to.
        public var delivery: DeliveryID
        /// Which claim of it.
        public var epoch: Int64
        /// Whose claim.
        public var session: SessionID
        /// How much it counts: 1 for a message, and in a budget what it costs.
        public var weight: Int
        /// Makes one.
        public init(delivery: DeliveryID, epoch: Int64, session: SessionID, weight: Int = 1) {
            (self.delivery, self.epoch, self.session) = (delivery, epoch, session)
            self.weight = max(1, weight)
        }
    }
    /// Sends that were settled at a moment.
    struct Settled: Sendable, Hashable {
        var at: Int64
        var count: Int
    }
    /// Whether one more send may begin.
    public enum Room: Sendable, Hashable {
        /// It may.
        case free
        /// It may not before this moment, and then only if nothing else takes the place; `nil` when open sends fill a
        /// window, so that only their settling tells.
        case full(until: Timestamp?)
    }

    /// More moments than these are rounded together.
    private static let mostMoments = 512
    /// Where open sends fill a window it is looked at again so soon.
    private static let openPause: Int64 = 5_000

    /// What is open, in the order of beginning.
    public private(set) var open: [Open] = []
    /// What was settled, by moment.
    private(set) var settled: [Settled] = []
    /// The latest moment this log was told; a clock that steps back stands still here.
    public private(set) var latest = Timestamp(milliseconds: 0)
    /// The limits of the last send, for people to see.
    public private(set) var limits: [SendLimit] = []
    /// The longest window that ever asked: what it may still count is kept.
    private var horizon: Int64 = 0
    /// The next moment with room that waiting deliveries were told, and how many were told that moment.
    private var near: Int64 = 0
    private var nears = 0
    /// The last moment that those who have no room even then were told to come back, and how many were told that moment.
    private var promised: Int64 = 0
    private var promises = 0

    /// An empty log.
    public init() {}

    /// Whether one more send, which counts so much, keeps every limit.
    ///
    /// - Complexity: O(moments × limits).
    public func room(
        _ limits: [SendLimit], weight: Int = 1, isCritical: Bool = false, now: Timestamp
    ) -> Room {
        let now = max(now, latest).milliseconds
        var until: Int64? = now
        var isFull = false
        for limit in limits {
            let places = limit.places(isCritical: isCritical)
            let first = settled.firstIndex { now - $0.at < limit.window } ?? settled.count
            var surplus = settled[first...].reduce(openWeight) { $0 + $1.count } + weight - places
            guard surplus > 0 else { continue }
            isFull = true
            let leaving = settled[first...].first { moment in
                surplus -= moment.count
                return surplus <= 0
            }
            until = leaving.flatMap { leaving in until.map { max($0, leaving.at + limit.window) } }
        }
        return isFull ? .full(until: until.map { Timestamp(milliseconds: $0) }) : .free
    }

    private var openWeight: Int { open.reduce(0) { $0 + $1.weight } }

    /// How much counts in a window now.
    public func used(in limit: SendLimit, now: Timestamp) -> Int {
        let now = max(now, latest).milliseconds
        return settled.reduce(openWeight) { now - $1.at < limit.window ? $0 + $1.count : $0 }
    }

    /// Begins a send; ask `room` before.
    ///
    /// Each claim of a delivery is a send of its own, and to begin it twice is to begin it once.
    public mutating func begin(_ send: Open, _ limits: [SendLimit], now: Timestamp) {
        pass(to: now)
        self.limits = limits
        for limit in limits { horizon = max(horizon, limit.window) }
        if !open.contains(send) { open.append(send) }
    }

    /// Ends an open send; one that is not open any more changes nothing.
    ///
    /// - Parameter counts: false when the receiver certainly did not get it, which gives its place back.
    public mutating func settle(_ delivery: DeliveryID, epoch: Int64, counts: Bool, now: Timestamp) {
        pass(to: now)
        guard let place = open.firstIndex(where: { $0.delivery == delivery && $0.epoch == epoch }) else { return }
        let send = open.remove(at: place)
        if counts { count(send.weight) }
    }

    /// Ends what a session left open.
    ///
    /// - Parameters:
    ///   - isChosen: which of them.
    ///   - counts: false when they certainly were not sent.
    public mutating func end(
        _ session: SessionID, where isChosen: (Open) -> Bool = { _ in true }, counts: Bool, now: Timestamp
    ) {
        pass(to: now)
        for send in open where send.session == session && isChosen(send) {
            settle(send.delivery, epoch: send.epoch, counts: counts, now: now)
        }
    }

    /// When a delivery that found no room is to come back: not all in the same moment, but so many as will have room.
    ///
    /// At the latest one window after there is room, so that places that were promised and not used do no lasting harm.
    public mutating func promise(
        _ until: Timestamp?, _ limits: [SendLimit], weight: Int = 1, isCritical: Bool, now: Timestamp
    ) -> Timestamp {
        pass(to: now)
        func places(_ limit: SendLimit) -> Int { max(1, limit.places(isCritical: isCritical) / max(1, weight)) }
        let longest = limits.map(\.window).max() ?? 1
        let shortest = limits.map(\.window).min() ?? 1
        let from = until?.milliseconds ?? latest.milliseconds + min(shortest, Self.openPause)
        let bunch = limits.map(places).min() ?? 1
        if isCritical { return Timestamp(milliseconds: from) }
        // A new moment with room is for whoever asks first, those that came back a little early among them.
        if from > near { (near, nears) = (from, 0) }
        if nears < bunch {
            nears += 1
            return Timestamp(milliseconds: near)
        }
        if near > promised { (promised, promises) = (near, bunch) }
        if promises < bunch {
            promises += 1
        } else {
            let spans = limits.map { limit in
                let places = Int64(places(limit))
                return (limit.window * Int64(bunch) + places - 1) / places
            }
            (promised, promises) = (min(promised + (spans.max() ?? 1), from + longest), 1)
        }
        return Timestamp(milliseconds: promised)
    }

    /// The log without what is settled; what is open counts on.
    public var cleared: SendLog {
        var log = self
        (log.settled, log.promised, log.promises, log.near, log.nears) = ([], 0, 0, 0, 0)
        return log
    }

    /// When nothing settled counts any more; a log in which nothing counts ends a horizon after it was last written.
    public var ends: Timestamp { Timestamp(milliseconds: max(latest.milliseconds, settled.last?.at ?? 0) + horizon) }

    private mutating func pass(to now: Timestamp) {
        latest = max(latest, now)
        let now = latest.milliseconds
        if let first = settled.first, now - first.at >= horizon { settled.removeAll { now - $0.at >= horizon } }
    }

    private mutating func count(_ weight: Int) {
        let now = latest.milliseconds
        if let last = settled.last, last.at >= now {
            settled[settled.count - 1].count += weight
        } else {
            settled.append(Settled(at: now, count: weight))
            if settled.count > Self.mostMoments { round() }
        }
    }

    private mutating func round() {
        let grain = max(1, horizon / 256)
        var rounded: [Settled] = []
        for moment in settled {
            let at = (moment.at + grain - 1) / grain * grain
            if let last = rounded.last, last.at >= at {
                rounded[rounded.count - 1].count += moment.count
            } else {
                rounded.append(Settled(at: at, count: moment.count))
            }
        }
        settled = rounded
    }
}

// MARK: - As bytes

extension SendLog {
    /// 1 had no weights, and both it and 2 had numbers of eight bytes.
    private static let version: UInt8 = 3
    /// No moment and no count lies beyond: sums of a few of them fit.
    private static let most: Int64 = 1 << 60

    /// The log as bytes, for a ledger's column: a version, then numbers, seven bits a byte, the least first.
    ///
    /// A settled moment is told by its distance from the one before.
    public var bytes: [UInt8] {
        var bytes = [Self.version]
        bytes.reserveCapacity(40 + 8 * limits.count + 12 * open.count + 4 * settled.count)
        for number in [latest.milliseconds, horizon, near, Int64(nears), promised, Int64(promises)] {
            bytes.append(number: number)
        }
        bytes.append(number: Int64(limits.count))
        for limit in limits {
            bytes.append(number: Int64(limit.count))
            bytes.append(number: limit.window)
            bytes.append(number: Int64(limit.reserve))
        }
        bytes.append(number: Int64(open.count))
        for send in open {
            for number in [send.delivery, send.epoch, send.session, Int64(send.weight)] { bytes.append(number: number) }
        }
        var last: Int64 = 0
        for moment in settled {
            bytes.append(number: moment.at - last)
            bytes.append(number: Int64(moment.count))
            last = moment.at
        }
        return bytes
    }

    /// Reads what `bytes` made; `nil` for anything else.
    public init?(bytes: Span<UInt8>) {
        guard !bytes.isEmpty, 1...Self.version ~= bytes[0] else { return nil }
        let version = bytes[0]
        let read = version < 3 ? NumberReader(eights: bytes, bound: Self.most) : NumberReader(bytes, bound: Self.most)
        guard var numbers = read, let latest = numbers.next(), let horizon = numbers.next(),
            let near = numbers.next(), let nears = numbers.next(), let promised = numbers.next(),
            let promises = numbers.next(), let limits = numbers.next(), limits <= numbers.left / 3
        else { return nil }
        (self.latest, self.horizon) = (Timestamp(milliseconds: latest), horizon)
        (self.near, self.nears) = (near, Int(nears))
        (self.promised, self.promises) = (promised, Int(promises))
        for _ in 0..<limits {
            guard let count = numbers.next(), let window = numbers.next(), let reserve = numbers.next(), count > 0,
                window > 0
            else { return nil }
            self.limits.append(SendLimit(Int(count), in: .milliseconds(window), reserve: Int(reserve)))
        }
        guard let open = numbers.next(), open <= numbers.left / 3 else { return nil }
        for _ in 0..<open {
            guard let delivery = numbers.next(), let epoch = numbers.next(), let session = numbers.next(),
                let weight = version == 1 ? 1 : numbers.next(), weight > 0
            else { return nil }
            self.open.append(Open(delivery: delivery, epoch: epoch, session: session, weight: Int(weight)))
        }
        while numbers.left > 0 {
            guard let number = numbers.next(), let count = numbers.next(), count > 0 else { return nil }
            let at = version < 3 ? number : number + (settled.last?.at ?? 0)
            guard at > settled.last?.at ?? -1, at <= Self.most else { return nil }
            settled.append(Settled(at: at, count: Int(count)))
        }
    }
}

/// Numbers out of bytes, none of them negative or beyond a bound.
private struct NumberReader {
    private var numbers: [Int64] = []
    private var place = 0

    /// Numbers of seven bits a byte, behind a byte; `nil` when the last has no end, or one is too large.
    init?(_ bytes: Span<UInt8>, bound: Int64) {
        numbers.reserveCapacity(bytes.count)
        var (number, shift): (Int64, Int64) = (0, 0)
        for place in 1..<bytes.count {
            number |= Int64(bytes[place] & 0x7f) << shift
            guard shift <= 56, number <= bound else { return nil }
            guard bytes[place] < 0x80 else {
                shift += 7
                continue
            }
            numbers.append(number)
            (number, shift) = (0, 0)
        }
        guard shift == 0 else { return nil }
    }

    /// Numbers of eight bytes, of which the first is not read; `nil` when bytes are left over, or one is negative or too large.
    init?(eights bytes: Span<UInt8>, bound: Int64) {
        guard bytes.count % 8 == 0 else { return nil }
        for start in stride(from: 8, to: bytes.count, by: 8) {
            let number = (0..<8).reduce(0) { $0 | Int64(bytes[start + $1]) << Int64(8 * $1) }
            guard 0...bound ~= number else { return nil }
            numbers.append(number)
        }
    }

    var left: Int { numbers.count - place }

    mutating func next() -> Int64? {
        guard left > 0 else { return nil }
        place += 1
        return numbers[place - 1]
    }
}

extension [UInt8] {
    /// Appends a number that is not negative, seven bits a byte, the least first.
    fileprivate mutating func append(number: Int64) {
        var rest = UInt64(bitPattern: number)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
