public import CarillonEvents

// What a worker asks for when it claims, and what it gets.

/// How much more a worker can take into memory.
public struct Room: Sendable {
    /// In all.
    public var total: Int
    /// In one lane, counting what `used` says is there already.
    public var perLane: Int
    /// What each lane holds now.
    public var used: [Int64: Int]
    /// How much more lanes in trouble may hold.
    ///
    /// With none a lane is passed over, as if nothing in it waited.
    public var limits: [Int64: Int]
    /// Makes one.
    public init(total: Int, perLane: Int, used: [Int64: Int] = [:], limits: [Int64: Int] = [:]) {
        (self.total, self.perLane, self.used, self.limits) = (total, perLane, used, limits)
    }
}

extension Room {
    /// How much more a lane may hold.
    package func free(in lane: Int64) -> Int { min(perLane - (used[lane] ?? 0), limits[lane] ?? .max) }
}

/// Deliveries leased by `claim`.
public struct Claims: Sendable {
    /// Ours to send.
    public var deliveries: [Claimed]
    /// When the next one that waits for a time is due; `nil` when none waits.
    ///
    /// Of a claim that took some and left some behind it may be `nil` all the same: to know it would cost a look at all lanes.
    public var nextDue: Timestamp?
    /// Whether some that are due now were left behind for lack of room.
    public var leftBehind: Bool
    /// What was not leased, or goes another way, for lack of quota.
    public var turned: [Turned] = []
    /// Makes one.
    public init(deliveries: [Claimed], nextDue: Timestamp?, leftBehind: Bool = false) {
        (self.deliveries, self.nextDue, self.leftBehind) = (deliveries, nextDue, leftBehind)
    }
}

extension Claims {
    /// Whether it neither leased nor turned anything.
    package var isEmpty: Bool { deliveries.isEmpty && turned.isEmpty }
}

extension Timestamp {
    /// The expiry of a delivery whose rule or target was removed while it was on its way.
    public static let removed = Timestamp(milliseconds: 0)
}

/// One leased delivery with all that is needed to send it again.
public struct Claimed: Sendable {
    /// Its row.
    public var delivery: DeliveryID
    /// Which claim of it this is.
    public var epoch: Int64
    /// Tries that failed so far, in this round and before.
    public var attempts: Int
    /// Its identity.
    public var key: Key
    /// The pair it is the head of, as the ledger numbers it; `nil` when it is in no order.
    public var pair: Int64?
    public var workspace, rule, target: String
    /// The rules that decided it.
    public var revision: Revision
    /// The lane for fairness: one per target.
    public var lane: Int64
    /// When this round began, for giving up, and when sending is no longer worth it.
    public var roundBegan: Timestamp
    /// When sending is no longer worth it.
    public var expires: Timestamp
    /// When the stream took the event.
    public var appended: Timestamp
    /// The event as it was published.
    public var event: [UInt8]
    /// The group it tells of, of which `event` is the newest; `nil` for a notification of one event.
    public var group: ClaimedGroup?
    /// The target that is told instead of its own, as its own has no quota left.
    public var via: String?
    /// The scopes it was charged to; its settlement has to name them.
    public var scopes: [String] = []
    /// Makes one.
    public init(
        delivery: DeliveryID, epoch: Int64, attempts: Int, key: Key, pair: Int64?, workspace: String, rule: String,
        target: String, revision: Revision, lane: Int64, roundBegan: Timestamp, expires: Timestamp, appended: Timestamp,
        event: [UInt8]
    ) {
        (self.delivery, self.epoch, self.attempts, self.key, self.pair) = (delivery, epoch, attempts, key, pair)
        (self.workspace, self.rule, self.target, self.revision) = (workspace, rule, target, revision)
        (self.lane, self.roundBegan, self.expires) = (lane, roundBegan, expires)
        (self.appended, self.event) = (appended, event)
    }
}

extension Claimed {
    /// The target that is told.
    public var destination: String { via ?? target }
    /// What a tariff is asked about it.
    public var candidate: Candidate {
        Candidate(
            delivery: delivery, workspace: workspace, rule: rule, target: target, via: via, revision: revision)
    }
}
